# wrap.sh - for scenarios about wrapped programs and calls: . "$(dirname "$0")/../support/wrap.sh"
# after lib.sh.
# shellcheck shell=bash
S=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# A program that gets no processor for some seconds is not killed for it, nor a call given up.
export AEGIS_KILL_AFTER=2m AEGIS_DRAIN_TIMEOUT=2m

# wrap NAME OPTION… -- CMD…: a wrapper in the background, log in $T/NAME.log.
wrap() {
	w=$1
	shift
	spawn "$w" "$AEGIS" run-service "$@"
}

# bus VERB…: bus.mjs; listen NAME SUBJECT…: what is published there, in $T/NAME.out.
bus() {
	node "$S/bus.mjs" "$@"
}
listen() {
	spawn "$1" node "$S/bus.mjs" watch "${@:2}"
	until_true 10 grep -q ready "$T/$1.out"
}

# js EXPRESSION [FILE]: prints EXPRESSION, in which m is the JSON in FILE or stdin, and l
# all its JSON lines.
js() {
	node -e '
		const { readFileSync } = require("fs");
		const text = readFileSync(process.argv[2] || 0, "utf8");
		const list = text.startsWith("[");
		const l = list ? [] : text.split("\n").filter((x) => x.startsWith("{")).map((x) => JSON.parse(x));
		const m = list ? JSON.parse(text) : l[0];
		const out = eval(process.argv[1]);
		console.log(typeof out === "string" ? out : JSON.stringify(out));
	' "$@"
}

# is EXPECTED EXPRESSION [FILE]: what js prints is EXPECTED.
is() {
	expected=$1
	shift
	seen=$(js "$@") || fail "cannot read: $*"
	[ "$seen" = "$expected" ] || fail "$1 is $seen, not $expected"
}

# call ARGS…: aegis call; its answer in $T/stdout, sentence in $T/stderr, exit code in $rc.
call() {
	rc=0
	"$AEGIS" call "$@" >"$T/stdout" 2>"$T/stderr" </dev/null || rc=$?
}
# answers ARGS…: the call succeeds.
answers() {
	call "$@"
	[ "$rc" -eq 0 ]
}

# executed METHOD: how often the workload was asked for it.
executed() {
	grep -c "\"method\":\"$1\"" "$APP_LOG" || :
}
# child NAME: the process that wrapper NAME runs, as its log tells.
child() {
	sed -n 's/.*runs as process \([0-9]*\).*/\1/p' "$T/$1.log" | tail -n 1
}
# log_has NAME TEXT; logged NAME TEXT: how often.
log_has() {
	grep -qF -- "$2" "$T/$1.log"
}
logged() {
	grep -cF -- "$2" "$T/$1.log" || :
}
status_is() {
	"$AEGIS" registry ls --instances --all --service "$1" -o ndjson | grep "\"$2\"" | grep -q "\"status\":\"$3\""
}
not() {
	! "$@"
}
# marked MARK: processes that inherited MARK=… in their environment, whatever they call
# themselves; unmarked MARK: there is none.
marked() {
	grep -lz "^MARK=$1\$" /proc/[0-9]*/environ 2>/dev/null | sed 's/[^0-9]//g'
}
unmarked() {
	[ -z "$(marked "$1")" ]
}
now_ms() {
	date +%s%3N
}
APP_LOG=$T/app-log APP_SICK=$T/sick APP_READY=$T/ready-now
export APP_LOG APP_SICK APP_READY
: >"$APP_LOG"
