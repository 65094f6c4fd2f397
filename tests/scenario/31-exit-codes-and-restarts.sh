# The wrapper ends as its program ended: the same code, by the same signal; its own failures
# are 125 to 127; restarts follow the policy and give up with the last code.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

run() {		# run CODE OPTION… -- CMD…
	expected=$1
	shift
	code "$expected" "$AEGIS" run-service --name worker -q "$@"
}
# ended_by SIGNAL CMD…: the process itself ends by that signal, not by a code that looks like it.
ended_by() {
	perl -e 'my $n = shift; my $s = system(@ARGV); exit(($s & 127) == $n ? 0 : 1)' -- "$@" 2>/dev/null ||
	    fail "not ended by signal $1: ${*:2}"
}

run 0 -- true
run 3 -- sh -c 'exit 3'
run 42 -- sh -c 'exit 42'
run 125 -- sh -c 'exit 125'
run 127 -- "$T/nothing-here"
says stderr nothing-here
run 127 -- no-such-command-anywhere
: >"$T/plain"
run 126 -- "$T/plain"
says stderr plain
run 126 -- "$T"
run 2 -- ; says stderr 'the command to run is missing'

ended_by 9 "$AEGIS" run-service --name worker -q -- sh -c 'kill -9 $$'
ended_by 10 "$AEGIS" run-service --name worker -q -- sh -c 'kill -USR1 $$'
ended_by 15 "$AEGIS" run-service --name worker -q -- sh -c 'kill -TERM $$'
ended_by 11 "$AEGIS" run-service --name worker -q -- sh -c 'kill -SEGV $$'
[ -z "$(find "$T" . -maxdepth 1 -name 'core*' -print)" ] || fail "the wrapper left a core file"

# TERM to the wrapper: what the program makes of it is the result.
for want in 0 7; do
	wrap "term$want" --name worker -- sh -c "trap 'exit $want' TERM; touch $T/up$want; while :; do sleep 0.05; done"
	until_true 10 test -e "$T/up$want"
	end "term$want"
	[ "$rc" -eq "$want" ] || fail "TERM'd: exit $rc, not $want"
done

# Its own failure: no descriptor is left for what it needs to start the program.
code 125 bash -c 'ulimit -n 7; exec "$0" run-service --name worker -- true' "$AEGIS"
says stderr 'Too many open files'

# Restarts.  count FILE CODES…: a program that ends with each code in turn.
cat >"$T/count" <<'EOF'
#!/bin/sh
f=$1; shift
n=$(($(cat "$f" 2>/dev/null || echo 0) + 1)); echo $n >"$f"
shift $((n - 1)); exit "${1:-0}"
EOF
chmod +x "$T/count"
ran() {
	[ "$(cat "$T/$1")" -eq "$2" ] || fail "$1 ran $(cat "$T/$1") times, not $2"
}
run 3 --restart no -- "$T/count" "$T/no" 3; ran no 1
run 0 --restart on-failure -- "$T/count" "$T/fail" 3 0; ran fail 2
run 125 --restart always -- "$T/count" "$T/asks" 0 125; ran asks 2
start=$(now_ms)
run 5 --restart always --max-restarts 2/1m -- "$T/count" "$T/budget" 3 0 5; ran budget 3
took=$(($(now_ms) - start))
[ "$took" -ge 2500 ] || fail "1 s and 2 s of pauses took $took ms"
# Nothing hides behind a 0: an orchestrator must notice that the budget is spent.
run 1 --restart always --max-restarts 1/1m -- "$T/count" "$T/zero" 0 0; ran zero 2
