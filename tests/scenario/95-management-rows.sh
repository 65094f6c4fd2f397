# The management API as Python clients know it: every row of wire.md §11, status by status and field by
# field (rows.mjs); a record of each kind that Python wrote, and one of an aegis instance; two
# replicas tell the same; without NATS all data routes say 503 within a second, and a little later
# everything is back.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

a=$(free_port) b=$(free_port)
for x in $a $b; do
	spawn "api$x" "$AEGIS" serve-api --listen "http://127.0.0.1:$x"
done
ask() {
	curl -sS -m 120 -D "$T/head" -o "$T/body" -w '%{http_code}' -H "Authorization: Bearer $(cat "$T/token")" "$@"
}
status() {
	[ "$(ask "${@:2}")" = "$1" ]
}
touch "$T/token"
until_true 10 status 200 "http://127.0.0.1:$a/readyz"
until_true 10 status 200 "http://127.0.0.1:$b/readyz"
"$AEGIS" token create --role operator --json >"$T/made"
node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).token' "$T/made" >"$T/token"
node "$S/rows.mjs" "http://127.0.0.1:$a" "$T/token"

# An aegis instance, and both replicas.
wrap shop --name shop --instance-id shop-1 --app-stdio -- node "$S/app.mjs" stdio
both() {
	[ "$(ask "http://127.0.0.1:$a$1")" = 200 ] && cp "$T/body" "$T/one" && tag=$(grep -i '^etag:' "$T/head") &&
	    [ "$(ask "http://127.0.0.1:$b$1")" = 200 ] && cmp "$T/one" "$T/body" && [ "$tag" = "$(grep -i '^etag:' "$T/head")" ]
}
seen() {
	status 200 "http://127.0.0.1:$a/api/instances/shop/shop-1"
}
until_true 10 seen
json 'v.serviceName === "shop" && v.status === "ACTIVE" && Object.keys(v).length >= 7 && v.metadata.nonce.length > 0' body
until_true 10 both /api/instances
until_true 10 both /api/services

# One request that comes twice, to different replicas, is done once.
twice='{"service_name":"twice-service","owner":"o","description":"d","version":"1.0.0"}'
status 201 -H 'Idempotency-Key: once' --json "$twice" "http://127.0.0.1:$a/api/services" || fail "$(cat "$T/body")"
cp "$T/body" "$T/one"
status 201 -H 'Idempotency-Key: once' --json "$twice" "http://127.0.0.1:$b/api/services" || fail "$(cat "$T/body")"
cmp "$T/one" "$T/body" || fail 'another answer'
status 409 -H 'Idempotency-Key: other' --json "$twice" "http://127.0.0.1:$b/api/services" || fail "$(cat "$T/body")"
status 204 -X DELETE "http://127.0.0.1:$b/api/services/twice-service" || fail "$(cat "$T/body")"

# Without NATS.
end nats KILL
# Those promise a second; a busy machine gets more, and who asks NATS in vain takes five.
gone_within() {
	status_time=$(ask -w '%{http_code} %{time_total}' "$@")
	[ "${status_time% *}" = 503 ] && [ "$(cut -d. -f1 <<<"${status_time#* }")" -lt 4 ] &&
	    json 'v.error.code === "SERVICE_UNAVAILABLE" && v.error.details === null' body &&
	    grep -qi '^retry-after:' "$T/head"
}
until_true 2 gone_within "http://127.0.0.1:$a/api/instances"
for path in services services/x services/x/revision services/x/history instances instances/shop instances/shop/shop-1 \
    instances/health/summary instances/status/ACTIVE; do
	gone_within "http://127.0.0.1:$a/api/$path" || fail "$path: $(cat "$T/head" "$T/body")"
done
gone_within -X PUT --json '{"owner":"o"}' "http://127.0.0.1:$a/api/services/x" || fail "$(cat "$T/body")"
gone_within -X DELETE "http://127.0.0.1:$a/api/services/x" || fail "$(cat "$T/body")"
gone_within --json '{"service_name":"abc","owner":"o","description":"d","version":"1.0.0"}' "http://127.0.0.1:$a/api/services" ||
    fail "$(cat "$T/body")"
nats_again
until_true 10 status 200 "http://127.0.0.1:$a/api/instances"

# Somebody removes the bucket: it is made again.
bus bucket-rm service_registry
until_true 40 node "$S/bucket.mjs" keys
until_true 10 status 200 "http://127.0.0.1:$a/api/services"
status 201 --json '{"service_name":"again-service","owner":"o","description":"d","version":"1.0.0"}' "http://127.0.0.1:$a/api/services" ||
    fail "$(cat "$T/body")"

# Reading only.
end "api$b"
spawn reader "$AEGIS" serve-api --listen "http://127.0.0.1:$b" --read-only
until_true 10 status 200 "http://127.0.0.1:$b/api/services"
status 403 --json '{"service_name":"abc","owner":"o","description":"d","version":"1.0.0"}' "http://127.0.0.1:$b/api/services" ||
    fail 'a reader writes'
json 'v.error.code === "HTTP_403" && v.detail.includes("--read-only")' body
