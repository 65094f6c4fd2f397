#!/bin/bash
# What Python workers leave in the queue is removed by the janitor of `aegis dev`, and commands
# that wait are left alone.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/commands.sh"

spawn dev "$AEGIS" dev --data-dir "$T/dev" --nats-server "$NATS_SERVER" --port 0
until_true 30 grep -q 'export NATS_URL=' "$T/dev.out"
NATS_URL=$(sed -n 's/.*export NATS_URL=//p' "$T/dev.out")
export NATS_URL
py post absent-service work '{"job": 1}'
spawn py node "$S/commands.mjs" work msgpack py-service work
until_true 10 grep -q ready "$T/py.out"
for i in 1 2 3; do
	code 0 "$AEGIS" command send py-service work "{\"job\": $i}" --json --wait 2m
done
until_true 10 queue_is 1
code 0 "$AEGIS" command ls --json
json 'v.length === 1 && v[0].service === "absent-service"'
end py KILL
end dev
