# The heartbeat broadcast: Python's JSON, counters and summaries equal to the calls made, a
# true uptime, and never more than 64 methods by name; events and commands likewise.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start
listen bus 'internal.heartbeat.>'

wrap w --name order-service --instance-id o-1 --heartbeat-interval 500ms --app-stdio -- node "$S/app.mjs" stdio
until_true 10 registered order-service o-1 ACTIVE
began=$(now_ms)
answers order-service echo '{}' --count 25 || fail "exit $rc"
for _ in 1 2 3; do
	call order-service fail '{"text": "no"}'
done
last() {
	tail -n 1 "$T/bus.out" >"$T/last"
	[ "$(js "$1" "$T/last")" = true ]
}
until_true 10 last 'm.json.metrics.counters["rpc.order-service.fail.error"] === 3'
is internal.heartbeat.order-service m.subject "$T/last"
is '["instance_id","timestamp","metrics"]' 'Object.keys(m.json)' "$T/last"
is '["uptime_seconds","counters","gauges","summaries"]' 'Object.keys(m.json.metrics)' "$T/last"
is true '/^\{"instance_id": "o-1", "timestamp": \d+\.\d+, "metrics": \{"uptime_seconds": \d+\.\d+, "counters": \{"/.test(m.text)' \
    "$T/last"
is true 'Math.abs(m.json.timestamp - m.at / 1000) < 60' "$T/last"
is '[25,0,0,3]' '["echo.success", "echo.error", "fail.success", "fail.error"].map((x) =>
    m.json.metrics.counters["rpc.order-service." + x])' "$T/last"
is '["count","average","min","max","p50","p90","p99"]' 'Object.keys(m.json.metrics.summaries["rpc.order-service.echo"])' "$T/last"
is '[25,true]' '(() => { const s = m.json.metrics.summaries["rpc.order-service.echo"];
    return [s.count, s.min <= s.p50 && s.p50 <= s.p90 && s.p90 <= s.p99 && s.p99 <= s.max * 1.02 && s.average > 0]; })()' "$T/last"
is 1 'm.json.metrics.gauges["nats.connections"]' "$T/last"
# The uptime moves as time does.
up=$(js m.json.metrics.uptime_seconds "$T/last")
most=$((($(now_ms) - began) / 1000 + 30))
js "$up > 0 && $up < $most" "$T/last" | grep -q true || fail "uptime $up"
until_true 10 last "m.json.metrics.uptime_seconds >= $up + 1"

# Seventy names: 64 of them are told apart, the rest is one.
for n in $(seq 1 70); do echo "m$n"; done >"$T/names"
node "$S/many.mjs" order-service "$T/names"
until_true 10 last 'Object.keys(m.json.metrics.summaries).length === 65'
is 8 'm.json.metrics.summaries["rpc.order-service._other"].count' "$T/last"
is 98 'Object.values(m.json.metrics.summaries).reduce((n, s) => n + s.count, 0)' "$T/last"

# A wrapper's events and commands, beside its calls.
listen figures internal.heartbeat.mailer
wrap f --name mailer --instance-id f-1 --heartbeat-interval 500ms --app-stdio --event 'events.order.*' --command digest -- \
    node "$S/events.mjs" app
until_true 10 registered mailer f-1 ACTIVE
for _ in 1 2 3; do
	"$AEGIS" event publish order created '{"i": 1}' >"$T/stdout"
done
for _ in 1 2; do
	"$AEGIS" command send mailer digest '{}' --wait 2m >"$T/stdout"
done
figures() {
	tail -n 1 "$T/figures.out" >"$T/last"
	[ "$(js "$1" "$T/last")" = true ]
}
until_true 10 figures 'm.json.metrics.counters["events.processed.order.created"] === 3'
until_true 10 figures 'm.json.metrics.gauges["commands.mailer.digest.in_flight"] === 0'
is '[0,2,0]' '["events.errors", "commands.processed.mailer.digest", "commands.errors"].map((x) => m.json.metrics.counters[x])' "$T/last"
is '[2,true]' '(() => { const s = m.json.metrics.summaries["commands.mailer.digest"]; return [s.count, s.average > 0]; })()' "$T/last"
is '[0,0]' '["events.in_flight", "commands.mailer.digest.queue_depth"].map((x) => m.json.metrics.gauges[x])' "$T/last"
