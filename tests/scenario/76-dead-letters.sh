#!/bin/bash
# A workload over HTTP acknowledges by any 2xx.  An event that it refuses comes again with growing
# pauses and becomes a dead letter, which can be listed, shown, published again and removed.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/events.sh"
nats_start
port=$(free_port)
: >"$T/a.got"
APP_LOG=$T/a.got spawn a "$AEGIS" run-service --name mailer --instance-id a-1 --app-port "$port" \
    --event 'events.order.>' -- node "$S/events.mjs" http "$port" fail-until "$T/well"
until_true 10 registered mailer a-1
code 0 "$AEGIS" event publish order item.added '{"i": 7}' --id seven --trace-id 0d51ab73-c892-4bf7-9183-f57455223201
until_true 40 grep -q event.dead "$T/a.log"
cp "$T/a.got" "$T/stdout"
json 'rows.length === 5 && rows.every((r, i) => r.name === "POST /events/order/item.added" && r.params.i === 7 &&
    r.headers["aegis-message-id"] === "seven" && r.headers["aegis-delivery"] === String(i + 1) &&
    /^00-0d51ab73c8924bf79183f57455223201-/.test(r.headers.traceparent))'

listed() {
	"$AEGIS" event dlq ls --json >"$T/stdout" && grep -q '"seq"' "$T/stdout"
}
until_true 10 listed
json 'v.length === 1 && v[0].subject === "events.order.item.added" && v[0].deliveries === 5 && v[0].instance === "a-1" &&
    v[0].error === "cannot do that"'
js stream EVENTS_DLQ >"$T/stdout"
json 'v.config.subjects.join() === "dlq.events.>" && v.config.max_age === 30 * 86400e9'
until_true 10 settled 'mailer__events=order=++'
code 0 "$AEGIS" event dlq show 1 --json
json 'v.message.message_id === "seven" && v.message.payload.i === 7'
code 0 "$AEGIS" event dlq ls --subject 'events.user.*' --json
json 'v.length === 0'
code 3 "$AEGIS" event dlq show 99
code 3 "$AEGIS" event dlq rm 99

# Published again, to a workload that is well.
touch "$T/well"
code 0 "$AEGIS" event dlq retry 1
until_true 10 lines a.got 6
until_true 10 settled 'mailer__events=order=++'
code 0 "$AEGIS" event dlq ls --json
json 'v.length === 0'
