#!/bin/bash
# The local API against those who should not enter, who talk nonsense or too much, while NATS is
# away, and when it is full; and the places where it may be.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/outgoing.sh"
nats_start
wrap echo --name echo-service --instance-id e-1 --app-stdio -- node "$S/app.mjs" stdio
porter porter --name porter --instance-id p-1 --max-outgoing 2
until_true 10 registered echo-service e-1 ACTIVE
until_true 10 registered porter p-1 ACTIVE

# Without the token nothing answers, whatever is asked.
. "$T/porter.env"
for path in /v1/status /v1/watch /nothing; do
	for header in 'X: y' 'Authorization: Bearer ' "Authorization: Bearer ${AEGIS_API_TOKEN%?}" "Authorization: Bearer ${AEGIS_API_TOKEN}0" \
	    "Authorization: Basic $AEGIS_API_TOKEN"; do
		ask $path -H "$header"
		status_was 401 "$path with '$header'"
		error_is HTTP_401
	done
done
! grep -q "$AEGIS_API_TOKEN" "$T/porter.log" || fail "the token is in the log"

# Nonsense is named, and nothing of it reaches the bus.
posts 422 porter /v1/call/echo-service/echo '{"a":'
error_is VALIDATION_ERROR
posts 422 porter /v1/call/echo-service/echo '[1]'
posts 422 porter /v1/call/echo%20service/echo '{}'
posts 422 porter /v1/call/echo-service/no.dots '{}'
posts 422 porter '/v1/call/echo-service/echo?timeuot=2s' '{}'
grep -q timeuot "$T/body" || fail "the unknown parameter is not named"
posts 422 porter '/v1/call/echo-service/echo?timeout=2h' '{}'
posts 422 porter '/v1/call/echo-service/echo?strategy=best' '{}'
posts 422 porter /v1/call/echo-service/echo '{}' -H 'Aegis-Deadline: soon'
posts 422 porter /v1/events/order/created '{}' -H 'Idempotency-Key: a.b'
posts 422 porter /v1/events/order/-created '{}'
posts 422 porter '/v1/commands/echo-service/pack?priority=HIGH' '{}'
posts 422 porter '/v1/commands/echo-service/pack?max_retries=-1' '{}'
posts 422 porter /v1/progress/x '{"progress": "half"}'
posts 404 porter /v1/progress/x '{"progress": 50}'
posts 405 porter /v1/status '{}'
head_says 'Allow: GET, HEAD'
gets 404 porter /v1/nothing
api porter /v1/call/echo-service/echo -X POST -H 'Content-Type: text/plain' -d x
status_was 415 "text/plain"
head -c 1100000 /dev/zero | tr '\0' ' ' >"$T/large"
api porter /v1/call/echo-service/echo -X POST -H 'Content-Type: application/json' --data-binary "@$T/large"
status_was 413 "a body of 1.1 MB"
node -e '
	const s = require("net").connect(process.argv[1], () => s.end("\x16\x03\x01 garbage\r\n\r\n"));
	s.on("error", () => {}).on("close", () => process.exit(0)).resume();' "${AEGIS_API#unix:}"
[ "$(executed echo)" -eq 0 ] || fail "nonsense reached the program"
gets 200 porter /v1/status

# Full: two wait, the third is told so at once, and what does not wait is served.
for i in 1 2; do
	spawn "waits-$i" curl -sS --unix-socket "${AEGIS_API#unix:}" -H "Authorization: Bearer $AEGIS_API_TOKEN" \
	    -H 'Content-Type: application/json' -d "{\"file\": \"$T/go\"}" 'http://localhost/v1/call/echo-service/until?timeout=5m'
done
both() { [ "$(executed until)" -eq 2 ]; }
until_true 5 both
posts 503 porter /v1/call/echo-service/who '{}'
error_is SERVICE_UNAVAILABLE
head_says 'Retry-After: '
gets 200 porter /v1/status
touch "$T/go"
for i in 1 2; do
	wait "$(cat "$T/waits-$i.pid")" || fail "a waiting call was not answered"
	grep -q "$T/go" "$T/waits-$i.out" || fail "a waiting call: $(cat "$T/waits-$i.out")"
done

# NATS away: calls fail at once and say that they were not executed; an event waits for as long as it
# may, and is stored once when NATS is back.
posts 201 porter /v1/events/order/created '{"id": 1}'
end nats KILL
away() { gets 200 porter /v1/status; grep -q '"connected":false' "$T/body"; }
until_true 10 away
posts 503 porter '/v1/call/echo-service/who?timeout=1m' '{}'
error_is SERVICE_UNAVAILABLE
posts 503 porter '/v1/commands/echo-service/pack?timeout=1m' '{}'
posts 504 porter '/v1/events/order/created?timeout=300ms' '{"id": 2}'
error_is TIMEOUT
(posts 201 porter '/v1/events/order/created?timeout=5m' '{"id": 3}' && cp "$T/body" "$T/stored") >"$T/patient.out" 2>&1 &
patient=$!
sleep 0.5	# it waits: nothing is to be seen of that
[ ! -e "$T/stored" ] || fail "an event was stored without NATS"
nats_again
wait $patient || fail "the event that waited: $(cat "$T/patient.out")"
is '[2,false]' '[m.seq, m.duplicate]' "$T/stored"
node "$S/nats.mjs" stream EVENTS >"$T/stream"
is 2 m.state.messages "$T/stream"
back() { api porter /v1/call/echo-service/who -X POST; [ "$status" = 200 ]; }
until_true 10 back

# Other places, and none.
porter web --name web-porter --instance-id w --local-api http
. "$T/web.env"
[ "${AEGIS_API%:*}" = http://127.0.0.1 ] || fail "AEGIS_API is $AEGIS_API"
gets 200 web /v1/status
porter fixed --name fixed-porter --instance-id f --local-api "unix:$T/own.sock"
gets 200 fixed /v1/status
[ "$AEGIS_API" = "unix:$T/own.sock" ] || fail "AEGIS_API is $AEGIS_API"
code 2 "$AEGIS" run-service --name other --local-api "unix:$T/own.sock" -- true
says stderr 'somebody else does'
end fixed KILL
test -S "$T/own.sock" || fail "the killed wrapper's socket is not there, so the next line proves nothing"
porter again --name fixed-porter --instance-id f2 --local-api "unix:$T/own.sock"
gets 200 again /v1/status
XDG_RUNTIME_DIR=$T/nowhere porter lost --name lost-porter --instance-id l
. "$T/lost.env"
[ "${AEGIS_API%:*}" = http://127.0.0.1 ] || fail "without a place for a socket AEGIS_API is $AEGIS_API"
until_true 10 log_has lost 'listens on a port'
AEGIS_API=inherited AEGIS_API_TOKEN=inherited "$AEGIS" run-service --name none --local-api none -- env >"$T/none"
! grep -q AEGIS_API "$T/none" || fail "a program without a local API has its variables: $(grep AEGIS_API "$T/none")"
code 2 "$AEGIS" run-service --name other --local-api tcp://0.0.0.0:80 -- true
says stderr '--local-api'
