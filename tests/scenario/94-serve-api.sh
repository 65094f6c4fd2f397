# The management service as a process: it starts without NATS and says that it is not ready, is ready
# once NATS is there, stays alive and says why it is not ready while NATS is gone or stands still,
# and ends in good order.  A second listener answers probes alone.
. "$(dirname "$0")/../support/lib.sh"

port=$(free_port) health=$(free_port) bus=$(free_port)
url=http://127.0.0.1:$port
export NATS_URL=nats://127.0.0.1:$bus

# status EXPECTED PATH [BASE]
status() {
	[ "$(curl -sS -o "$T/body" -w '%{http_code}' "${3:-$url}$2")" = "$1" ]
}

code 2 "$AEGIS" serve-api --listen http://0.0.0.0:8100
says stderr 'http://0.0.0.0:8100'
code 2 "$AEGIS" serve-api --listen 127.0.0.1:8100
says stderr 'http://127.0.0.1:8100'

API_PORT=$port spawn api "$AEGIS" serve-api --health-listen "http://127.0.0.1:$health"
until_true 10 status 200 /livez
status 200 /startupz || fail 'it does not say that it started'
status 503 /readyz || fail 'it says that it is ready without NATS'
json 'v.error.code === "SERVICE_UNAVAILABLE" && v.status === 503 && v.detail.includes("NATS")' body
code 2 "$AEGIS" serve-api --listen "$url"
says stderr "$port"

# The same address for NATS, from now on with somebody behind it.
nats_start nats "$NATS_SERVER"
end nats
sed -i "s/^port: .*/port: $bus/" "$T/nats.conf"
nats_again
until_true 10 status 200 /readyz
status 200 /readyz "http://127.0.0.1:$health" || fail 'the second listener is not ready'
status 404 /api/services "http://127.0.0.1:$health" || fail 'the second listener serves more than health'
status 200 '/readyz?verbose' || fail 'no list of checks'
says body '[+] nats: ok'
status 422 '/readyz?exclude=nosuch' || fail 'an unknown check is left out in silence'
says body nosuch

# Frozen: the connection stands, but nobody answers.
kill -STOP "$(cat "$T/nats.pid")"
until_true 5 status 503 /readyz
status 200 /livez || fail 'not alive because NATS is not'
status 200 '/readyz?exclude=nats,watch' || fail 'the checks that failed cannot be left out'
kill -CONT "$(cat "$T/nats.pid")"
until_true 10 status 200 /readyz

end nats KILL
until_true 5 status 503 '/readyz?verbose'
says body '[-] nats'
nats_again
until_true 10 status 200 /readyz

end api
[ "$rc" -eq 0 ] || fail "exit code $rc"
