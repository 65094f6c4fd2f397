#!/bin/bash
# Events between aegis and Python members, both ways and in both encodings, exact and wildcard,
# shared and for everybody; the stream is made as the wire says, and an existing one is left alone.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/events.sh"
nats_start

# The stream comes with the first event, as specified.
code 0 "$AEGIS" event publish order created '{"i": 0}' --id first --json
json 'v.id === "first" && v.stored === 1 && v.subject === "events.order.created"'
js stream EVENTS >"$T/stdout"
json 'v.config.subjects.join() === "events.>" && v.config.retention === "limits" && v.config.max_msgs === 100000 &&
    v.config.storage === "file" && v.config.discard === "old" && v.config.duplicate_window === 120e9 &&
    v.config.max_age === 0 && v.config.max_bytes === -1 && v.config.max_consumers === 100000'
code 0 "$AEGIS" event publish order created '{"i": 0}' --id first
js stream EVENTS >"$T/stdout"
json 'v.state.messages === 1'

# aegis -> Python, in MessagePack (the default of the library).
python exact py-exact events.order.created
python wild py-wild 'events.order.*'
python all1 py-all 'events.>' broadcast one
python all2 py-all events.order.created broadcast two
code 0 "$AEGIS" event publish order created '{"i": 1, "text": "évènement"}' --id second
code 0 "$AEGIS" event publish order paid '{"i": 2}'
until_true 10 lines exact.out 3	# its first line says ready
until_true 10 lines wild.out 3
until_true 10 lines all1.out 3
until_true 10 lines all2.out 3
grep '^{' "$T/exact.out" >"$T/stdout"
json 'rows.every((r) => r.wrong === null && r.id === r.message_id && r.format === "msgpack" && r.version === "1.0" &&
    r.keys === "message_id,trace_id,correlation_id,timestamp,source,target,domain,event_type,payload,version")'
json 'rows[1].message_id === "second" && rows[1].payload.text === "évènement"'

# Python -> aegis, exact and wildcard, competing and for everybody.
for i in 1 2; do
	member "a$i" --name order-svc --instance-id "a-$i" --event 'events.order.*' --event events.order.shipped,broadcast
	until_true 10 ready_for "order-svc__events=order=shipped==a-$i"
done
until_true 10 ready_for order-svc__events=order=+
py publish msgpack order shipped 0 20
py publish json order shipped 20 40
got() {
	cat "$T/a1.got" "$T/a2.got" >"$T/stdout"
	[ "$(grep -c '"order.shipped"' "$T/stdout")" -eq 120 ]
}
until_true 10 got
json '(() => {
	const n = {};
	for (const r of rows.filter((x) => x.name === "order.shipped")) {
		if (r.kind !== "event" || r.params.text !== "évènement" || r.headers["Aegis-Source"] !== "py-client-deeb99b1" ||
		    r.headers["Aegis-Delivery"] !== "1")
			return false;
		n[r.params.i] = (n[r.params.i] ?? 0) + 1;
	}
	return Object.keys(n).length === 40 && Object.values(n).every((x) => x === 3);
})()'
until_true 10 settled order-svc__events=order=+

# A stream that somebody else made stays as it is.
nats_start other
py stream EVENTS 'events.>' '{"max_msgs": 50, "storage": "memory"}'
js stream EVENTS | sed 's/.*"config"/"config"/; s/,"created".*//' >"$T/before"
member b --name order-svc --instance-id b-1 --event 'events.>'
until_true 10 ready_for order-svc__events=++
code 0 "$AEGIS" event publish order created
js stream EVENTS | sed 's/.*"config"/"config"/; s/,"created".*//' >"$T/after"
cmp "$T/before" "$T/after"
