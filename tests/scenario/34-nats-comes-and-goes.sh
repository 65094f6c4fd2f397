# NATS absent at the start, then killed five times under calls: the programs run on,
# registration and calls come back by themselves, no instance is lost or doubled, nothing is
# executed twice, and in between the errors are the right ones.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start
end nats KILL

for i in 1 2 3; do
	wrap "w$i" --name echo-service --instance-id "e-$i" --heartbeat-interval 500ms --app-stdio -- \
	    node "$S/app.mjs" stdio
done
for i in 1 2 3; do
	until_true 10 log_has "w$i" 'runs as process'
done
call echo-service echo
[ "$rc" -eq 6 ] || fail "without NATS a call ends with $rc, not 6"
says stderr "127.0.0.1:$(sed -n 's/^port: //p' "$T/nats.conf")"
until_true 10 log_has w1 'is not reachable'
# A second of nothing: whatever is retried meanwhile is not told again.
sleep 1
[ "$(logged w1 'is not reachable')" -eq 1 ] || fail "told $(logged w1 'is not reachable') times that NATS is not there"
[ "$(logged w1 '"level":"WARNING"')" -le 2 ] || fail "too many warnings"

all_there() {
	for n in 1 2 3; do registered echo-service "e-$n" ACTIVE || return 1; done
}
nats_again
until_true 10 all_there
nonces() {
	"$AEGIS" registry ls --instances --all --json | js 'm.map((x) => x.instanceId + x.metadata.nonce)'
}
before=$(nonces)
# One warning for the whole absence, and a word when it is over.
until_true 10 log_has w1 '"registry.back"'
[ "$(logged w1 '"registry.retry"')" -eq 1 ] || fail "told $(logged w1 '"registry.retry"') times that the registry is away"
[ "$(logged w1 '"registry.back"')" -eq 1 ] || fail "told $(logged w1 '"registry.back"') times that the registry is back"

spawn load node "$S/load.mjs" echo-service echo
for round in 1 2 3 4 5; do
	until_true 10 bash -c "[ \$(tail -n 1 '$T/load.out' | grep -c good) -eq 1 ]"
	end nats KILL
	until_true 10 bash -c "tail -n 1 '$T/load.out' | grep -q away"
	call echo-service echo --timeout 300ms
	[ "$rc" -eq 6 ] || fail "round $round: with NATS away a call ends with $rc, not 6"
	nats_again
	until_true 10 answers echo-service echo
done
until_true 10 all_there
[ "$(nonces)" = "$before" ] || fail "instances were lost, doubled or replaced: $(nonces), before $before"
until_true 10 bash -c "tail -n 1 '$T/load.out' | grep -q good"
end load

# Outcomes: answered, or one of the ways in which NATS can be away; and nothing twice.
sort "$T/load.out" | uniq -c >&2
[ "$(cut -d' ' -f1 "$T/load.out" | sort -u | tr '\n' ' ')" = 'away good ' ] || fail "unexpected outcomes"
twice=$(js 'l.length - new Set(l.map((x) => x.id)).size' "$APP_LOG")
[ "$twice" -eq 0 ] || fail "$twice calls were executed twice"
for i in 1 2 3; do
	[ "$(grep -c "\"e-$i\"" "$APP_LOG")" -gt 0 ] || fail "e-$i was never called"
	[ "$(logged "w$i" 'runs as process')" -eq 1 ] || fail "the program of e-$i was restarted"
done

# With NATS away again a stop does not wait for it.
end nats KILL
until_true 10 log_has w1 'lost the connection'
start=$(now_ms)
end w1
took=$(($(now_ms) - start))
[ "$took" -lt $((20000 * AEGIS_TEST_SLOW)) ] || fail "without NATS a stop took $took ms"
