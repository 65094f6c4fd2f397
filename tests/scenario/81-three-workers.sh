#!/bin/bash
# Three workers share one queue; one is killed with commands in its hands: nothing is lost.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/commands.sh"
nats_start

for i in 1 2 3; do
	wrap "w$i" --name share-service --instance-id "w-$i" --command work --ack-wait 5s --max-inflight 4 --app-stdio -- \
	    node "$S/jobs.mjs" stdio
done
for i in 1 2 3; do
	takes "w$i" commands.share-service.work
done
py many msgpack share-service work 600 >"$T/out" &
sender=$!
until_true 20 ran 5 '"instance":"w-2"'
end w2 KILL
wait $sender
is 600 'l.length' "$T/out"
is '["completed"]' '[...new Set(l.map((x) => x.completion.status))]' "$T/out"
until_true 10 queue_is 0
# Every job was run, most of them once, and each of the three had its share.
is 600 'new Set(l.filter((x) => x.command).map((x) => x.job)).size' "$APP_LOG"
is '["w-1","w-2","w-3"]' '[...new Set(l.map((x) => x.instance))].sort()' "$APP_LOG"
is true 'l.length >= 600 && l.length <= 600 + 12' "$APP_LOG"
