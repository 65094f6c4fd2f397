#!/bin/bash
# What waits for a busy worker is run by priority, and within one in the order it came.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/commands.sh"
nats_start

wrap w --name first-service --instance-id w-1 --command work --max-inflight 1 --app-stdio -- node "$S/jobs.mjs" stdio
takes w commands.first-service.work
py post first-service work "{\"gate\": \"$T/open\"}" low first
until_true 10 ran 1 '"id":"first"'
for job in low:l1 normal:n1 low:l2 critical:c1 high:h1 critical:c2 high:h2; do
	py post first-service work '{}' "${job%:*}" "${job#*:}"
done
code 0 "$AEGIS" command ls --service first-service --json
json 'v.length === 8 && v[0].id === "first" && v[4].priority === "critical"'
touch "$T/open"
until_true 15 queue_is 0
is '["first","c1","c2","h1","h2","n1","l1","l2"]' 'l.map((x) => x.id)' "$APP_LOG"
