# Under a stream of calls the leader is asked to stop: every call is answered, none twice, and the next one
# leads; so do those that come by the queue, from clients that know nothing of elections.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/election.sh"
nats_start
listen beats internal.heartbeat.pay-service
for i in a b c; do member "$i" --profile wan --heartbeat-interval 500ms; done
until_true 20 leads
first=$(leader)
adding load 60
spawn plain node "$S/load.mjs" pay-service who 5 60
until_true 20 bash -c "[ \$(grep -c . '$T/load.out') -ge 15 ]"
end "$first"
[ "$rc" -eq 0 ] || fail "exit $rc after TERM"
until_true 10 leads_after "$first"
second=$(leader)
until_true 30 bash -c "[ \$(grep -c . '$T/load.out') -ge 35 ]"
end "$second"
[ "$rc" -eq 0 ] || fail "exit $rc after TERM"
until_true 60 grep -q '^over' "$T/load.out"
unknown=$(books load) || fail "the books: $(tail -n 3 "$T/load.out")"
[ "$unknown" -eq 0 ] || fail "$unknown calls are unknown"
# The program that went on learned each time what it is now.
[ "$(cat "$T/plain.out")" = good ] || fail "plain clients saw: $(cat "$T/plain.out")"
last=$(leader)
is '["active"]' "l.filter((x) => x.role && x.instance === '$last').map((x) => x.role)" "$APP_LOG"
# And tells it in its heartbeats, under the names of the Python SDK.
beat() {	# beat COUNTER: as the last one's heartbeat told last
	js "l.map((x) => x.json).filter((x) => x && JSON.stringify(x).includes('\"$last\"')).map((x) => JSON.stringify(x).match(/\"$1\": ?([0-9]+)/)?.[1]).pop()" \
	    "$T/beats.out"
}
counts() {
	[ "$(beat sticky_active.election.won)" = 1 ] && [ "$(beat election.leadership.acquired)" = 1 ] &&
	    [ "$(beat sticky_active.leader.lost)" = 0 ] && [ "$(beat sticky_active.rpc.processed)" -ge 10 ] &&
	    [ "$(beat election.leadership.updated)" -ge 1 ] && [ "$(beat sticky_active.heartbeat.success)" -ge 1 ] &&
	    [ "$(beat election.leadership.update_error)" = 0 ] && [ "$(beat sticky_active.heartbeat.error)" = 0 ] &&
	    [ "$(beat election.leadership.release_error)" = 0 ] && [ "$(beat election.leadership.exists)" -ge 1 ] &&
	    [ "$(beat sticky_active.election.lost)" = "$(beat election.leadership.exists)" ] &&
	    [ "$(beat sticky_active.failover.lost)" = 0 ]
}
until_true 10 counts
