# What was certainly not executed is tried again within the time of the call, elsewhere first; what
# may have been, only when it is called idempotent.  NOT_ACTIVE of Python members in both forms,
# a full queue, headers that Python echoes; the members count what they executed.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start
wrap full --name full-service --instance-id full-1 --max-inflight 1 --max-queue 1 --app-stdio -- node "$S/app.mjs" stdio
wrap free --name full-service --instance-id full-2 --app-stdio -- node "$S/app.mjs" stdio
wrap frail --name frail-service --instance-id f-1 --restart always --app-stdio -- node "$S/app.mjs" stdio
for i in full-service/full-1 full-service/full-2 frail-service/f-1; do
	until_true 10 registered "${i%/*}" "${i#*/}" ACTIVE
done

# One member runs a call and has one waiting: who comes to it is served by the other one.
busy() {
	[ "$(executed until)" -ge 1 ]
}
listen held rpc.full-service.full-1.until
came() {
	[ "$(grep -c 'rpc\.full-service\.full-1\.until' "$T/held.out")" -ge "$1" ]
}
for n in 1 2; do
	spawn "hold$n" "$AEGIS" call full-service until "{\"file\": \"$T/room\"}" --instance full-1 --timeout 5m
	until_true 10 came "$n"
	until_true 10 busy
done
until_true 10 bash -c "'$AEGIS' call full-service who --instance full-1 --timeout 2s --retry-policy none; [ \$? -eq 8 ]"
for n in 1 2 3 4 5 6; do
	answers full-service who --json --strategy sticky --instance full-1 || fail "call $n: exit $rc, $(cat "$T/stderr")"
	is full-2 m.instance "$T/stdout"
	is true 'm.attempts > 1' "$T/stdout"
done
call full-service who --instance full-1 --retry-policy none
[ "$rc" -eq 8 ] || fail "refused, and not tried again: exit $rc"
# Who wants that one waits for room.
asked_again() {
	[ "$(grep -c 'rpc\.full-service\.full-1\.who' "$T/asked.out")" -ge 2 ]
}
listen asked rpc.full-service.full-1.who
spawn patient "$AEGIS" call full-service who --json --instance full-1 --timeout 2m
patient=$pid
until_true 10 asked_again
touch "$T/room"
wait "$patient" || fail "exit $?, $(cat "$T/patient.log")"
is full-1 m.instance "$T/patient.out"

# A program that dies over the call, or never answers: nobody knows, so it is not repeated, unless the
# call is idempotent, and then under the same id.
call frail-service die
[ "$rc" -eq 9 ] || fail "exit $rc, not 9"
[ "$(executed die)" -eq 1 ] || fail "executed $(executed die) times, not once"
until_true 10 answers frail-service who
call frail-service nothing --timeout 2s
[ "$rc" -eq 7 ] || fail "exit $rc, not 7"
[ "$(executed nothing)" -eq 1 ] || fail "executed $(executed nothing) times, not once"
call frail-service nothing --idempotent --attempt-timeout 2s --retries 2 --timeout 1m
[ "$rc" -eq 7 ] || fail "exit $rc, not 7"
says stderr "after 3 attempts"
[ "$(executed nothing)" -eq 4 ] || fail "executed $(executed nothing) times in all, not 1 + 3"
is 2 'new Set(l.filter((x) => x.method === "nothing").map((x) => x.id)).size' "$APP_LOG"

# Options that make no sense together.
code 2 "$AEGIS" call full-service who --attempt-timeout 1s
says stderr "--idempotent"
code 2 "$AEGIS" call full-service who --retry-policy hopeful
code 2 "$AEGIS" call full-service who --traceparent 00-1-2-01
says stderr "traceparent '00-1-2-01'"

# Python members.
node "$S/again.mjs"
