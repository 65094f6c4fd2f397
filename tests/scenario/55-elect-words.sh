# What can be said to `aegis elect`: what the program gets when the lease is lost, restarts under one
# lease, an unhealthy program, stepping down, and what is refused.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/elect.sh"
nats_start

# lose NAME: the wrapper stands still until its program is dead.
lose() {
	p=$(program)
	kill -STOP "$(pid_of "$1")"
	until_true 10 dead "$p"
	kill -CONT "$(pid_of "$1")"
}

# --on-lost: a signal, a command, nothing but KILL.
export DEAF=1
candidate sig --on-lost signal:USR2
until_true 10 begun_by 1 sig
lose sig
grep -q '^usr2' "$T/history" || fail "the program did not get USR2"
! grep -q '^term' "$T/history" || fail "the program got TERM"
until_true 10 begun_by 2 sig
end sig KILL

candidate cmd --on-lost "exec:echo \"hook \$AEGIS_CHILD_PID \$AEGIS_EPOCH\" >>$T/history"
until_true 10 begun_by 3 cmd
p=$(program) e=$(epoch)
lose cmd
until_true 10 grep -qx "hook $p $e" "$T/history"
end cmd KILL

candidate hard --on-lost kill
until_true 10 begun_by 4 hard
lose hard
! grep -q '^term' "$T/history" || fail "the program got TERM"
end hard KILL
unset DEAF

# --on-crash restart: the same lease, the same epoch; until the budget is spent.
candidate again --on-crash restart --max-restarts 1/1m
leads() {
	[ "$(leader)" = "$1" ]
}
until_true 10 leads again
n=$(begun) e=$(epoch)
echo 3 >"$T/crash"
until_true 10 begun_by $((n + 1)) again
[ "$(epoch)" = "$e" ] || fail "a restart changed the epoch"
echo 3 >"$T/crash"
until_true 10 ended again
rc=0
wait "$(pid_of again)" || rc=$?
[ "$rc" -eq 3 ] || fail "when the budget is spent it ends with $rc, not 3"

# An unhealthy leader gives the lead away and stands by.
n=$(begun)
candidate ill --health-cmd "test ! -e $T/sick" --health-timeout 30s --health-interval 100ms
until_true 10 begun_by $((n + 1)) ill
candidate fit
until_true 10 log_has fit 'takes part in the election'
touch "$T/sick"
until_true 10 begun_by $((n + 2)) fit
! ended ill || fail "the unhealthy one ended"

# Seen from outside.
seen() {
	"$AEGIS" elect jobs --observe --json >"$T/stdout" && ( json 'v.led && v.registers[0].state === "held"' )
}
until_true 10 seen
json 'v.led && v.leader === "fit" && v.epoch > 0 && v.registers.length === 1 && v.registers[0].bucket === "AEGIS_L0" &&
    v.registers[0].state === "held" && v.registers[0].owner === "fit" && v.registers[0].age_ms < 5500 && v.changes.length > 2 &&
    v.changes[0].instance === "fit" && v.changes[0].epoch > v.changes[1].epoch && v.profile === "wan"'
code 0 "$AEGIS" elect jobs --observe
says stdout fit
spawn watch "$AEGIS" elect jobs --observe --watch -o ndjson
until_true 10 grep -q '"leader":"fit"' "$T/watch.out"

# Stepping down, in favour of one of three.  Who is named goes first, but waits for nobody; so the other one stands still.
candidate third
until_true 10 log_has third 'takes part in the election'
kill -STOP "$(pid_of ill)"
n=$(begun)
code 0 "$AEGIS" elect jobs --step-down --to third --json
json 'v.instance === "fit" && v.status === "accepted" && v.group === "jobs" && v.epoch > 0'
until_true 10 begun_by $((n + 1)) third
until_true 10 grep -q '"leader":"third"' "$T/watch.out"
kill -CONT "$(pid_of ill)"
code 8 "$AEGIS" elect jobs --step-down --to nobody-there
says stderr nobody-there
code 8 "$AEGIS" elect other-jobs --step-down
says stderr "no group 'other-jobs'"
code 8 "$AEGIS" elect other-jobs --observe
for n in ill fit third; do
	end $n
done
code 8 "$AEGIS" elect jobs --observe --json
json '!v.led && v.leader === null && v.last_leader === "third" && v.obstacle === "not_eligible"'
# The last of its lines: between two leaders there may have been a moment without one before.
unled() { tail -n 1 "$T/watch.out" | grep -q '"led":false'; }
until_true 10 unled
end watch
[ "$rc" -eq 8 ] || fail "the watch of a group without a leader ends with $rc"
code 2 "$AEGIS" elect jobs --repair
says stderr 'pass --yes'
code 0 "$AEGIS" elect jobs --repair --yes --json
json 'v.registers === 0 && v.streams === 0'

# Restarts share an epoch; apart from them they grow.
! grep OVERLAP "$T/history" || fail "two ran at a time"

# What is refused, before anything is sent.
refused() {
	code 2 "$AEGIS" elect "${@:2}"
	says stderr "$1"
}
refused 'the command to run is missing' jobs
refused 'is one word too many' jobs jobs -- true
refused "groups of \`aegis elect\` have no '/'" orders/jobs -- true
refused 'Ä' 'jÄbs' -- true
refused "'__'" 'a__b' -- true
refused 'none of term, kill' jobs --on-lost wish -- true
refused 'is no signal' jobs --on-lost signal:NOPE -- true
refused 'fast' jobs --profile hasty -- true
refused '--metrics-listen' jobs --metrics-listen 9464 -- true
refused 'would not be run' jobs --step-down -- true
refused 'exclude each other' jobs --step-down --observe
refused '--watch belongs to --observe' jobs --watch -- true
refused '--to belongs to --step-down' jobs --to a -- true
refused '--health-http and --health-cmd' jobs --health-http :1/ --health-cmd true -- true
code 127 "$AEGIS" elect jobs -- no-such-command-anywhere
exit 0
