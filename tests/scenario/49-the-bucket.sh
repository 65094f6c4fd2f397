# The bucket: made as the Python SDK makes it, and as large in consumers as aegis needs; one
# that is there already stays as it is, but for the expiry of single records, which is
# switched on; nothing but instances and definitions is ever put into it.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

session() {
	wrap "w$1" --name order-service --instance-id o-1 --app-stdio -- node "$S/app.mjs" stdio
	until_true 10 registered order-service o-1 ACTIVE
	echo '{"service_name": "order-service", "owner": "me", "description": "d", "version": "1.0.0"}' |
	    "$AEGIS" registry put - >/dev/null
	answers order-service who || fail "exit $rc"
	node "$S/bucket.mjs" keys >"$T/keys"
	is '["$KV.service_registry.order-service","$KV.service_registry.service-instances__order-service__o-1"]' m "$T/keys"
	end "w$1"
	until_true 10 not registered order-service o-1
}
session 1
node "$S/bucket.mjs" show >"$T/made"
is '{"retention":"limits","storage":"file","discard":"new","num_replicas":1,"max_msgs_per_subject":10,"max_msg_size":1048576,"max_age":0,"max_consumers":100000,"allow_direct":true,"allow_rollup_hdrs":true,"deny_delete":true,"deny_purge":false,"allow_msg_ttl":true}' \
    'Object.fromEntries("retention storage discard num_replicas max_msgs_per_subject max_msg_size max_age max_consumers allow_direct allow_rollup_hdrs deny_delete deny_purge allow_msg_ttl".split(" ").map((k) => [k, m[k]]))' \
    "$T/made"
is '["$KV.service_registry.>"]' m.subjects "$T/made"
is true '!m.subject_delete_marker_ttl' "$T/made"

# As an older Python made it: other limits, no expiry of single records.
bus bucket-rm service_registry
node "$S/bucket.mjs" make '{"max_msgs_per_subject": 4, "max_msg_size": 65536, "max_age": 86400000000000, "discard": "new",
    "allow_direct": true, "allow_rollup_hdrs": true, "deny_delete": true, "description": "made elsewhere"}' >"$T/before"
session 2
node "$S/bucket.mjs" show >"$T/after"
changed=$(js "(() => { const b = $(cat "$T/before"); return [...new Set([...Object.keys(b), ...Object.keys(m)])].filter((k) =>
    JSON.stringify(b[k]) !== JSON.stringify(m[k])); })()" "$T/after")
[ "$changed" = '["allow_msg_ttl"]' ] || fail "an existing bucket was changed in $changed"
says w2.log 'max_age'
