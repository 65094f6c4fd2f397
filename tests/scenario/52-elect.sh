# Three candidates, one runs its program. The leader is killed, stopped in order, crashes: another
# one follows each time, never two at once, under growing epochs; the exit codes are the program's.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/elect.sh"
nats_start

for n in a b c; do
	candidate $n --metrics-listen 127.0.0.1:0
done
until_true 10 begun_by 1
[ "$(last 5)" = active ] || fail "AEGIS_ROLE is $(last 5)"
[ "$(last 6)" = jobs ] || fail "AEGIS_GROUP is $(last 6)"
for n in a b c; do
	until_true 10 log_has $n 'takes part in the election'
done
[ "$(begun)" -eq 1 ] || fail "$(begun) programs were started"

# SIGKILL of the leader's wrapper: its program is dead before the next one begins.
first=$(leader) old=$(program)
end "$first" KILL
until_true 10 begun_by 2
until_true 2 dead "$old"
[ "$(leader)" != "$first" ] || fail "the dead one leads"

# TERM: the program ends in order, the lead is handed over, the exit code is the program's.
second=$(leader) old=$(program)
end "$second"
[ "$rc" -eq 0 ] || fail "after TERM the leader ends with $rc, not with the program's 0"
dead "$old" || fail "the program outlived its wrapper"
grep -q "^term " "$T/history" || fail "the program was not told to end"
until_true 10 begun_by 3

# The figures, held against each other by another reader.
third=$(leader)
url=$(sed -n 's/.*metrics at \(http[^"]*\)".*/\1/p' "$T/$third.log")
led() {
	node "$SUPPORT/prom.mjs" "$url" 'm.aegis_leader[0].value === 1 && m.aegis_child_up[0].value === 1 &&
	    m.aegis_leader[0].labels.election === "jobs" &&
	    m.aegis_election_epoch[0].value === '"$(epoch)"' &&
	    m.aegis_election_lease_remaining_seconds[0].value > 0 && m.aegis_election_lease_remaining_seconds[0].value < 4 &&
	    m.aegis_election_register_up[0].labels.register === "AEGIS_L0" && m.aegis_election_register_up[0].value === 1 &&
	    m.aegis_election_renew_seconds_count[0].value > 0 &&
	    m.aegis_election_transitions_total.some(s => s.labels.reason === "released" && s.value === 1)'
}
until_true 10 led

# A crash: this member ends with the program's code, others lead at once.
candidate d
candidate e
until_true 10 log_has d 'takes part in the election'
until_true 10 log_has e 'takes part in the election'
old=$(program)
echo 41 >"$T/crash"
until_true 10 ended "$third"
rc=0
wait "$(pid_of "$third")" || rc=$?
[ "$rc" -eq 41 ] || fail "after a crash the leader ends with $rc, not 41"
until_true 10 begun_by 4
fourth=$(leader)

# One that only waits is stopped: nothing changes.
case $fourth in d) other=e ;; *) other=d ;; esac
end "$other"
[ "$rc" -eq 0 ] || fail "a waiting candidate ends with $rc"
[ "$(leader)" = "$fourth" ] || fail "the lead moved"
end "$fourth"
exclusive
