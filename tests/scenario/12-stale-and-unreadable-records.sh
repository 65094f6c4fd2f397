# Who is alive is judged by age on every read (wire.md §8.2): a Python record whose heartbeat
# stopped is not listed, except with --all; what cannot be read is left out and named; and a
# whole session of aegis leaves nothing but instances and definitions in the bucket.
. "$(dirname "$0")/../support/lib.sh"
nats_start
js bucket service_registry
js instance order-service stale-1 1000
js instance order-service older-1 100
js instance order-service future-1 -3600
js instance order-service fresh-1 2
js instance order-service offset-1 0 "{\"lastHeartbeat\":\"$(TZ=UTC-8 date +%Y-%m-%dT%H:%M:%S+08:00)\"}"
js instance order-service naive-1 0 "{\"lastHeartbeat\":\"$(date -u +%Y-%m-%dT%H:%M:%S)\"}"

code 0 "$AEGIS" registry ls --instances -o ndjson
json 'rows.map(r => r.instanceId).join() === "fresh-1,future-1,naive-1,offset-1" && rows.every(r => r.fresh)'
code 0 "$AEGIS" registry ls --instances --all -o ndjson
json 'rows.length === 6 && ["stale-1", "older-1"].every(i => rows.find(r => r.instanceId === i).fresh === false)'
code 0 "$AEGIS" registry ls --all
grep -q 'stale-1 .*stale' "$T/stdout" || fail "the table does not mark what is stale"

# The threshold is an option with a variable of its own and an inherited one.
code 0 "$AEGIS" registry ls --instances --stale-threshold 5m -o ndjson
json 'rows.some(r => r.instanceId === "older-1") && !rows.some(r => r.instanceId === "stale-1")'
code 0 env STALE_THRESHOLD_SECONDS=300 "$AEGIS" registry ls --instances -o ndjson
json 'rows.some(r => r.instanceId === "older-1") && rows.length === 5'
code 0 env STALE_THRESHOLD_SECONDS=300 AEGIS_STALE_THRESHOLD=90s "$AEGIS" registry ls --instances -o ndjson
json 'rows.some(r => r.instanceId === "future-1") && !rows.some(r => r.instanceId === "older-1")'

# A caller does not pick it either: nobody is asked, nothing is executed.
js instance lonely lonely-1 100
code 8 "$AEGIS" call lonely greet
says stderr "lonely"

# Unreadable records: wrong status, wrong version, a number for a time, both spellings, no JSON.
put() { js put service_registry "$1" "$2" >/dev/null; }
js instance order-service bad-status 0 '{"status":"SHUTDOWN"}'
js instance order-service bad-version 0 '{"version":"1.0"}'
js instance order-service bad-time 0 '{"lastHeartbeat":1795150629}'
js instance order-service bad-metadata 0 '{"metadata":null}'
js instance order-service both 0 '{"stickyActiveStatus":"ACTIVE","sticky_active_status":"ACTIVE"}'
put service-instances__order-service__no-json 'not json'
put broken-definition '{"service_name":"broken-definition"}'
js instance order-service eighth 0 '{"stickyActiveStatus":"STANDBY"}'
js instance order-service snake 0 '{"sticky_active_status":"ELECTING"}'
code 0 "$AEGIS" registry ls --stale-threshold 5m -o ndjson
json 'rows.map(r => r.instanceId).sort().join() === "eighth,fresh-1,future-1,lonely-1,naive-1,offset-1,older-1,snake"'
for name in bad-status bad-version bad-time bad-metadata both no-json broken-definition; do
	says stderr "$name"
done
code 1 "$AEGIS" registry get order-service/bad-status
says stderr "status"
# What cannot be read may still be removed.
code 0 "$AEGIS" registry rm order-service/no-json --yes

# The legacy key with single underscores is read, too, and never written.
js get service_registry service-instances__order-service__fresh-1 >"$T/record"
put service-instances_old-service_old-1 "$(node -e '
	const r = JSON.parse(JSON.parse(require("fs").readFileSync(process.argv[1])).value);
	console.log(JSON.stringify({ ...r, serviceName: "old-service", instanceId: "old-1" }));' "$T/record")"
code 0 "$AEGIS" registry ls --service old-service --stale-threshold 5m -o ndjson
json 'rows.length === 1 && rows[0].instanceId === "old-1"'

# A whole session: only instances and definitions in the bucket.
js keys service_registry >"$T/before"
spawn watch "$AEGIS" registry watch -o ndjson
spawn wrap "$AEGIS" run-service --name greeter-service --instance-id g1 --heartbeat-interval 500ms --app-stdio -- \
    sh "$ROOT/deploy/examples/greeter.sh"
until_true 10 registered greeter-service g1
code 0 "$AEGIS" call greeter-service greet '{"name":"x"}'
echo '{"service_name":"greeter-service","owner":"o","description":"d","version":"1.0.0"}' >"$T/def.json"
code 0 "$AEGIS" registry put "$T/def.json"
js keys service_registry >"$T/during"
diff "$T/before" "$T/during" | grep '^[<>]' | sort >"$T/new" || :
printf '> greeter-service\n> service-instances__greeter-service__g1\n' | diff - "$T/new" ||
    fail "other keys appeared in the bucket"
end wrap
[ "$rc" -eq 0 ] || [ "$rc" -eq 143 ] || fail "the wrapper ended with $rc"
code 0 "$AEGIS" registry rm greeter-service --yes
js keys service_registry | diff "$T/before" - || fail "something was left in the bucket"
