# Strangers and bad neighbours: what is sent to the management API without a credential, and what anybody who reaches
# NATS writes into the registry, is refused or shown, and never ends the service.
. "$(dirname "$0")/../support/lib.sh"
nats_start

url=http://127.0.0.1:$(free_port)
spawn api "$AEGIS" serve-api --listen "$url"
status() {
	expected=$1
	shift
	[ "$(curl -sS -o "$T/body" -w '%{http_code}' --max-time 120 "$@")" = "$expected" ]
}
until_true 10 status 200 "$url/readyz"
token=$("$AEGIS" token create --role viewer --json | node -p 'JSON.parse(require("fs").readFileSync(0)).token')
viewer=(-H "Authorization: Bearer $token")
alive() {
	status 200 "$url/livez" || fail "the service ended after: $1"
}

# A member's name that is cut off within a character, before anybody asked who it is.
for n in 62 63 64; do
	long=$(printf "%${n}s" '' | tr ' ' a)
	status 422 -H 'Content-Type: application/json' -d "{\"${long}é\":1}" "$url/api/session" || alive 'a long name'
	json "v.details === undefined && v.error.details.errors[0].field.startsWith('body.aaa')" body
done

# A record as deep as records may be (32): it lies one level deeper in a list.
deep=$(node -p '"[".repeat(30) + "1" + "]".repeat(30)')
js instance order-service deep 0 "{\"metadata\":{\"a\":$deep}}" >/dev/null
js instance order-service odd 0 '{"stickyActiveGroup":"a/b\nevent: x\n\n</script>"}' >/dev/null
both() {
	status 200 "${viewer[@]}" "$url/api/instances" && [ "$(node -p 'JSON.parse(require("fs").readFileSync(0)).length' <"$T/body")" = 2 ]
}
until_true 10 both || alive 'a deep record'
json 'v.every(x => x !== null && x.serviceName === "order-service")' body
for path in /api/instances/order-service /api/instances/order-service/deep /api/metrics /api/overview /api/instances/order-service/deep/config; do
	status 200 "${viewer[@]}" "$url$path" || fail "$path: $(head -c 300 "$T/body")"
done

end api
[ "$rc" -eq 0 ] || fail "the service ended with $rc"
