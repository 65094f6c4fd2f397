# Answers that are none: garbage, silence, too large, a connection closed or a program dead
# in the middle of a call.  Each caller gets the right error in time, nothing is executed
# twice, and the next call is served.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

port=$(free_port)
wrap web --name web-service --instance-id w-1 --app-port "$port" --restart always -- node "$S/app.mjs" http "$port"
wrap pipe --name pipe-service --instance-id p-1 --app-stdio --restart always -- node "$S/app.mjs" stdio
until_true 10 registered web-service w-1 ACTIVE
until_true 10 registered pipe-service p-1 ACTIVE

# expect CODE TEXT SERVICE METHOD [PARAMS [OPTION…]]: and the service goes on.
expect() {
	want=$1 text=$2
	shift 2
	call "$@"
	[ "$rc" -eq "$want" ] || { cat "$T/stderr" >&2; fail "$*: exit $rc, not $want"; }
	says stderr "$text"
	silent stdout
	until_true 10 answers "$1" who
}
for service in web-service pipe-service; do
	expect 1 'INTERNAL_ERROR' $service garbage
	expect 7 'answer' $service nothing '{}' --timeout 2s
done
expect 1 'larger than' web-service big '{"bytes": 3000000}' --timeout 2m
expect 1 'larger than' web-service big '{"bytes": 20000000}' --timeout 2m
expect 1 'larger than' web-service big '{"bytes": 100000000}' --timeout 2m
expect 1 'longer than a line of 1 MiB' pipe-service big '{"bytes": 2000000}' --timeout 2m
expect 1 'longer than a line of 1 MiB' pipe-service big '{"bytes": 100000000}' --timeout 2m
expect 9 'OUTCOME_UNKNOWN' web-service close
# A result just below every limit is fine.
answers web-service big '{"bytes": 900000}' --timeout 2m || fail "900 kB over HTTP: exit $rc"
answers pipe-service big '{"bytes": 900000}' --timeout 2m || fail "900 kB over stdio: exit $rc"

: >"$APP_LOG"
for service in web-service pipe-service; do
	first=$("$AEGIS" call $service who --json | js m.result.pid)
	expect 9 'OUTCOME_UNKNOWN' $service die
	until_true 10 answers $service who
	[ "$("$AEGIS" call $service who --json | js m.result.pid)" != "$first" ] || fail "$service did not die"
done
[ "$(executed die)" -eq 2 ] || fail "two calls that killed their program were executed $(executed die) times"
