# tests/run itself: what did not run, or says nothing, is never counted as passed.
. "$(dirname "$0")/../support/lib.sh"
mkdir -p "$T/tree/tests/scenario" "$T/tree/tests/tree" "$T/tree/tests/fuzz" "$T/tree/v/unit"
cp "$ROOT/tests/run" "$T/tree/tests/run"
# unit NAME LINE…: a unit program that prints these.
unit() {
	local u=$T/tree/v/unit/$1
	shift
	{ echo '#!/bin/sh'; printf "echo '%s'\n" "$@"; } >"$u"
	chmod +x "$u"
}
# ran EXPECTED-CODE LAST-LINE ARGUMENT…: how tests/run ends.
ran() {
	local expected=$1 last=$2
	shift 2
	code "$expected" "$T/tree/tests/run" v "$@"
	[ "$(tail -n 1 "$T/stdout")" = "$last" ] || { cat "$T/stdout" >&2; fail "the last line is not '$last'"; }
}

unit t_good '1..2' 'ok 1 - a' 'ok 2 - b'
unit t_mixed '1..2' 'ok 1 - a' 'ok 2 # SKIP'
unit t_bad 'not ok 1 - a'
unit t_silent 'nothing'
echo true >"$T/tree/tests/scenario/10-good.sh"
echo 'echo "# SKIP no right to do it"' >"$T/tree/tests/scenario/11-skipped.sh"
echo 'echo "# SKIP no right to do it"; false' >"$T/tree/tests/scenario/12-bad.sh"

ran 0 '2 passed, 0 failed' t_good
ran 0 '1 passed, 0 failed, 1 skipped' t_mixed
ran 0 '1 passed, 0 failed' 10
ran 1 '0 passed, 0 failed, 1 skipped' 11
ran 1 '0 passed, 1 failed' 12
ran 1 '0 passed, 1 failed' t_silent
ran 0 '3 passed, 0 failed, 1 skipped' t_good 10 11
ran 0 '2 passed, 0 failed' t_good t_good
ran 1 '3 passed, 3 failed, 1 skipped' t_bad t_mixed t_good 12 t_silent

# A word that names nothing.
code 1 "$T/tree/tests/run" v t_good t_gone
says stderr "'t_gone'"

# Fuzzers that say nothing, and some that do.
fuzz=$T/tree/tests/fuzz/run
printf '#!/bin/sh\n' >"$fuzz"
chmod +x "$fuzz"
ran 1 '0 passed, 1 failed' fuzz
printf '#!/bin/sh\necho ok fuzz_a\necho ok fuzz_b\n' >"$fuzz"
ran 0 '2 passed, 0 failed' fuzz

# A test that takes its runner away leaves no result: that counts as well.
echo 'p=$(ps -o ppid= -p $PPID); kill -9 $p $PPID' >"$T/tree/tests/scenario/13-deadly.sh"
code 1 "$T/tree/tests/run" v 10 13
grep -Eq '^[01] passed, [1-9] failed' "$T/stdout" || { cat "$T/stdout" >&2; fail "a lost result is not counted"; }
says stdout 'told how they ended'
