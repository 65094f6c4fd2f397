# The management service behind a proxy: under a base path, with the proxy's word about clients, schemes and
# hosts, which nobody else's is; its cookie by TLS as browsers want it; a page of a listed origin; the
# page from a folder; and a service manager that hears when it is ready.
. "$(dirname "$0")/../support/lib.sh"
nats_start

port=$(free_port) safe=$(free_port)
url=http://127.0.0.1:$port/desk/aegis
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=here \
    -addext 'subjectAltName=IP:127.0.0.1,DNS:desk.example' -keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null
mkdir -p "$T/ui/assets"
echo '<!doctype html><meta name="base" content="/"><script src="/assets/mine.js"></script>' >"$T/ui/index.html"
echo 'let mine;' >"$T/ui/assets/mine.js"
ln -s /etc/passwd "$T/ui/assets/passwd.js"

code 2 "$AEGIS" serve-api --base-path desk/
says stderr --base-path
code 2 "$AEGIS" serve-api --trusted-proxy 127.0.0.1/8
says stderr --trusted-proxy
code 2 "$AEGIS" serve-api --cors-origin 'https://x/y'
says stderr --cors-origin
code 2 "$AEGIS" serve-api --ui-dir "$T"
says stderr index.html

# run-service is its service manager here.
spawn api "$AEGIS" run-service --name front --ready-notify -- "$AEGIS" serve-api --log-level debug --listen "http://127.0.0.1:$port" \
    --listen "https://127.0.0.1:$safe" --http-tls-cert "$T/cert.pem" --http-tls-key "$T/key.pem" --base-path /desk/aegis \
    --trusted-proxy 127.0.0.1 --cors-origin https://other.example --ui-dir "$T/ui"
until_true 20 grep -q runner.child_ready "$T/api.log"
# ask STATUS PATH ARGUMENTS…
ask() {
	local want=$1 path=$2 got
	shift 2
	got=$(curl -sS -D "$T/head" -o "$T/body" -w '%{http_code}' "$@" "$url$path")
	[ "$got" = "$want" ]
}
until_true 10 ask 200 /readyz
ask 200 / || fail 'no page'
says body 'content="/desk/aegis/"'
says body 'src="/desk/aegis/assets/mine.js"'
ask 200 /assets/mine.js || fail 'no file of the folder'
ask 404 /assets/passwd.js || fail 'a file beyond the folder'
ask 404 /assets/..%2findex.html || fail 'a path beyond the folder'
[ "$(curl -sS -o "$T/body" -w '%{http_code}' "http://127.0.0.1:$port/readyz")" = 404 ] || fail 'a path without the base'
says body 'paths begin with /desk/aegis/ here'

token=$("$AEGIS" token create --role admin --name me --json | node -p 'JSON.parse(require("fs").readFileSync(0)).token')
auth="Authorization: Bearer $token"
until_true 5 ask 200 /api/session -H "$auth"

# The id goes through all of it.
ask 201 /api/services -H "$auth" -H 'X-Request-Id: trip-7' -H 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' -H 'X-Forwarded-For: 6.6.6.6, 203.0.113.9' --json \
    '{"service_name":"order-service","owner":"me","description":"d","version":"1.0.0"}' || fail 'not created'
grep -qi '^X-Request-Id: trip-7' "$T/head" || fail 'another id in the answer'
grep -qi '^Location: /desk/aegis/api/services/order-service' "$T/head" || fail 'a Location beyond the base'
ask 200 /api/audit -H "$auth" || fail 'no trail'
json 'v.some((x) => x.request_id === "trip-7" && x.peer === "203.0.113.9")' body
until_true 5 grep -q '"request_id":"trip-7"' "$T/api.log"
ask 409 /api/services -H "$auth" -H 'X-Request-Id: trip-8' --json '{"service_name":"order-service","owner":"me","description":"d","version":"1.0.0"}' ||
    fail 'created twice'
json 'v.request_id === "trip-8"' body

# By the proxy's word it is TLS, and another host; somebody else's word is nothing.
login() {
	ask 200 /api/session -H 'Content-Type: application/json' -d "{\"token\":\"$token\"}" "$@"
}
login -H 'X-Forwarded-Proto: https' || fail 'no login'
grep -qi '^Set-Cookie: __Host-aegis=[0-9a-f]*; Path=/; HttpOnly; SameSite=Strict; Secure' "$T/head" || fail 'the cookie of plain HTTP'
grep -qi '^Strict-Transport-Security: ' "$T/head" || fail 'no HSTS'
login --interface 127.0.0.2 -H 'X-Forwarded-Proto: https' || fail 'no login'
grep -qi '^Set-Cookie: aegis=[0-9a-f]*; Path=/; HttpOnly; SameSite=Strict.$' "$T/head" || fail 'anybody is believed'
grep -qi '^Strict-Transport-Security: ' "$T/head" && fail 'HSTS on plain HTTP'
login -H 'Origin: https://desk.example' -H 'X-Forwarded-Host: desk.example' -H 'X-Forwarded-Proto: https' || fail 'its own page is foreign'
ask 403 /api/session -H 'Content-Type: application/json' -d "{\"token\":\"$token\"}" --interface 127.0.0.2 -H 'Origin: https://desk.example' \
    -H 'X-Forwarded-Host: desk.example' || fail 'a foreign page'

# The throttle goes by the client, not by the proxy.
bad=aeg_$(printf '0123456789abcdef%.0s' 1 2 3 4)
throttled() {
	ask 429 /api/tokens -H "Authorization: Bearer $bad" -H 'X-Forwarded-For: 203.0.113.66'
}
until_true 20 throttled
ask 401 /api/tokens -H "Authorization: Bearer $bad" -H 'X-Forwarded-For: 203.0.113.67' || fail 'one guesser locks others out'

# A page elsewhere may read with a token of its own.
ask 204 /api/services -X OPTIONS -H 'Origin: https://other.example' -H 'Access-Control-Request-Method: GET' || fail 'no preflight'
grep -qi '^Access-Control-Allow-Origin: https://other.example' "$T/head" || fail 'not let'
ask 200 /api/services -H "$auth" -H 'Origin: https://third.example' || fail 'no list'
grep -qi '^Access-Control' "$T/head" && fail 'anybody is let'

# By TLS itself, with the rules for cookies as curl has them, which are those of browsers.
jar=(--cacert "$T/cert.pem" -c "$T/jar" -b "$T/jar" --resolve "desk.example:$safe:127.0.0.1")
url=https://desk.example:$safe/desk/aegis
login "${jar[@]}" || fail 'no login by TLS'
grep -q '__Host-aegis' "$T/jar" || fail 'curl does not take the cookie'
grep -qi '^Strict-Transport-Security: max-age=31536000' "$T/head" || fail 'no HSTS'
ask 200 /api/session "${jar[@]}" || fail 'the cookie does not let in'
json 'v.via === "cookie" && v.role === "admin"' body
ask 403 /api/services/order-service "${jar[@]}" -X DELETE -H 'Origin: https://evil.example' || fail 'a foreign page removes it'
ask 204 /api/services/order-service "${jar[@]}" -X DELETE -H "Origin: https://desk.example:$safe" -H 'Sec-Fetch-Site: same-origin' ||
    fail 'its own page cannot'
# Sent in the clear, it is not ours: browsers would not send it there.
value=$(sed -n 's/.*__Host-aegis[[:space:]]*//p' "$T/jar")
url=http://127.0.0.1:$port/desk/aegis
ask 401 /api/session -H "Cookie: __Host-aegis=$value" || fail 'the cookie of TLS on plain HTTP'
url=https://127.0.0.1:$safe/desk/aegis
ask 401 /api/session --cacert "$T/cert.pem" -H "Cookie: aegis=$value" || fail 'a cookie without its prefix by TLS'

end api
[ "$rc" -eq 0 ] || fail "exit code $rc"
