# Of three instances with --single-active one is ACTIVE; calls reach it by whichever way; when its
# wrapper is killed another one leads, nothing is executed twice, and nothing that was acknowledged is lost.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/election.sh"
nats_start
listen events 'events.sticky_active.>'
listen beats internal.heartbeat.pay-service
for i in a b c; do member "$i" --profile wan --registry-ttl 10m --heartbeat-interval 500ms --metrics-listen 127.0.0.1:0; done
three() {
	leads && [ "$(js 'm.map((x) => x.status).sort()' "$T/members")" = '["ACTIVE","STANDBY","STANDBY"]' ]
}
until_true 20 three
first=$seen
is '[["ACTIVE","ACTIVE","default"],["STANDBY","STANDBY","default"],["STANDBY","STANDBY","default"]]' \
    'm.map((x) => [x.status, x.metadata.sticky_active_status, x.stickyActiveGroup]).sort()' "$T/members"
is true "((x) => x.metadata.epoch > 1e12 && !isNaN(Date.parse(x.metadata.since)) && x.metadata.nonce.length === 32)(m.find((x) => x.instanceId === '$first'))" "$T/members"

# A client that knows nothing of elections is answered by the leader, whoever gets its call.
node "$S/once.mjs" pay-service who '{}' 30 >"$T/who"
is "[\"$first\"]" '[...new Set(l.map((x) => x.success && x.result.success && x.result.result.instance))]' "$T/who"
# On their own subjects the others refuse, in the form that Python clients read; and say who leads.
other=$([ "$first" = a ] && echo b || echo a)
bus request "rpc.pay-service.$other.who" '{"message_id":"m","trace_id":"t","timestamp":"2025-01-01T00:00:00Z","method":"who"}' >"$T/refused"
is '{"success":false,"error":"NOT_ACTIVE","message":"standby","result":null}' m.json.result "$T/refused"
is "[\"$first\",\"$other\"]" '[m.headers["Aegis-Leader"], m.headers["Aegis-Served-By"]]' "$T/refused"

# The key that Python observers read.
until_true 10 bash -c "[ \"\$(node '$S/leader.mjs' read pay-service default)\" != '\"none\"' ]"
node "$S/leader.mjs" read pay-service default >"$T/key"
is "[\"$first\",true,5500]" '[m.instance_id, m.metadata.epoch > 1e12 && m.age < 60, m.metadata.lease_ms]' "$T/key"

# The leader's wrapper is killed in the middle of a stream of calls.
adding load 60
until_true 20 bash -c "[ \$(grep -c . '$T/load.out') -ge 15 ]"
kill -KILL "$(cat "$T/$first.pid")"
until_true 20 leads_after "$first"
second=$(leader)
# Its record stands for as long as it may, but nobody is shown as leading beside the one that leads, in a list or alone.
code 0 "$AEGIS" registry get "pay-service/$first" --json
is '["STANDBY","STANDBY","STANDBY"]' '[m.status, m.stickyActiveStatus, m.metadata.sticky_active_status]' "$T/stdout"
code 0 "$AEGIS" registry get "pay-service/$second" --json
is ACTIVE m.status "$T/stdout"
is "[\"$second\"]" 'm.filter((x) => x.status === "ACTIVE").map((x) => x.instanceId)' "$T/members"
is true "m.some((x) => x.instanceId === '$first' && x.status === 'STANDBY' &&
    x.metadata.sticky_active_status === 'STANDBY')" "$T/members"
until_true 60 grep -q '^over' "$T/load.out"
unknown=$(books load) || fail "the books: $(tail -n 3 "$T/load.out")"
[ "$unknown" -le 1 ] || fail "$unknown calls are unknown, though one was in flight"
until_true 5 gone "$(child "$first")"

# What Prometheus is told: of the one that took over, and of the one that stands by.
metrics() {		# metrics NAME EXPRESSION
	node "$S/prom.mjs" "$(sed -n 's/.*metrics at \(http[^" ]*\).*/\1/p' "$T/$1.log")" "$2"
}
third=$(echo a b c | tr -d " $first$second")
# In its heartbeats: that it stood by for the lead of one that died, and another one was faster.
outrun() {
	[ "$(js "l.map((x) => x.json).filter((x) => x && JSON.stringify(x).includes('\"$third\"')).map((x) =>
	    JSON.stringify(x).match(/\"sticky_active.failover.lost\": ?([0-9]+)/)?.[1]).pop()" "$T/beats.out")" = 1 ]
}
until_true 10 outrun
until_true 10 metrics "$second" 'm.aegis_leader[0].value === 1 && m.aegis_leader[0].labels.election === "pay-service/default" &&
    m.aegis_election_epoch[0].value > 1e12 && m.aegis_child_up[0].value === 1 &&
    m.aegis_election_lease_remaining_seconds[0].value > 0 && m.aegis_election_lease_remaining_seconds[0].value < 4 &&
    m.aegis_election_failover_seconds_count[0].value >= 1 && m.aegis_election_failover_seconds_sum[0].value > 0.8 &&
    m.aegis_election_transitions_total.some(s => s.labels.reason === "expired" && s.value >= 1) &&
    m.aegis_election_parked[0].value === 0'
until_true 10 metrics "$third" 'm.aegis_leader[0].value === 0 && m.aegis_election_lease_remaining_seconds[0].value === 0 &&
    m.aegis_child_up[0].value === 1 && m.aegis_election_calls_refused_total.length === 4'

# Both changes were told; the second by the one who took over.
until_true 10 js 'l.filter((x) => x.subject.endsWith("LeaderElected")).length === 2 || process.exit(1)' "$T/events.out"

# A resignation in good order: the key goes with the leader.
end "$second"
[ "$rc" -eq 0 ] || fail "exit $rc after TERM"
until_true 10 leads_after "$second"
last=$(leader)
until_true 10 bash -c "node '$S/leader.mjs' read pay-service default | grep -q '\"instance_id\":\"$last\"'"
end "$last"
until_true 5 bash -c "[ \"\$(node '$S/leader.mjs' read pay-service default)\" = '\"none\"' ]"
# Nobody is there; and the record of the one that was killed may have expired meanwhile, and the service's name with it.
call pay-service who --sticky --timeout 5s
[ "$rc" -eq 8 ] || [ "$rc" -eq 3 ] || fail "exit $rc, neither 8 nor 3: $(cat "$T/stderr")"
