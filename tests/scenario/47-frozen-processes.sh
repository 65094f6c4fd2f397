# Processes that hang and come back: a wrapper stopped for 3 s goes on as the one that it
# was; a nats-server stopped for 6 s is noticed, calls answer errors in time, and everything
# recovers without a restart of anything.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

for i in 1 2; do
	wrap "w$i" --name echo-service --instance-id "e-$i" --heartbeat-interval 500ms --app-stdio -- node "$S/app.mjs" stdio
	until_true 10 registered echo-service "e-$i" ACTIVE
done
who() {
	"$AEGIS" registry ls --instances --all --json | js 'm.map((x) => [x.instanceId, x.metadata.nonce])'
}
before=$(who)

# The time is the test here: three seconds of a stopped process.
kill -STOP "$(cat "$T/w1.pid")"
stopped=$(now_ms)
until_true 2 answers echo-service who --instance e-2
call echo-service who --instance e-1 --timeout 2s
[ "$rc" -eq 7 ] || fail "a call to a stopped wrapper: exit $rc, not 7"
sleep "$(js "Math.max(0, 3 - ($(now_ms) - $stopped) / 1000)" <<<'{}')"
kill -CONT "$(cat "$T/w1.pid")"
until_true 5 answers echo-service who --instance e-1
[ "$(who)" = "$before" ] || fail "the record was doubled or replaced: $(who), before $before"
[ "$(logged w1 'runs as process')" -eq 1 ] || fail "the program was restarted"

# The server: its connections stay open and say nothing.  A watch that is ended now has to
# wait for it, unless it is told a second time.
spawn watch "$AEGIS" registry watch -o ndjson
until_true 10 grep -q '"e-2"' "$T/watch.out"
kill -STOP "$(cat "$T/nats.pid")"
watch=$(cat "$T/watch.pid")
kill -INT "$watch"
heard() {	# SIGINT is bit 1
	[ $((0x$(sed -n 's/^SigBlk:[[:space:]]*//p' "/proc/$watch/status") & 2)) -eq 0 ]
}
until_true 5 heard
start=$(now_ms)
end watch INT
took=$(($(now_ms) - start))
[ "$rc" -eq 130 ] || fail "a watch that was told twice ended with $rc"
[ "$took" -lt $((4500 * AEGIS_TEST_SLOW)) ] || fail "a watch that was told twice took $took ms to end, as if it waited for an answer (5 s)"
stopped=$(now_ms)
AEGIS_TIMEOUT=2m call echo-service who --timeout 2s
took=$(($(now_ms) - stopped))
[ "$rc" -eq 6 ] || [ "$rc" -eq 7 ] || fail "with a frozen server: exit $rc"
[ "$took" -lt 100000 ] || fail "with a frozen server an error took $took ms"
until_true 6 log_has w1 'lost the connection'
until_true 6 log_has w2 'lost the connection'
sleep "$(js "Math.max(0, 6 - ($(now_ms) - $stopped) / 1000)" <<<'{}')"
kill -CONT "$(cat "$T/nats.pid")"
all() {
	answers echo-service who --instance e-1 && answers echo-service who --instance e-2 && registered echo-service e-1 ACTIVE
}
until_true 10 all
[ "$(who)" = "$before" ] || fail "instances were lost, doubled or replaced: $(who), before $before"
for i in 1 2; do
	[ "$(logged "w$i" 'runs as process')" -eq 1 ] || fail "the program of e-$i was restarted"
done
end w1
end w2
"$AEGIS" registry ls --instances --all --json >"$T/list"
is '[]' m "$T/list"
