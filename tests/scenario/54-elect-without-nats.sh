# NATS goes away under a leader: the lease runs out, the program is killed, nobody leads; when NATS is
# back, somebody leads again under a higher epoch. And how a candidate ends when it cannot lead.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/elect.sh"
nats_start

candidate a
until_true 10 begun_by 1 a
candidate b --after-loss exit
until_true 10 log_has b 'takes part in the election'

for round in 1 2; do
	before=$(epoch) old=$(program)
	kill -STOP "$(pid_of nats)"
	until_true 10 dead "$old"
	sleep 2
	[ "$(begun)" -eq "$round" ] || fail "somebody leads without NATS"
	kill -CONT "$(pid_of nats)"
	until_true 15 begun_by $((round + 1))
	[ "$(epoch)" -gt "$before" ] || fail "epoch $(epoch) is not above $before"
done

# Killed and started anew on its data.
before=$(epoch) old=$(program) n=$(begun)
end nats KILL
until_true 10 dead "$old"
nats_again
until_true 15 begun_by $((n + 1))
[ "$(epoch)" -gt "$before" ] || fail "epoch $(epoch) is not above $before"
exclusive

# --wait: not gained in time.
code 75 "$AEGIS" elect jobs --id late --wait 500ms -- touch "$T/never"
code 9 "$AEGIS" elect jobs --id late --wait 500ms --lost-exit-code 9 -- touch "$T/never"
[ ! -e "$T/never" ] || fail "the program ran although another one leads"
end a
[ ! -e "/proc/$(pid_of b)" ] || end b

# --after-loss exit.
candidate c --after-loss exit
until_true 10 begun_by $(($(begun) + 1)) c
end nats KILL
until_true 10 ended c
rc=0
wait "$(pid_of c)" || rc=$?
[ "$rc" -eq 75 ] || fail "after losing the lead it ends with $rc, not 75"

# No NATS at all: said at once without --wait, waited for with it.
code 6 "$AEGIS" elect jobs -- touch "$T/never"
code 75 "$AEGIS" elect jobs --wait 1s -- touch "$T/never"
spawn w "$AEGIS" elect jobs --id w --wait 5m -- "$T/job"
sleep 1
n=$(begun)
nats_again
until_true 15 begun_by $((n + 1)) w

# Back without its data: whoever waits says what is missing, and not every 20 ms.
end nats KILL
rm -rf "$T/nats/jetstream"
nats_again
until_true 10 log_has w "register 0 cannot be used: stream 'KV_AEGIS_L0': STREAM.INFO: stream not found"
sleep 1		# a while for a flood
[ "$(grep -c 'cannot be used' "$T/w.log")" -le 6 ] || fail "the log is flooded"
end w
exclusive
