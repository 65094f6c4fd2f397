#!/bin/bash
# Two exact patterns of one service each get their own events, and nothing of the other's, also
# beside a Python member of the same service; a pattern survives a restart of its service.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/events.sh"
nats_start
code 0 "$AEGIS" event publish order created '{"i": -1}'
python peer order-svc events.order.created
member a --name order-svc --instance-id a-1 --event events.order.created --event events.order.paid
until_true 10 ready_for order-svc__events=order=created
until_true 10 ready_for order-svc__events=order=paid
py publish msgpack order created 0 30
py publish json order paid 0 20
until_true 10 lines a.got 31 '"order.created"'
until_true 10 lines a.got 20 '"order.paid"'
until_true 10 lines peer.out 31 '"created"'
until_true 10 settled order-svc__events=order=created
until_true 10 settled order-svc__events=order=paid
lines peer.out 0 '"paid"' || fail "the Python member got the other pattern"

# What is published while nobody is there waits.
end a
py publish msgpack order paid 20 25
member b --name order-svc --instance-id a-2 --event events.order.created --event events.order.paid
until_true 10 lines b.got 5
lines b.got 5 '"order.paid"' || fail "more than what had waited"

# At a terminal as that service: what was printed is handled, the rest is still there.
end b
py publish msgpack order paid 25 30
code 0 "$AEGIS" event subscribe events.order.paid --service order-svc --count 2 --json
json 'rows.length === 2 && rows[0].payload.i === 25 && rows[1].payload.i === 26 && rows[0].deliveries === 1'
member c --name order-svc --instance-id a-3 --event events.order.paid
until_true 20 lines c.got 3
