#!/bin/bash
# While the program is down its events go to other members or wait in the stream; being down is
# no attempt.  What it had in its hands when it died comes again.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/events.sh"
nats_start
code 0 "$AEGIS" event publish order first
member a --name order-svc --instance-id a-1 --restart always --event events.order.created -- slow 20
until_true 10 ready_for order-svc__events=order=created
py publish msgpack order created 0 50
until_true 10 grep -q '"order.created"' "$T/a.got"
program=$(sed -n 's/.*runs as process \([0-9]*\).*/\1/p' "$T/a.log")
kill -KILL "$program"
until_true 20 settled order-svc__events=order=created
cp "$T/a.got" "$T/stdout"
json 'new Set(rows.map((r) => r.params.i)).size === 50'
code 3 "$AEGIS" event dlq show 1
