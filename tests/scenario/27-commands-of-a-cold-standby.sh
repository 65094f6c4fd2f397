# Cold standbys and commands: who led and does not any more lets go of the queue, with what it had fetched; the leader alone
# works commands off, and nothing waits for a program that does not run.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/election.sh"
. "$(dirname "$0")/../support/commands.sh"
nats_start
for i in a b; do
	wrap "$i" --name pay-service --instance-id "$i" --single-active --profile wan --standby cold --command work \
	    --max-inflight 2 --app-stdio -- node "$S/jobs.mjs" stdio
done
until_true 20 leads
first=$(leader)
other=$([ "$first" = a ] && echo b || echo a)
until_true 10 registered pay-service "$other" STANDBY
takes "$first" commands.pay-service.work
# More than it runs at a time: it has fetched some that only wait, when it steps down.
py many json pay-service work 60 >"$T/before" &
sender=$!
until_true 20 ran 10 '"command":"work"'
code 0 "$AEGIS" elect pay-service/default --step-down --timeout 60s
until_true 20 leads "$other"
wait $sender
is '[60,["completed"]]' '[l.length, [...new Set(l.map((x) => x.completion.status))]]' "$T/before"
is 60 'new Set(l.filter((x) => x.command).map((x) => x.id)).size' "$APP_LOG"

# And what comes now is the other one's alone.
alone() {	# alone NAME FILE N: so many were completed, all by that one
	is "[$3,[\"$1\"]]" '[l.length, [...new Set(l.map((x) => x.completion.result?.instance))]]' "$T/$2"
}
py many json pay-service work 30 >"$T/after"
alone "$other" after 30
until_true 10 queue_is 0
# It leads again, and takes commands again.
code 0 "$AEGIS" elect pay-service/default --step-down --timeout 60s
until_true 20 leads "$first"
py many json pay-service work 10 >"$T/again"
alone "$first" again 10
until_true 10 queue_is 0
