# Programs that ignore TERM, leave children behind, close their port or flood their output:
# the wrapper ends what must end, tells what must be told, and its memory stays small.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

# Ignores TERM: killed after --kill-after, no sooner, and the exit tells so.
AEGIS_KILL_AFTER=5m wrap deaf --name deaf-one --kill-after 700ms -- sh -c "trap '' TERM; touch $T/deaf; while :; do sleep 0.1; done"
until_true 10 test -e "$T/deaf"
start=$(now_ms)
end deaf
took=$(($(now_ms) - start))
[ "$rc" -eq 137 ] || fail "exit $rc, not 128+9"
[ "$took" -ge 700 ] && [ "$took" -lt 200000 ] || fail "killed after $took ms instead of 700"

# Ends and leaves children behind, one of them in a session of its own: they go before the
# next run begins, and before the wrapper ends.
cat >"$T/leaves" <<EOF
setsid sleep 2001 & echo \$! >>$T/left
sleep 2002 & echo \$! >>$T/left
# What the next run meets of the last one; the first one waits until both are what they are to be.
met() { ps -o args= -p \$(head -n 2 $T/left | tr '\n' ' ') | grep -c 'sleep 200'; }
[ \$(wc -l <$T/left) -gt 2 ] || until [ \$(met) -eq 2 ]; do sleep 0.02; done
met >>$T/met
[ \$(wc -l <$T/left) -ge 4 ] && exit 0
exit 1
EOF
code 0 "$AEGIS" run-service --name leaver -q --restart on-failure -- sh "$T/leaves"
[ "$(tr '\n' ' ' <"$T/met")" = '2 0 ' ] || fail "alive in the first and the second run: $(cat "$T/met"), not 2 and 0"
while read -r p; do
	gone "$p" || fail "process $p outlived its wrapper"
done <"$T/left"

# Closes its port: UNHEALTHY after three checks, not callable; back after two.
port=$(free_port)
wrap shy --name shy-one --instance-id s-1 --app-port "$port" --health-tcp "$port" --health-interval 100ms -- \
    node "$S/app.mjs" http "$port"
until_true 10 registered shy-one s-1 ACTIVE
answers shy-one echo || fail "cannot be called"
kill -USR1 "$(cat "$T/shy.pid")"
until_true 5 status_is shy-one s-1 UNHEALTHY
call shy-one echo
[ "$rc" -eq 8 ] || fail "an unhealthy instance: exit $rc, not 8"
kill -USR2 "$(cat "$T/shy.pid")"
until_true 5 registered shy-one s-1 ACTIVE
until_true 5 answers shy-one echo

# Floods its output, 100 MB each way that output can take; nobody reads the last one at all.
peak_kb() {
	awk '/^VmHWM/ { print $2 }' "/proc/$1/status"
}
flood='head -c 100000000 /dev/zero | tr "\0" "x" | fold -w 500; echo; touch'
spawn through bash -c 'exec "$0" run-service --name flood-a --instance-id a -- sh -c "$1 $2; exec sleep 1000" >/dev/null' \
    "$AEGIS" "$flood" "$T/a"
spawn prefixed bash -c 'exec "$0" run-service --name flood-b --instance-id b --log-prefix -- sh -c "$1 $2; exec sleep 1000" >/dev/null' \
    "$AEGIS" "$flood" "$T/b"
spawn lines bash -c 'exec "$0" run-service --name flood-c --instance-id c --app-stdio -- sh -c "$1 $2; exec sleep 1000"' \
    "$AEGIS" "$flood" "$T/c"
mkfifo "$T/stuck"
exec 7<>"$T/stuck"
spawn stuck bash -c 'exec "$0" run-service --name flood-d --instance-id d --heartbeat-interval 500ms --log-prefix \
    -- sh -c "$1 $2; exec sleep 1000" >"$3"' "$AEGIS" "$flood" "$T/d" "$T/stuck"
for f in a b c; do
	until_true 30 test -e "$T/$f"
done
for w in through prefixed lines stuck; do
	kb=$(peak_kb "$(cat "$T/$w.pid")")
	[ "$kb" -lt $((60000 * AEGIS_TEST_SLOW)) ] || fail "$w: the wrapper grew to $kb kB"
done
# The one that is stuck still lives for the world.
[ ! -e "$T/d" ] || fail "100 MB went into a pipe that nobody reads"
revision() {
	"$AEGIS" registry get flood-d/d --json | js m.revision
}
first=$(revision)
until_true 5 bash -c "[ \"\$('$AEGIS' registry get flood-d/d --json | grep -o '\"revision\":[0-9]*')\" != '\"revision\":$first' ]"
# What is no answer on a stdio program's output is counted and told at most now and then.
[ "$(logged lines runner.child_output)" -le 20 ] || fail "$(logged lines runner.child_output) lines logged"
end stuck
[ "$rc" -eq 143 ] || fail "stuck: exit $rc"
