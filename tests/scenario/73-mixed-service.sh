#!/bin/bash
# In mixed mode Python and aegis members of one service split the events of an exact pattern, and
# of a wildcard: each event is handled once.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/events.sh"
nats_start
code 0 "$AEGIS" event publish zero zero
python peer order-svc events.order.created
python wild order-svc 'events.user.*'
member a --name order-svc --instance-id a-1 --event events.order.created,mixed --event 'events.user.*,mixed'
until_true 10 registered order-svc a-1
until_true 10 ready_for order-svc

# Deliveries go to members at random; both must get some before the sum means anything.
both() {
	py publish msgpack order created "$1" $(($1 + 100))
	set -- $(($1 + 100))
	until_true 10 settled order-svc
	n=$1
	grep -q '"order.created"' "$T/a.got" && grep -q '"created"' "$T/peer.out"
}
n=0
until_true 20 eval 'both $n'
cat "$T/a.got" "$T/peer.out" | grep -E '"order.created"|"created"' >"$T/stdout"
json "(() => {
	const n = rows.map((r) => (r.params ?? r.payload).i);
	return new Set(n).size === $n && n.length === $n;
})()"
py publish json user added 0 100
all() {
	[ $(($(grep -c '"user.added"' "$T/a.got") + $(grep -c '"added"' "$T/wild.out"))) -eq 100 ]
}
until_true 10 all
js consumer-list EVENTS >"$T/stdout"
json 'rows.length === 1'
