#!/bin/bash
# What the demo services tell: a JavaScript subscriber hears prices as often as asked for, and each
# moment once although two instances tell it; every order with the fields of its answer; and the
# services go on when one of two pricing instances dies.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/events.sh"
. "$(dirname "$0")/../support/demo.sh"
nats_start

code 2 "$AEGIS" demo-service order --price-interval 5s
says stderr 'price-interval is for pricing'

demo pricing p-1 --price-interval 200ms
demo pricing p-2 --price-interval 200ms
demo risk r-1
demo order o-1
python prices watcher 'events.pricing.updated'
python orders watcher-2 'events.order.created'

at_least() {
	[ "$(grep -c '^{' "$T/$1.out")" -ge "$2" ]
}
until_true 20 at_least prices 10
is null 'l.find((x) => x.wrong)?.wrong ?? null' "$T/prices.out"
is '"pricing updated events.pricing.updated"' 'JSON.stringify(`${m.domain} ${m.event_type} ${m.subject}`)' "$T/prices.out"
is '["prices","currency","at"]' 'Object.keys(m.payload)' "$T/prices.out"
is true 'l.every((x) => x.payload.prices.length === 8 && x.payload.prices.every((p) => p.price > 0 && p.symbol.length > 0))' "$T/prices.out"
# Once for each moment, whoever was first; on the marks of the interval.
is true 'new Set(l.map((x) => x.payload.at)).size === l.length' "$T/prices.out"
is true 'l.every((x) => Math.abs(x.payload.at / 0.2 - Math.round(x.payload.at / 0.2)) < 1e-3)' "$T/prices.out"
is true 'l.every((x) => x.message_id === x.id && ["p-1", "p-2"].includes(x.source))' "$T/prices.out"

# An order of ours among those that the service places itself.
until_true 10 order XYZ 7 sell
answers order-service get_order "{\"order_id\": \"$id\"}"
js '[m.order_id, m.symbol, m.quantity, m.side, m.price, m.total]' "$T/stdout" >"$T/answer"
until_true 10 grep -q "\"order_id\":\"$id\"" "$T/orders.out"
grep "\"order_id\":\"$id\"" "$T/orders.out" >"$T/event"
is "$(cat "$T/answer")" '[m.payload.order_id, m.payload.symbol, m.payload.quantity, m.payload.side, m.payload.price, m.payload.total]' "$T/event"
is '["accepted","o-1",null]' '[m.payload.status, m.source, m.wrong]' "$T/event"
# And those that it places itself come, too.
until_true 20 at_least orders 4

# One pricing instance dies: the other tells all.
end p-1 KILL
before=$(grep -c '^{' "$T/prices.out")
until_true 20 at_least prices $((before + 6))
is '["p-2"]' '[...new Set(l.slice(-5).map((x) => x.source))]' "$T/prices.out"
end p-2
end o-1
end r-1
