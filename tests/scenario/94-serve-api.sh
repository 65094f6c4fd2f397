# The management service as a process: it starts without NATS and says that it is not ready, is ready
# once NATS is there, stays alive and says why it is not ready while NATS is gone or stands still,
# and ends in good order.  A second listener answers probes alone.
. "$(dirname "$0")/../support/lib.sh"

here=$(free_port) health=$(free_port) bus=$(free_port)
url=http://127.0.0.1:$here
export NATS_URL=nats://127.0.0.1:$bus

# status EXPECTED PATH [BASE]
status() {
	[ "$(curl -sS -o "$T/body" -w '%{http_code}' "${3:-$url}$2")" = "$1" ]
}

code 2 "$AEGIS" serve-api --listen http://0.0.0.0:8100
says stderr 'http://0.0.0.0:8100'
says stderr --no-tls-needed
code 2 "$AEGIS" serve-api --listen 127.0.0.1:8100
says stderr 'http://127.0.0.1:8100'
code 2 "$AEGIS" serve-api --listen https://0.0.0.0:8100
says stderr --http-tls-cert

API_PORT=$here spawn api "$AEGIS" serve-api --health-listen "http://127.0.0.1:$health"
until_true 10 status 200 /livez
status 200 /startupz || fail 'it does not say that it started'
status 503 /readyz || fail 'it says that it is ready without NATS'
json 'v.error.code === "SERVICE_UNAVAILABLE" && v.status === 503 && v.detail.includes("NATS")' body
code 2 "$AEGIS" serve-api --listen "$url"
says stderr "$here"

# The same address for NATS, from now on with somebody behind it.
nats_start nats "$NATS_SERVER"
end nats
sed -i "s/^port: .*/port: $bus/" "$T/nats.conf"
export NATS_URL=nats://127.0.0.1:$bus
nats_again
until_true 10 status 200 /readyz
# What somebody changes from the terminal is in its trail from now on.
trail() {
	js streams >"$T/streams" && grep -q AEGIS_AUDIT "$T/streams"
}
until_true 10 trail
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

# TLS: everything as before, by a certificate that is replaced while it runs; a bad one is refused and
# the old one stays.
pair() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
	    -addext 'subjectAltName=IP:127.0.0.1' -keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null
}
subject() {
	openssl s_client -connect "127.0.0.1:$here" </dev/null >"$T/shown" 2>/dev/null
	openssl x509 -noout -subject <"$T/shown" >"$T/subject" 2>&1 && grep -q "$1" "$T/subject"
}
pair first
url=https://127.0.0.1:$here
spawn tls "$AEGIS" serve-api --listen "$url" --http-tls-cert "$T/cert.pem" --http-tls-key "$T/key.pem"
safe() {
	[ "$(curl -sS --cacert "$T/cert.pem" -D "$T/head" -o "$T/body" -w '%{http_code}' "$url$2")" = "$1" ]
}
until_true 10 safe 200 /readyz
says head Strict-Transport-Security
subject first || fail 'another certificate'
pair second
kill -HUP "$(cat "$T/tls.pid")"
until_true 5 subject second
echo nonsense >"$T/cert.pem"
kill -HUP "$(cat "$T/tls.pid")"
until_true 5 grep -q 'old certificate stays' "$T/tls.log"
subject second || fail 'the certificate went with the bad file'
end tls
[ "$rc" -eq 0 ] || fail "exit code $rc"
code 2 "$AEGIS" serve-api --listen "$url" --http-tls-cert "$T/cert.pem"
says stderr cert.pem
