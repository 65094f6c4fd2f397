# `aegis doctor` on one server: one thing after another is broken, found by its check with a remedy, the remedy is
# typed, and the doctor is content.  `status` says the same on one screen; --check speaks to monitoring.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/elect.sh"
. "$(dirname "$0")/../support/doctor.sh"

# Nobody there: one critical finding, and the code of a bus that cannot be reached.
dead=nats://127.0.0.1:$(free_port)
code 6 "$AEGIS" doctor --server "$dead" --json
json 'v.length === 1 && v[0].check === "nats.reachable" && v[0].severity === "critical" && v[0].exit_code === 6'
code 2 "$AEGIS" doctor --server "$dead" --check
says stdout "AEGIS CRITICAL - "
code 3 "$AEGIS" doctor --check --creds "$T/none"
code 6 "$AEGIS" status --server "$dead"

# A server without JetStream.
nats_start nats
end nats
sed -i 's/^jetstream/#jetstream/' "$T/nats.conf"
nats_again nats
sick nats.jetstream critical 6 "no JetStream"
end nats
sed -i 's/^#jetstream/jetstream/' "$T/nats.conf"
nats_again nats

# An empty server: what is missing is named, one command makes it.
sick registry.streams warning 3 "no stream KV_service_registry"
[ "$remedy" = "aegis registry init" ] || fail "remedy: $remedy"
code 1 "$AEGIS" doctor --check
says stdout "AEGIS WARNING - "
cured
code 0 "$AEGIS" doctor
says stderr "critical: 0, warnings: 0, notes: 1"
says stdout "no token has the role admin"
code 0 "$AEGIS" token create --role admin
code 0 "$AEGIS" doctor
says stderr "critical: 0, warnings: 0, notes: 0"
code 0 "$AEGIS" doctor --json
json 'Array.isArray(v) && v.length === 0'
silent stderr
code 0 "$AEGIS" doctor --check
says stdout "AEGIS OK - "
code 0 "$AEGIS" registry init --json
json 'v.every(s => s.state === "as it should be" || s.state === "made by members")'

# The rows by name; one of them, or all before a dot; no such row.
code 0 "$AEGIS" doctor --list --json
json 'v.some(k => k.check === "nats.clock") && v.some(k => k.check === "election.groups") && v.every(k => k.about)'
code 0 "$AEGIS" doctor registry
says stderr "3 checks of"
code 0 "$AEGIS" doctor nats.version
says stderr "1 checks of"
code 2 "$AEGIS" doctor regist
says stderr "--list"

# A bucket that somebody made otherwise.  --upgrade --dry-run changes nothing.
js remove KV_service_registry
js bucket service_registry '{"max_age":60000000000,"max_msgs_per_subject":5,"allow_msg_ttl":false,"allow_direct":false,"max_consumers":-1}'
for trait in "max_age is 60 s instead of 0 s" "max_msgs_per_subject is 5 instead of 10" "allow_msg_ttl is off" "allow_direct is off"; do
	sick registry.streams warning 1 "$trait"
done
[ "$remedy" = "aegis registry init --upgrade" ] || fail "remedy: $remedy"
code 0 "$AEGIS" registry init --upgrade --dry-run --json
json 'v.find(s => s.stream === "KV_service_registry").state === "would be changed"'
code 0 "$AEGIS" registry init --json
json 'v.find(s => s.stream === "KV_service_registry").state === "differs"'
sick registry.streams warning 1 "max_age is 60 s"
"$AEGIS" status >"$T/stdout"
says stdout "max_age is 60 s"
cured
js stream KV_service_registry >"$T/stream"
json 'v.config.max_age === 0 && v.config.max_msgs_per_subject === 10 && v.config.allow_msg_ttl && v.config.allow_direct' stream

# Watchers use up what the server allows.
js consume KV_service_registry 801
sick registry.streams warning 1 "max_consumers is the server's 1000 with 801 in use"
cured
js stream KV_service_registry >"$T/stream"
json 'v.config.max_consumers === 100000' stream
js unconsume KV_service_registry

# What no update can change is replaced.
js remove COMMANDS
js remove EVENTS
node "$SUPPORT/nats.mjs" bucket other '{"name":"COMMANDS","subjects":["commands.>"],"max_msgs_per_subject":-1,"allow_rollup_hdrs":false,"deny_delete":false}'
sick messaging.streams critical 1 "retention is limits instead of workqueue"
cured

# Records: unreadable ones by key, dead instances, one whose clock is ahead, one whose heartbeat stands still.
js put service_registry service-instances__bad__bad-1 '{"x":1}' >/dev/null
sick registry.records warning 1 "service-instances__bad__bad-1"
cured
js put service_registry nonsense '{"x":1}' >/dev/null
sick registry.records warning 1 "nonsense"
cured
js instance gone gone-1 50
sick registry.instances warning 3 "gone/gone-1 was last heard of"
"$AEGIS" status --json >"$T/stdout"
json 'v.instances.stale === 1 && v.instances.total === 1 && v.services === 1 && v.degraded.length === 1 && v.nats.jetstream'
cured
js instance early early-1 -240
sick registry.instances warning 1 "clock of instance early/early-1 is"
sick registry.instances warning 3 "heartbeat of instance early/early-1 stands still" --stale-threshold 1s
cured --stale-threshold 1s

js put aegis_config order-service '[1]' >/dev/null
sick settings.documents warning 1 "the central settings of order-service cannot be read"
cured

# A bucket of settings that somebody else made, which tells nobody.
js remove KV_aegis_config
js bucket aegis_config
sick settings.streams warning 1 "republish is off instead of aegis.config.>"
cured
js stream KV_aegis_config >"$T/stream"
json 'v.config.republish.src === "$KV.aegis_config.>" && v.config.republish.dest === "aegis.config.>"' stream

# A subscriber that stays behind, of a stream that drops its oldest.
js edit EVENTS '{"max_msgs":10}'
timeout 300 "$AEGIS" event subscribe 'events.order.*' --service billing --count 1 >"$T/billing" 2>&1 &
until_true 10 eval '[ "$(js consumers EVENTS)" -eq 1 ]'
"$AEGIS" event publish order created '{}' --count 10 >/dev/null
wait $!
sick messaging.readers warning 8 "billing__events=order=+ is 9 events behind, of 10"
cured
js edit EVENTS '{"max_msgs":100000}'

# A queue without workers.
js edit COMMANDS '{"max_msgs":10}'
for i in 1 2 3 4 5 6 7 8; do
	"$AEGIS" command send nobody rest '{}' --no-wait >/dev/null
done
sick messaging.streams warning 8 "stream COMMANDS (commands) holds 8 of 10 messages"
typed
grep -q nobody "$T/typed" || fail "the remedy does not show whose commands wait"
js purge COMMANDS
js edit COMMANDS '{"max_msgs":10000}'
well

# A group whose leader died, and nobody follows; a register that is gone.
candidate a
until_true 20 begun_by 1 a
well
"$AEGIS" status --json >"$T/stdout"
json 'v.groups.length === 1 && v.groups[0].leader === "a" && v.groups[0].group === "jobs" && v.groups[0].epoch > 0'
end a KILL
sick election.groups critical 8 "nobody leads group jobs (not_eligible)"
[ "$remedy" = "aegis elect jobs -- CMD" ] || fail "remedy: $remedy"
spawn again bash -ec "${remedy/CMD/$T/job}"
until_true 20 begun_by 2
well
js remove KV_AEGIS_META
sick election.registers critical 3 "the bucket AEGIS_META was lost, but there are registers"
remedy=${remedy/GROUP/jobs}
cured
end again
found election.groups note "let go in good order" || fail "a group that was left is not told"
[ "$asked" -eq 0 ] || fail "a group that was left is no fault, but doctor ends with $asked"
js remove KV_AEGIS_L0
sick election.registers critical 3 "AEGIS_L0 is gone"
remedy=${remedy/GROUP/jobs}
cured

# Instances of a group that live, and none leads, because all are unhealthy.
spawn lone "$AEGIS" run-service --name lone-service --instance-id lone-1 --single-active --profile relaxed --app-stdio \
    --health-cmd "test ! -e $T/ill" --health-interval 100ms --health-timeout 30s --health-failures 1 -- sh "$ROOT/deploy/examples/greeter.sh"
until_true 20 registered lone-service lone-1 ACTIVE
well
touch "$T/ill"
sick groups.members critical 8 "has 1 live instance, 1 of them unhealthy, and none leads"
typed
grep -q UNHEALTHY "$T/typed" || { cat "$T/typed"; fail "the remedy does not show who is unhealthy"; }
rm "$T/ill"
well
end lone

# Permissions: as the server tells them, by role; a note unless the role was asked for.
end nats
cat >>"$T/nats.conf" <<'EOC'
authorization { users = [
  { user: all, password: all }
  { user: few, password: few, permissions: { publish: { allow: ["_INBOX.>", "$SYS.REQ.USER.INFO", "rpc.>", "$JS.API.>"], deny: ["$JS.API.STREAM.UPDATE.*"] }, subscribe: ["_INBOX.>"] } }
  { user: blind, password: blind, permissions: { publish: { allow: ["_INBOX.>", "$SYS.REQ.USER.INFO", "$JS.API.INFO"] } } }
  { user: deaf, password: deaf, permissions: { subscribe: ["nothing"] } }
] }
EOC
nats_again nats
for user in few all blind deaf; do
	printf %s "$user" >"$T/$user"
done
well --user all --password-file "$T/all"
found nats.permissions note "cannot run a registered service: it may not" --user few --password-file "$T/few" ||
    fail "what the user may not do is not told"
[ "$asked" -eq 0 ] || { cat "$T/findings"; fail "a user who may not everything is no fault, but doctor ends with $asked"; }
sick nats.permissions critical 4 "publish to \$KV.service_registry.>" --user few --password-file "$T/few" --role member
grep -q "subscribe to rpc.>" "$T/findings" || fail "subscriptions are not judged"
found nats.permissions critical "\$JS.API.STREAM.UPDATE.*" --user few --password-file "$T/few" --role admin || fail "deny lists are not judged"
# What cannot be looked at is told without waiting for answers that nobody gives, and is no verdict.
start=$(date +%s%N)
found registry.streams warning "cannot look: user 'blind' may not publish to \$JS.API.STREAM.INFO.KV_service_registry" --user blind --password-file "$T/blind" --timeout 5m ||
    fail "what cannot be looked at is not told"
[ $((($(date +%s%N) - start) / 1000000)) -lt 200000 ] || fail "it waited for answers that nobody gives"
code 3 "$AEGIS" doctor --check --user blind --password-file "$T/blind"
says stdout "AEGIS UNKNOWN - cannot look"
sick nats.jetstream critical 4 "Permissions Violation" --user deaf --password-file "$T/deaf" --timeout 1s
end nats
sed -i '/user: few/s/permissions: .*$/}/' "$T/nats.conf"
nats_again nats
well --user few --password-file "$T/few" --role member
end nats

# An old server; its remedy is to upgrade it, which is done here as it is done anywhere.
nats_start old "$NATS_SERVER_OLD"
"$AEGIS" registry init >/dev/null
sick nats.version warning 2 "nats-server 2.10.27 (JetStream API level 0, 1 is needed) works degraded"
end old
echo "$NATS_SERVER" >"$T/old.server"
nats_again old
sick registry.streams warning 1 "allow_msg_ttl is off"
cured

# One question for a container's probe.
code 2 "$AEGIS" healthcheck --url "http://127.0.0.1:$(free_port)"
port=$(free_port)
spawn api "$AEGIS" serve-api --listen "http://127.0.0.1:$port"
until_true 10 "$AEGIS" healthcheck --url "http://127.0.0.1:$port"
API_PORT=$port code 0 "$AEGIS" healthcheck
code 3 "$AEGIS" healthcheck --url "http://127.0.0.1:$port/no/such/route" --json
json 'v.health === "unknown" && v.status === 404'
code 2 "$AEGIS" healthcheck --url https://127.0.0.1:1
says stderr "--health-listen"
end old
until_true 10 eval '! "$AEGIS" healthcheck --url "http://127.0.0.1:$port" >/dev/null'
code 2 "$AEGIS" healthcheck --url "http://127.0.0.1:$port"
code 0 "$AEGIS" healthcheck --url "http://127.0.0.1:$port/livez"
