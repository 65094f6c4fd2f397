#!/bin/bash
# `aegis config`: central documents are read, changed, compared, brought back and removed by revision, and no two
# editors overwrite each other; show tells what a command would run with and where it comes from, check finds every mistake
# in a file, schema is JSON Schema that agrees with both.
. "$(dirname "$0")/../support/lib.sh"
unset LOG_LEVEL
config() {
	"$AEGIS" config "$@"
}

# --- without NATS: show, check, schema ---
echo '{ "run_service": { "max_queue": 5, "heartbeat_interval": "3s" }, "connection": { "server": "nats://joe:pw@h:1" } }' >"$T/f.json"
AEGIS_MAX_INFLIGHT=9 HEARTBEAT_INTERVAL=7 code 0 config show --origin --config "$T/f.json" --json -- \
    run-service --name shop --config "$T/f.json" --ready-cmd 'curl -H secret' --metadata a=1 --metadata b=2
! grep -q 'joe:pw\|-H secret' "$T/stdout" || fail "a secret is shown"
json '((s) => s("max_queue").origin === "file" && s("max_queue").source.endsWith("f.json:1:20") && s("max_queue").value === 5 &&
    s("max_inflight").origin === "env" && s("max_inflight").source === "AEGIS_MAX_INFLIGHT" && s("max_inflight").value === 9 &&
    s("heartbeat_interval").value === "7" && s("heartbeat_interval").source === "HEARTBEAT_INTERVAL" &&
    s("name").origin === "flag" && s("name").value === "shop" && s("registry_ttl").origin === "default" &&
    s("server").secret && s("server").value === null && s("ready_cmd").secret && s("ready_cmd").value === null &&
    s("metadata").value.length === 2 && s("no_registration").value === false)((k) => v.find((x) => x.key === k))'
code 0 config show
says stdout heartbeat_interval
code 0 config show --origin -- elect g
says stdout log_level
code 2 config show -- run-servce
says stderr "'run-servce' is no command of aegis"
code 2 config show -- run-service --heartbeat-interval soon
says stderr "'soon' is no duration"

code 0 config check "$T/f.json"
STDIN=$T/f.json code 0 config check -
while IFS='|' read -r text said; do
	printf '%s' "$text" >"$T/bad.json"
	code 2 config check "$T/bad.json"
	says stderr "$said"
done <<-'X'
	{"run_service": {"max_inflight": 0}}|bad.json:1:18: 0 is too small; allowed is 1 to 4096
	{"call": {"retry_policy": "x"}}|unknown key 'retry_policy' in 'call'
	{"run_service": {"restart": "often"}}|bad.json:1:18: 'often' is not known; use no, on-failure or always
	{"run_service": {"heartbeat_interval": "40s"}}|--heartbeat-interval (40s) must be shorter than --registry-ttl (30s)
	{"runservice": {}}|did you mean 'run_service'?
	{|bad.json
	[]|must be an object
X
code 2 config check "$T/none.json"
code 0 config schema
node -e '
	const s = JSON.parse(require("fs").readFileSync(process.argv[1]));
	const r = s.properties.run_service.properties;
	process.exit(s.additionalProperties === false && r.heartbeat_interval.default === "10s" && r.max_inflight.maximum === 4096 &&
	    r.restart.enum.includes("always") && r.heartbeat_interval["x-applies"] === "at once" && r.restart["x-applies"] === "at restart" &&
	    new RegExp(r.heartbeat_interval.pattern).test("1m30s") && !new RegExp(r.heartbeat_interval.pattern).test("5") &&
	    s.properties.connection.properties.server.type === "string" ? 0 : 1);' "$T/stdout" || fail "schema: $(head -c 300 "$T/stdout")"
code 0 config schema --central
json 'v.properties.max_inflight.type === "integer" && v.properties.ready_cmd === undefined && v.properties.server === undefined &&
    v.properties.workload.type === "object"'

# Every command that needs NATS says so when there is none.
export NATS_URL=nats://127.0.0.1:9
code 6 config ls --timeout 10s
code 6 config set --service shop max_queue=1 --timeout 10s
nats_start

# --- documents ---
code 0 config ls --json
json 'v.length === 0'
code 3 config get --service shop
code 3 config history --service shop
code 3 config diff --service shop
code 3 config rm --service shop --yes
code 2 config get
says stderr '--service is missing'
code 2 config get --service 'a b'
code 2 config set --service shop
code 2 config set --service shop max_queue
says stderr "'max_queue' is no KEY=VALUE"
code 0 config set --service shop max_queue=10 heartbeat_interval=2s workload.pool=20 workload.tags='["a"]' workload.mode=fast --json
json 'v.action === "created" && v.revision === 1 && v.changes.length === 5 && v.changes[0].key === "max_queue" && v.changes[0].to === 10'
code 0 config set --service shop max_queue=11 heartbeat_interval= --dry-run --json
json 'v.action === "changed" && v.dry_run && v.revision === 1 && v.changes.length === 2'
code 2 config set --service shop max_queue=0 --dry-run
code 0 config get --service shop --json
json 'v.revision === 1 && v.settings.max_queue === 10 && v.settings.workload.tags[0] === "a" && v.settings.workload.mode === "fast" &&
    v.updated_by.includes("@") && Date.parse(v.updated_at) > 0'
code 0 config get --service shop workload.pool
[ "$(cat "$T/stdout")" = 20 ] || fail "a single value: $(cat "$T/stdout")"
code 3 config get --service shop validate
code 0 config set --service shop max_queue=10
says stdout unchanged
code 0 config set --service shop max_queue=12 heartbeat_interval= workload.pool=
code 3 config set --service shop heartbeat_interval=
says stderr "do not say 'heartbeat_interval'"
code 1 config diff --service shop --json
json 'v.length === 3 && v.find((c) => c.key === "heartbeat_interval").to === null && v.find((c) => c.key === "max_queue").from === 10'
code 1 config diff --service shop --revision 1
says stdout '- workload.pool: 20'

# Files: what get prints, and what one writes by hand.
config get --service shop --json >"$T/shop.json"
code 0 config diff --service shop "$T/shop.json"
silent stdout
code 0 config check --central "$T/shop.json"
echo '{ "max_queue": 13, /* more */ "workload": { "pool": 1 }, }' >"$T/own.json"
code 1 config diff --service shop "$T/own.json"
says stdout '+ max_queue: 13'
code 0 config set --service shop --file "$T/own.json" --if-revision 2
echo '{ "max_queu": 13 }' >"$T/own.json"
code 2 config set --service shop --file "$T/own.json"
says stderr "own.json: settings: unknown key 'max_queu'; did you mean 'max_queue'?"
code 2 config check --central "$T/own.json"
code 2 config set --service shop --file "$T/own.json" max_queue=1

# Revisions.
code 5 config set --service shop max_queue=1 --if-revision 2
code 5 config set --service shop max_queue=1 --if-revision 0
code 2 config set --service shop max_queue=1 --if-revision x
code 5 config rm --service shop --yes --if-revision 2
code 0 config set --service shop --revert 1
code 3 config set --service shop --revert 99
says stderr 'have no kept revision 99'
code 0 config get --service shop --revision 2 --json
json 'v.revision === 2 && v.settings.max_queue === 12'
code 2 config rm --service shop --no-input
code 0 config rm --service shop --yes --dry-run
code 0 config rm --service shop --yes
code 3 config get --service shop
code 0 config set --service other --if-revision 0 max_queue=1
code 0 config history --service shop --json
json 'v.length === 5 && v[4].deleted && v[4].settings === null && v[0].settings.max_queue === 10'
code 2 config set --service shop --revert 5
code 0 config set --service shop --revert 4
code 0 config ls --json
json 'v.length === 2 && v.every((d) => d.service && d.revision > 0 && d.updated_at && d.settings === undefined)'

# Twenty editors at a time, each with one key of its own: whoever is told to try again tries again, and nothing is lost.
editor() {
	for _ in $(seq 50); do
		! config set --service shared "workload.k$1=$1" 2>/dev/null || return 0
	done
	return 1
}
for i in $(seq 20); do
	editor "$i" >/dev/null &
	editors+=($!)
done
for p in "${editors[@]}"; do
	wait "$p" || fail "an editor never got through"
done
code 0 config get --service shared --json
json 'Object.keys(v.settings.workload).length === 20'

# What somebody else made does not tell its writes: a warning, and all the same a document.
code 0 config show --central --origin --json -- run-service --name shop
json 'v.find((s) => s.key === "max_queue").origin === "central" && v.find((s) => s.key === "max_queue").value === 10'
node "$SUPPORT/bus.mjs" bucket-rm aegis_config
node "$SUPPORT/nats.mjs" bucket aegis_config
code 0 config set --service shop max_queue=2
says stderr 'does not tell its writes'
