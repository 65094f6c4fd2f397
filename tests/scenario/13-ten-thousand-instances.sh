# Ten thousand instances are listed completely, and no reader leaves a consumer behind on the
# stream: not `ls`, not `call`, not `watch` ended by INT.  One that was killed cannot clean up;
# what it leaves is one consumer that the server removes by itself when it was inactive.
. "$(dirname "$0")/../support/lib.sh"
nats_start
js bucket service_registry
js many big-service 10000
no_consumers() { [ "$(js consumers KV_service_registry)" -eq 0 ]; }

code 0 "$AEGIS" registry ls --instances -o ndjson --stale-threshold 5m --timeout 60s
[ "$(cut -d'"' -f8 "$T/stdout" | sort -u | wc -l)" -eq 10000 ] || fail "not all are listed"
code 0 "$AEGIS" registry ls --stale-threshold 5m --timeout 60s
[ "$(wc -l <"$T/stdout")" -eq 10001 ] || fail "the table is not complete"
until_true 5 no_consumers

# A caller among them: one of the ten thousand lives.
spawn wrap "$AEGIS" run-service --name small-service --instance-id s1 --app-stdio -- sh "$ROOT/deploy/examples/greeter.sh"
until_true 10 registered small-service s1
code 0 "$AEGIS" call small-service greet '{"name":"x"}'
grep -q 'Hello, x!' "$T/stdout" || fail "no greeting"
end wrap
until_true 5 no_consumers

spawn watch "$AEGIS" registry watch --stale-threshold 5m -o ndjson
watched() { [ "$(wc -l <"$T/watch.out")" -ge 10000 ]; }
until_true 20 watched
[ "$(js consumers KV_service_registry)" -eq 1 ] || fail "a watch is one consumer"
end watch INT
[ "$rc" -eq 0 ] || fail "watch ended with $rc"
[ "$(wc -l <"$T/watch.out")" -eq 10000 ] || fail "the watch told some twice"
until_true 5 no_consumers

spawn watch "$AEGIS" registry watch --stale-threshold 5m -o ndjson
until_true 20 watched
end watch KILL
# Looked at once: it may go between two looks.
js consumer-list KV_service_registry >"$T/consumer"
left=$(wc -l <"$T/consumer")
[ "$left" -le 1 ] || fail "$left consumers are left"
if [ "$left" -eq 1 ]; then
	json 'v.config.inactive_threshold > 0 && v.config.inactive_threshold <= 300e9' consumer
fi
