# The registry record follows the program: nothing before it is ready, subscriptions first,
# seven fields, a time-to-live and a roll-up on every put, a true status at every heartbeat,
# and a purge with a broadcast at the end.  Seen by the JavaScript client.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"

nats_start nats "$NATS_SERVER" "trace: true"
listen bus '$KV.service_registry.>' 'internal.>'
port=$(free_port)
wrap w --name order-service --instance-id o-1 --version 1.2.3 --metadata zone=z1 --metadata service_type=mine --service-type other --heartbeat-interval 500ms \
    --app-port "$port" --ready-http /ready -- node "$S/app.mjs" http "$port"

# Not ready: it runs and is asked, but nobody hears of it.  Half a second of nothing.
until_true 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
sleep 0.5
[ "$(grep -c subject "$T/bus.out" || :)" -eq 0 ] || fail "something was published before the program was ready"

touch "$APP_READY"
until_true 5 registered order-service o-1 ACTIVE

# On the wire: the RPC subscriptions precede the first put.
awk '/<<- \[SUB rpc\.order-service\./ { subs++ } /<<- \[HPUB \$KV\.service_registry/ { exit } END { exit subs < 2 }' \
    "$T/nats.log" || fail "registered before it had subscribed"

bus record order-service o-1 >"$T/record"
is '["serviceName","instanceId","version","status","lastHeartbeat","stickyActiveGroup","metadata"]' \
    'Object.keys(m.json)' "$T/record"
is '["order-service","o-1","1.2.3","ACTIVE",null,"z1",true,"string","mine"]' '[m.json.serviceName, m.json.instanceId,
    m.json.version, m.json.status, m.json.stickyActiveGroup, m.json.metadata.zone, m.json.metadata.direct_rpc,
    typeof m.json.metadata.nonce, m.json.metadata.service_type]' "$T/record"
is true 'JSON.stringify(m.json) === m.text' "$T/record"
is true '/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/.test(m.json.lastHeartbeat)' "$T/record"

# Twelve heartbeats: each a put of the truth, at its own moment.
until_true 10 bash -c "[ \$(grep -c 'subject\":\".KV' '$T/bus.out') -ge 13 ]"
end w
[ "$rc" -eq 143 ] || fail "exit $rc, not 128+15"
until_true 5 grep -q unregister "$T/bus.out"

grep '"subject":"\$KV' "$T/bus.out" >"$T/puts"
grep -v PURGE "$T/puts" >"$T/beats"
is '["30s"]' '[...new Set(l.map((x) => x.headers["Nats-TTL"]))]' "$T/beats"
is '["sub"]' '[...new Set(l.map((x) => x.headers["Nats-Rollup"]))]' "$T/beats"
is '["ACTIVE"]' '[...new Set(l.map((x) => x.json.status))]' "$T/beats"
is true 'l.every((x) => "Nats-Expected-Last-Subject-Sequence" in x.headers)' "$T/beats"
is true '(() => { const d = l.slice(1).map((x, i) => Date.parse(x.json.lastHeartbeat.slice(0, 23) + "Z") -
    Date.parse(l[i].json.lastHeartbeat.slice(0, 23) + "Z"));
    return Math.min(...d) >= 440 && Math.max(...d) - Math.min(...d) >= 5; })()' "$T/beats"

# The end: a marker that replaces everything and vanishes by itself.
tail -n 1 "$T/puts" >"$T/last"
is '["PURGE","sub",true,0]' '[m.headers["KV-Operation"], m.headers["Nats-Rollup"], "Nats-TTL" in m.headers, m.size]' "$T/last"
bus record order-service o-1 >"$T/record"
is 'PURGE' 'm.headers["KV-Operation"]' "$T/record"
code 0 "$AEGIS" registry ls --all --json
is '[]' m "$T/stdout"

# One of each broadcast, in Python's JSON, and the purge before the farewell.
is 1 'l.filter((x) => x.subject === "internal.registry.register").length' "$T/bus.out"
is 1 'l.filter((x) => x.subject === "internal.registry.unregister").length' "$T/bus.out"
is true 'l.filter((x) => /registry/.test(x.subject) && !/KV/.test(x.subject)).every((x) =>
    /^\{"service_name": "order-service", "instance_id": "o-1", "timestamp": \d+\.\d+\}$/.test(x.text))' "$T/bus.out"
is 'internal.registry.unregister' 'l.at(-1).subject' "$T/bus.out"
is true 'l.some((x) => x.subject === "internal.heartbeat.order-service")' "$T/bus.out"
