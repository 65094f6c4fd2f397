#!/bin/bash
# The demo services on bad days: without pricing, then without risk, create_order and recalculate say
# what is missing, and go on when it is back; an event that is no order ends as a dead letter of
# each instance that could not read it, and moves nothing.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/events.sh"
. "$(dirname "$0")/../support/commands.sh"
. "$(dirname "$0")/../support/demo.sh"
nats_start
demo pricing p-1
demo risk r-1
demo order o-1
until_true 10 ready_for risk-service__events=order=created==r-1
until_true 10 order XYZ 3
until_true 10 position r-1 XYZ 3

# pricing is killed: the record still stands, so it is asked, and nobody answers.
end p-1 KILL
call order-service create_order '{"symbol": "XYZ", "quantity": 4}'
[ "$rc" -ne 0 ] || fail "an order without a price"
says stderr "no price of 'XYZ', so no order:"
says stderr pricing-service
node "$S/commands.mjs" send msgpack risk-service recalculate '{}' 20 0 >"$T/out"
is '["failed",true,true]' '[m.completion.status, m.completion.error.startsWith("no price of"), m.completion.error.includes("pricing-service")]' \
    "$T/out"
demo pricing p-2
until_true 10 order XYZ 4
until_true 10 position r-1 XYZ 7
node "$S/commands.mjs" send msgpack risk-service recalculate '{}' >"$T/out"
is completed m.completion.status "$T/out"

# An event that is none of ours to understand: five attempts, then the dead letters.
position r-1 XYZ 7 || fail "the position moved by itself"
"$AEGIS" event publish order created '{"id": 7}'
dead() {
	"$AEGIS" event dlq ls -o ndjson >"$T/dead" && grep -q 'this is no order' "$T/dead"
}
until_true 40 dead
is '["events.order.created",5,"r-1"]' '[m.subject, m.deliveries, m.instance]' "$T/dead"
position r-1 XYZ 7 || fail "what is no order moved a position"

# risk leaves: nobody is registered any more.
end r-1
call order-service create_order '{"symbol": "XYZ", "quantity": 4}'
[ "$rc" -ne 0 ] || fail "an order without an opinion on its risk"
says stderr "the risk of 'XYZ' was not assessed, so no order:"
says stderr risk-service
demo risk r-2
until_true 10 order XYZ 4
end o-1
[ "$rc" -eq 0 ] || fail "order ended with $rc"
