# events.sh - for scenarios about events: . "$(dirname "$0")/../support/events.sh" after lib.sh.
# shellcheck shell=bash
S=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# member NAME OPTION… [-- FLAG…]: a wrapped workload that notes what it gets in $T/NAME.got.
member() {
	m=$1
	shift
	options=()
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift $(($# > 0 ? 1 : 0))
	: >"$T/$m.got"
	APP_LOG=$T/$m.got spawn "$m" "$AEGIS" run-service "${options[@]}" --app-stdio -- node "$S/events.mjs" app "$@"
}

# python NAME SERVICE PATTERN…: a Python member; what it hears is in $T/NAME.out.
python() {
	spawn "$1" node "$S/events.mjs" subscribe "${@:2}"
	until_true 10 grep -q ready "$T/$1.out"
}

py() {
	node "$S/events.mjs" "$@"
}

# lines FILE N [TEXT]: $T/FILE has N lines (with TEXT).
lines() {
	[ "$(grep -cF -- "${3:-}" "$T/$1")" -eq "$2" ]
}

# consumer NAME: its info as JSON, of the stream EVENTS.
consumer() {
	node "$S/nats.mjs" consumer-list EVENTS | grep -F "\"name\":\"$1\""
}

# ready_for DURABLE: the durable exists and waits for events (a pull), or is bound (a push).
ready_for() {
	consumer "$1" | grep -qE '"num_waiting":[1-9]|"push_bound":true'
}

# settled DURABLE: nothing waits for it and nothing is in anybody's hands.
settled() {
	consumer "$1" | grep -q '"num_ack_pending":0,.*"num_pending":0[,}]'
}
