#!/bin/bash
# From an order to a position: two instances of risk count each accepted order once, tell it once,
# and the order is booked; a limit given to one holds in both; a JavaScript sender has the
# positions recalculated, and sees progress, warnings and the end, or cancels it.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/events.sh"
. "$(dirname "$0")/../support/commands.sh"
. "$(dirname "$0")/../support/demo.sh"
nats_start
demo pricing p-1
demo risk r-1
demo risk r-2
demo order o-1
until_true 10 ready_for risk-service__events=order=created==r-1
until_true 10 ready_for risk-service__events=order=created==r-2
until_true 10 ready_for order-service__events=risk=position_updated==o-1
python positions watcher 'events.risk.position_updated'
python warnings watcher-2 'events.risk.limit_exceeded'

until_true 10 order XYZ 30
first=$id
until_true 10 position r-1 XYZ 30
until_true 10 position r-2 XYZ 30
until_true 10 order_is "$first" booked
order XYZ 10 sell
until_true 10 position r-1 XYZ 20
until_true 10 position r-2 XYZ 20
until_true 10 order_is "$id" booked
told() {
	[ "$(grep -c "\"order_id\":\"$1\"" "$T/positions.out")" -eq 1 ]
}
until_true 10 told "$first"
until_true 10 told "$id"
is '["XYZ",30,100000]' "(() => { const p = l.find((x) => x.payload.order_id === '$first').payload; return [p.symbol, p.quantity, p.limit]; })()" \
    "$T/positions.out"

# A limit for all instances, whichever is asked: more is refused and moves nothing, less is not.
answers risk-service update_limits '{"symbol": "XYZ", "limit": 1}' --instance r-1
limited() {
	answers risk-service get_positions '{}' --instance "$1" && [ "$(js "m.positions.find((p) => p.symbol === 'XYZ').limit" "$T/stdout")" = 1 ]
}
until_true 10 limited r-1
until_true 10 limited r-2
order XYZ 5
is rejected m.status "$T/stdout"
says stdout 'above the limit of 1'
order XYZ 5 sell
is accepted m.status "$T/stdout"
until_true 10 position r-2 XYZ 15
position r-1 XYZ 15 || until_true 10 position r-1 XYZ 15

# Recalculated: each position is a step, the last at 100; what is above its limit is warned of.
: >"$T/warnings.out"
node "$S/commands.mjs" send json risk-service recalculate '{"pace_ms": 5}' >"$T/out"
is '["completed",true,true]' '[m.completion.status, m.completion.result.positions >= 1, m.completion.result.exceeded >= 1]' "$T/out"
is true '["r-1", "r-2"].includes(m.completion.result.instance) && m.completion.result.exposure > 0' "$T/out"
is true 'm.progress.length === m.completion.result.positions && m.progress.at(-1).progress === 100' "$T/out"
is true 'm.progress.every((p, i) => p.command_id === m.id && (i === 0 || p.progress > m.progress[i - 1].progress))' "$T/out"
is true 'm.progress.some((p) => p.status === "XYZ")' "$T/out"
until_true 10 grep -q '"symbol":"XYZ"' "$T/warnings.out"
warned() {
	answers order-service list_orders '{}' && [ "$(js 'm.risk_warnings > 0' "$T/stdout")" = true ]
}
until_true 10 warned
code 1 "$AEGIS" command send risk-service recalculate '{"pace_ms": 5000}' --max-retries 0 --wait 2m
says stderr 'pace_ms must be a whole number'

# Cancelled on the way: there are enough positions for that.
for n in $(seq 30); do
	order "S$n" 1
done
until_true 10 position r-1 S30 1
until_true 10 position r-2 S30 1
node "$S/commands.mjs" send msgpack risk-service recalculate '{"pace_ms": 1000}' >"$T/out" &
sender=$!
running() {
	"$AEGIS" command ls --service risk-service -o ndjson >"$T/queue" && grep -q '"pace_ms":1000' "$T/queue"
}
until_true 10 running
"$AEGIS" command cancel "$(grep '"pace_ms":1000' "$T/queue" | sed 's/.*"id":"\([^"]*\)".*/\1/')"
wait $sender
is '["cancelled","CANCELLED"]' '[m.completion.status, m.completion.error]' "$T/out"
for i in o-1 r-1 r-2 p-1; do
	end $i
	[ "$rc" -eq 0 ] || fail "$i ended with $rc"
done
