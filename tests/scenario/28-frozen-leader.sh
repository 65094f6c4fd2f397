# The leader's wrapper stands still for three seconds in a stream of calls: its program dies with the lease,
# another one leads, nothing is executed twice; thawed, it refuses what waited in its socket and is a
# standby with a new program.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/election.sh"
nats_start
hook="echo \"lost \$AEGIS_CHILD_PID\" >>$T/lost"
for i in a b c; do member "$i" --profile wan --hang-kill 0 --on-lost "exec:$hook"; done
until_true 20 leads
first=$(leader)
old=$(child "$first")
adding load 50
until_true 20 bash -c "[ \$(grep -c . '$T/load.out') -ge 10 ]"
kill -STOP "$(cat "$T/$first.pid")"
until_true 20 leads_after "$first"
until_true 5 gone "$old"
until_true 5 grep -qx "lost $old" "$T/lost"
# A call that is meant for it waits in its socket, bearing the number of its lead.
epoch=$(js "m.find((x) => x.instanceId === '$first').metadata.epoch" "$T/members")
spawn late "$AEGIS" call pay-service add '{"req":"late"}' --instance "$first" --timeout 30s
sleep 1		# it has been sent long since
kill -CONT "$(cat "$T/$first.pid")"
until_true 60 grep -q '^over' "$T/load.out"
unknown=$(books load) || fail "the books: $(tail -n 3 "$T/load.out")"
[ "$unknown" -le 1 ] || fail "$unknown calls are unknown, though one was in flight"
until_true 20 registered pay-service "$first" STANDBY
until_true 10 bash -c "[ \$(grep -c 'runs as process' '$T/$first.log') -eq 2 ]"
until_true 20 gone "$(cat "$T/late.pid")"
[ "$(executed late)" -eq 0 ] && ! grep -q '"late"' "$APP_LOG" || fail "the call that waited in the socket was executed"
is true "Number(l.filter((x) => x.add).pop().epoch) > $epoch" "$APP_LOG"

# One that hangs for longer than --hang-kill is killed by its guardian, which frees its place in the queue group.
wrap hung --name hang-service --instance-id hung --single-active --profile wan --hang-kill 1s -- sleep 1000
until_true 20 registered hang-service hung ACTIVE
kill -STOP "$(cat "$T/hung.pid")"
until_true 20 log_has hung 'has not turned its loop for 1000 ms'
until_true 10 gone "$(cat "$T/hung.pid")"
until_true 10 gone "$(child hung)"
