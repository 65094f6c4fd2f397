#!/bin/bash
# Central settings over the management API: as the terminal writes them, with a condition on every write, each mistake at its
# place in the body, history and going back; what one instance says that it runs with, 504 when it is silent; and a
# credential that is bound to a service sees and changes that one alone.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start
port=$(free_port)
U=http://127.0.0.1:$port
spawn api "$AEGIS" serve-api --listen "$U"
ready() {
	[ "$(curl -sS -o /dev/null -w '%{http_code}' "$U/readyz")" = 200 ]
}
until_true 10 ready
token() {
	"$AEGIS" token create --name "$1" "${@:2}" --json | js 'm.token'
}
OPERATOR=$(token op --role operator) VIEWER=$(token view --role viewer) BOUND=$(token bound --role operator --service shop)

# asked STATUS METHOD PATH [BODY [CURL-OPTION…]]: whether the status is that; the body in $T/body, the head in $T/head; as $AS,
# else the operator.  http: it must be.
asked() {
	local body=()
	[ -z "${4-}" ] || body=(-H 'Content-Type: application/json' -d "$4")
	status=$(curl -sS -m 120 -D "$T/head" -o "$T/body" -w '%{http_code}' -X "$2" -H "Authorization: Bearer ${AS:-$OPERATOR}" "${body[@]}" \
	    "${@:5}" "$U$3")
	[ "$status" = "$1" ]
}
http() {
	asked "$@" || { cat "$T/head" "$T/body" >&2; fail "$2 $3: $status, not $1"; }
}
tag() {
	sed -n 's/^ETag: "\([0-9]*\)".*/\1/pI' "$T/head"
}
for AS in "$OPERATOR" "$VIEWER" "$BOUND"; do
	until_true 5 asked 200 GET /api/session
done
unset AS

# A page hears of each change.
spawn stream curl -sSN -H "Authorization: Bearer $VIEWER" "$U/api/events?topics=config"
until_true 10 grep -q 'event: snapshot' "$T/stream.out"

# --- documents ---
http 200 GET /api/config
is '[]' 'm' "$T/body"
http 404 GET /api/config/shop
http 404 GET /api/config/shop/history
http 428 PUT /api/config/shop '{"settings":{"max_queue":3}}'
http 422 PUT /api/config/shop '{"settings":{"max_queue":0}}' -H 'If-None-Match: *'
is '["/settings/max_queue",true]' '[m.errors[0].pointer, m.errors[0].detail.includes("allowed is 1 to")]' "$T/body"
http 422 PUT /api/config/shop '{"settings":{"max_queu":1}}' -H 'If-None-Match: *'
is true 'm.detail.includes("did you mean \u0027max_queue\u0027")' "$T/body"
http 422 PUT /api/config/shop '{"settings":{"ready_cmd":"x"}}' -H 'If-None-Match: *'
http 422 PUT /api/config/shop '{"settings":{"heartbeat_interval":"31s"}}' -H 'If-None-Match: *'
is '/settings' 'm.errors[0].pointer' "$T/body"
http 422 PUT /api/config/shop '{"setings":{}}' -H 'If-None-Match: *'
http 422 PUT /api/config/shop '{"settings":[]}' -H 'If-None-Match: *'
http 422 PUT /api/config/shop '[' -H 'If-None-Match: *'
http 200 PUT '/api/config/shop?dry_run=true' '{"settings":{"max_queue":3}}' -H 'If-None-Match: *'
http 404 GET /api/config/shop
http 200 PUT /api/config/shop '{"settings":{"max_queue":3,"workload":{"pool":20}}}' -H 'If-None-Match: *'
is '["shop",3,20,"op",false,null]' '[m.service, m.settings.max_queue, m.settings.workload.pool, m.updated_by, m.deleted, m.unreadable]' "$T/body"
first=$(tag)
http 412 PUT /api/config/shop '{"settings":{}}' -H 'If-None-Match: *'
http 304 GET /api/config/shop '' -H "If-None-Match: \"$first\""
http 200 PATCH /api/config/shop '{"settings":{"max_queue":null,"max_inflight":7,"workload":{"mode":"fast"}}}' -H "If-Match: \"$first\""
is '[null,7,20,"fast"]' '[m.settings.max_queue ?? null, m.settings.max_inflight, m.settings.workload.pool, m.settings.workload.mode]' "$T/body"
second=$(tag)
http 412 PATCH /api/config/shop '{"settings":{"max_inflight":8}}' -H "If-Match: \"$first\""
is '"CONCURRENT_UPDATE"' 'JSON.stringify(m.error.code)' "$T/body"
[ "$(tag)" = "$second" ] || fail "a 412 without the current tag: $(tag)"
code 0 "$AEGIS" config get --service shop --json
is "[$second,7]" '[m.revision, m.settings.max_inflight]' "$T/stdout"
http 200 GET /api/config/shop/history
is "[$second,$first]" 'm.map((d) => d.revision)' "$T/body"
http 404 POST /api/config/shop/revert '{"revision":999}' -H "If-Match: \"$second\""
http 422 POST /api/config/shop/revert '{"revision":0}' -H "If-Match: \"$second\""
http 200 POST /api/config/shop/revert "{\"revision\":$first}" -H "If-Match: \"$second\"" -H 'Idempotency-Key: back-1'
is '[3,null]' '[m.settings.max_queue, m.settings.max_inflight ?? null]' "$T/body"
third=$(tag)
# The same once more is not done once more; what only looks like it is refused.
http 200 POST /api/config/shop/revert "{\"revision\":$first}" -H "If-Match: \"$second\"" -H 'Idempotency-Key: back-1'
is "[$third,3]" '[m.revision, m.settings.max_queue]' "$T/body"
[ "$(tag)" = "$third" ] || fail "a repetition has another tag: $(tag)"
http 412 POST /api/config/shop/revert "{\"revision\":$first}" -H "If-Match: \"$second\""
http 412 POST /api/config/shop/revert "{\"revision\":$first}" -H "If-Match: \"$second\"" -H 'Idempotency-Key: back-2'
http 422 POST /api/config/shop/revert "{\"revision\":$second}" -H "If-Match: \"$second\"" -H 'Idempotency-Key: back-1'
http 422 POST /api/config/shop/revert "{\"revision\":$first}" -H "If-Match: \"$second\"" -H 'Idempotency-Key: a b'
http 200 GET /api/config/shop/history
is "[$third,$second,$first]" 'm.map((d) => d.revision)' "$T/body"
http 200 GET /api/config
is "[{\"service\":\"shop\",\"revision\":$third,\"updated_by\":\"op\"}]" 'm.map(({ service, revision, updated_by }) => ({ service, revision, updated_by }))' "$T/body"
http 200 GET /api/config-schema
is '["integer","at once","object",true]' '[m.properties.max_inflight.type, m.properties.max_inflight["x-applies"], m.properties.workload.type, m.properties.server === undefined]' "$T/body"
# Nonsense that somebody else stored is shown as such, and replaced.
node "$S/nats.mjs" put aegis_config shop nonsense >"$T/rev"
http 200 GET /api/config/shop
is '[null,true]' '[m.settings, m.unreadable.includes("cannot be read")]' "$T/body"
http 200 PUT /api/config/shop '{"settings":{"heartbeat_interval":"2s"}}' -H "If-Match: \"$(cat "$T/rev")\""

told() {
	grep -A 1 '^event: config' "$T/stream.out" | grep -qF "\"service\":\"shop\",\"revision\":$1}"
}
until_true 5 told "$third"
"$AEGIS" config set --service shop max_queue=4 --json >"$T/stdout"
until_true 5 told "$(js 'm.revision' "$T/stdout")"

# --- who may ---
AS=$VIEWER http 200 GET /api/config/shop
AS=$VIEWER http 403 PUT /api/config/shop '{"settings":{}}' -H "If-Match: \"$(tag)\""
"$AEGIS" config set --service other max_queue=1 >"$T/stdout"
AS=$BOUND http 200 GET /api/config
is '["shop"]' 'm.map((d) => d.service)' "$T/body"
AS=$BOUND http 403 GET /api/config/other
AS=$BOUND http 403 DELETE /api/config/other '' -H 'If-Match: "1"'

# --- an instance ---
wrap shop-1 --name shop --instance-id shop-1 --max-inflight 5 -- sleep 600
until_true 10 registered shop shop-1 ACTIVE
seen() {
	asked 200 GET /api/instances/shop/shop-1/settings
}
until_true 10 seen
is '["shop-1",["flag",5],["central","2s"],[]]' '((s) => [m.instance, [s("max_inflight").origin, s("max_inflight").value], [s("heartbeat_interval").origin,
    s("heartbeat_interval").value], m.pending])((k) => m.settings.find((x) => x.key === k))' "$T/body"
http 200 GET /api/config/shop
http 200 PATCH /api/config/shop '{"settings":{"restart":"always"}}' -H "If-Match: \"$(tag)\""
waits() {
	asked 200 GET /api/instances/shop/shop-1/settings && [ "$(js 'm.pending' "$T/body")" = '["restart"]' ]
}
until_true 2 waits
http 200 GET /api/instances/shop/shop-1/config
is '["serviceName,instanceId,config","shop","shop-1","string"]' '[Object.keys(m).join(), m.serviceName, m.instanceId, typeof m.config.nonce]' "$T/body"
http 404 GET /api/instances/shop/shop-2/settings
http 404 GET /api/instances/shop/shop-2/config
AS=$BOUND http 403 GET /api/instances/other/x/settings
kill -STOP "$(cat "$T/shop-1.pid")"
http 504 GET /api/instances/shop/shop-1/settings
is '"TIMEOUT"' 'JSON.stringify(m.error.code)' "$T/body"
kill -CONT "$(cat "$T/shop-1.pid")"
until_true 10 seen
# A Python member has a record, and answers no such question.
node "$S/nats.mjs" instance shop python-1
python_known() {
	asked 200 GET /api/instances/shop/python-1
}
until_true 5 python_known
http 504 GET /api/instances/shop/python-1/settings

# --- the end ---
http 200 GET /api/config/shop
http 428 DELETE /api/config/shop
http 412 DELETE /api/config/shop '' -H 'If-Match: "1"'
http 200 GET /api/config/shop
http 204 DELETE /api/config/shop '' -H "If-Match: \"$(tag)\""
http 404 GET /api/config/shop
http 200 GET /api/config/shop/history
is '[true,null]' '[m[0].deleted, m[0].settings]' "$T/body"
http 200 PUT /api/config/shop '{"settings":{}}' -H 'If-None-Match: *'
end nats KILL
away() {
	asked 503 GET /api/config/shop
}
until_true 5 away
http 503 GET /api/config
http 200 GET /api/config-schema
