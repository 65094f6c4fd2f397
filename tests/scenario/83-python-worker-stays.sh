#!/bin/bash
# A Python worker that is bound is not displaced: aegis waits and says so.  One that is gone
# has left its consumer behind: that is replaced on request only, and its commands go on.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/commands.sh"
nats_start

spawn py node "$S/commands.mjs" work msgpack mixed-service work
until_true 10 grep -q ready "$T/py.out"
wrap w --name mixed-service --instance-id w-1 --command work --app-stdio -- node "$S/jobs.mjs" stdio
until_true 10 log_has w "a Python worker is bound to consumer 'mixed-service-work'"
code 0 "$AEGIS" command send mixed-service work '{"job": 1}' --json --wait 2m
json 'v.result.by === "py"'
[ "$(runs '"command"')" -eq 0 ] || fail "the aegis worker got a command"

end py KILL
py post mixed-service work '{"job": 2}'
until_true 15 log_has w "nobody is bound to it"
[ "$(runs '"command"')" -eq 0 ] || fail "the consumer was replaced without a request"
end w

wrap w2 --name mixed-service --instance-id w-2 --command work --replace-worker --app-stdio -- node "$S/jobs.mjs" stdio
until_true 30 ran 1 '"job":2'
takes w2 commands.mixed-service.work
