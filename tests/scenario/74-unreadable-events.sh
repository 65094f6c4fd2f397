#!/bin/bash
# An event that cannot be read is terminated once and counted in the log, not delivered again and
# again; those behind it arrive.  Names that no subscriber could read are refused before publishing.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/events.sh"
nats_start
code 0 "$AEGIS" event publish order first
member a --name order-svc --instance-id a-1 --event 'events.order.*' --log-format json
until_true 10 ready_for order-svc__events=order=+
py raw events.order.created 'this is no event' >"$T/stdout"
py raw events.order.created '' >"$T/stdout"
py raw events.order.created '{"domain": "order", "event_type": 7}' >"$T/stdout"
py raw events.order.created '{"message_id":"m","trace_id":"t","timestamp":"2025-01-01T00:00:00Z","domain":"order","event_type":"created","payload":{"i":1},"new_key":1}' >"$T/stdout"
until_true 10 lines a.got 2
until_true 10 settled order-svc__events=order=+
consumer order-svc__events=order=+ >"$T/stdout"
json 'v.num_redelivered === 0 && v.delivered.consumer_seq === 5'
until_true 10 grep -q event.bad "$T/a.log"

for words in 'or.der created' 'order 9lives' 'order a..b' 'order created [1]' "order created {"; do
	# shellcheck disable=SC2086
	code 2 "$AEGIS" event publish $words
done
code 2 "$AEGIS" event publish order created --event-version 1
code 2 "$AEGIS" event publish order created --id 'a b'
code 2 "$AEGIS" event subscribe order.created
code 2 "$AEGIS" event subscribe 'events.>.x'
code 2 "$AEGIS" run-service --name order-svc --event events.order --app-stdio -- true
code 2 "$AEGIS" run-service --name order-svc --event events.order.x,often --app-stdio -- true
code 2 "$AEGIS" run-service --name order-svc --event events.order.x -- true
js stream EVENTS >"$T/stdout"
json 'v.state.messages === 5'
