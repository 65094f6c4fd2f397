#!/bin/bash
# Commands on a server 2.10, with a Python sender and an aegis one: progress, results, failures and
# their dead letters, cancelling, priorities, the same id twice, a worker that dies; and nothing of
# what is only told stays in the queue.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/commands.sh"
"$NATS_SERVER_OLD" --version | grep -q 'v2\.10\.' || fail "the old server is not old"
nats_start old "$NATS_SERVER_OLD"

for i in 1 2; do
	wrap "w$i" --name old-service --instance-id "w-$i" --command work --ack-wait 5s --max-inflight 1 --app-stdio -- \
	    node "$S/jobs.mjs" stdio
	takes "w$i" commands.old-service.work
done
for format in msgpack json; do
	py send $format old-service work '{"job": 7, "steps": 2}' >"$T/out"
	is '["completed",true,[50,100]]' '[m.completion.status, m.completion.result.done, m.progress.map((p) => p.progress)]' "$T/out"
done
code 0 "$AEGIS" command send old-service work '{"job": 8, "steps": 1}' --id once --json --wait 2m
json 'v.status === "completed" && v.result.echo.job === 8'
says stderr 'step 1'
code 0 "$AEGIS" command send old-service work '{"job": 8}' --id once --no-wait
until_true 10 queue_is 0
[ "$(runs '"job":8')" -eq 1 ] || fail "the same id ran twice"

py send json old-service work '{"fail": "no stock"}' 120 1 >"$T/out"
is '["failed","no stock"]' '[m.completion.status, m.completion.error]' "$T/out"
until_true 10 queue_is 1 COMMANDS_DLQ
code 0 "$AEGIS" command dlq ls --json
json 'v.length === 1 && v[0].error === "no stock" && v[0].deliveries === 2'
code 0 "$AEGIS" command dlq show 1 --json
json 'v.message.payload.fail === "no stock"'
code 0 "$AEGIS" command dlq rm 1

# One worker is killed with a command in its hands, the other takes over; what waits goes by rank.
: >"$APP_LOG"
py send json old-service work "{\"gate\": \"$T/open\"}" 300 3 >"$T/gated" &
sender=$!
until_true 10 ran 1 '"command":"work"'
holder=$(sed -n 's/.*"instance":"w-\([12]\)".*/\1/p' "$APP_LOG" | head -n 1)
end "w$holder" KILL
until_true 15 ran 2 '"command":"work"'
for job in low:l1 normal:n1 critical:c1; do
	py post old-service work '{}' "${job%:*}" "${job#*:}"
done
py post old-service work '{}' low unwanted
"$AEGIS" command cancel unwanted --reason enough
touch "$T/open"
wait $sender
is '["completed",2]' '[m.completion.status, m.completion.result.delivery]' "$T/gated"
until_true 15 queue_is 0
is '["c1","n1","l1"]' 'l.slice(2).map((x) => x.id)' "$APP_LOG"
