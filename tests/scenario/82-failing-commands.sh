#!/bin/bash
# With max_retries 2, a command that always fails is run three times with growing pauses, lies
# in the dead letters, and its Python sender hears "failed"; one that kills its worker each
# time is run at most six times, and ends in the same way.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/commands.sh"
nats_start

wrap w --name fail-service --instance-id w-1 --command work --app-stdio --restart always --max-restarts 0 -- \
    node "$S/jobs.mjs" stdio
takes w commands.fail-service.work
py send json fail-service work '{"fail": "stock is empty"}' 120 2 >"$T/out"
is '["failed",null,"stock is empty"]' '[m.completion.status, m.completion.result, m.completion.error]' "$T/out"
is '[1,2,3]' 'l.map((x) => x.delivery)' "$APP_LOG"
is true '(() => { const [a, b, c] = l.map((x) => x.at); return b - a >= 950 && c - b >= 1900; })()' "$APP_LOG"
until_true 10 queue_is 1 COMMANDS_DLQ
code 0 "$AEGIS" command dlq ls --json
json 'v.length === 1 && v[0].error === "stock is empty" && v[0].deliveries === 3 && v[0].instance === "w-1" &&
    v[0].subject === "commands.fail-service.work"'
until_true 10 queue_is 0

# Retried, it is a new command, and the letter is gone until that has failed as well.
: >"$APP_LOG"
code 0 "$AEGIS" command dlq retry 1
until_true 15 ran 3 '"command":"work"'
until_true 10 queue_is 1 COMMANDS_DLQ
code 0 "$AEGIS" command dlq show 2 --json
json 'v.message.payload.fail === "stock is empty" && v.deliveries === 3'
code 0 "$AEGIS" command dlq rm 2
queue_is 0 COMMANDS_DLQ
code 3 "$AEGIS" command dlq rm 2

# A program that dies of it, under a wrapper that lives: three more than it may fail.
: >"$APP_LOG"
py send msgpack fail-service work '{"die": true}' 300 0 >"$T/out"
is failed m.completion.status "$T/out"
is '[1,2,3,4]' 'l.map((x) => x.delivery)' "$APP_LOG"
end w

# A wrapper that is killed with it each time; the next one takes over.
: >"$APP_LOG"
py send json kill-service work '{"gate": "/nowhere"}' 600 2 >"$T/killer" &
sender=$!
for i in 1 2 3 4 5 6; do
	wrap "k$i" --name kill-service --instance-id "k-$i" --command work --ack-wait 3s --app-stdio -- node "$S/jobs.mjs" stdio
	until_true 15 ran "$i" '"command":"work"'
	end "k$i" KILL
done
wrap last --name kill-service --instance-id k-last --command work --ack-wait 3s --app-stdio -- node "$S/jobs.mjs" stdio
until_true 15 queue_is 2 COMMANDS_DLQ
until_true 10 queue_is 0
is '[1,2,3,4,5,6]' 'l.map((x) => x.delivery)' "$APP_LOG"
# The seventh delivery ran nowhere; who sent it hears why it was the last.
wait $sender
is '["failed",null,true]' '[m.completion.status, m.completion.result, m.completion.error.startsWith("WORKER_DIED: ")]' "$T/killer"
code 0 "$AEGIS" command dlq ls --json
json 'v.some((x) => x.subject === "commands.kill-service.work" && x.deliveries === 7 && x.instance === "k-last" &&
    x.error.startsWith("WORKER_DIED: "))'
