#!/bin/bash
# A broadcast reaches every instance, and leaves nothing behind when they stop, nor do those who
# only look.  An instance that was killed leaves a durable that the server removes by itself.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/events.sh"
nats_start
code 0 "$AEGIS" event publish order old
for i in 1 2 3; do
	member "a$i" --name order-svc --instance-id "a-$i" --event 'events.order.*,broadcast'
	until_true 10 ready_for "order-svc__events=order=+==a-$i"
done
py publish msgpack order created 0 25
for i in 1 2 3; do
	until_true 10 lines "a$i.got" 25
done
lines a1.got 0 '"order.old"' || fail "a broadcast begins with what comes"
consumer order-svc__events=order=+==a-1 >"$T/stdout"
json 'v.config.inactive_threshold > 0 && v.config.inactive_threshold <= 600e9'

spawn look "$AEGIS" event subscribe 'events.>' --from start --json
until_true 10 lines look.out 26
end look INT
code 0 "$AEGIS" event subscribe 'events.order.*' --from start --count 3 --json
json 'rows.length === 3 && rows[0].subject === "events.order.old"'
end a1
end a2
only_the_third() {
	[ "$(js consumer-list EVENTS | wc -l)" -eq 1 ] && consumer order-svc__events=order=+==a-3
}
until_true 10 only_the_third
end a3
none() {
	[ "$(js consumers EVENTS)" -eq 0 ]
}
until_true 10 none
