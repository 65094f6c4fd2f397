# Two live processes with one instance id: the second is refused with exit 5 and says why,
# its program never starts, and the first keeps its record; also when the second came while
# NATS was away.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

nonce() {
	bus record worker w-1 | js 'm.json?.metadata.nonce ?? "none"'
}
wrap first --name worker --instance-id w-1 --heartbeat-interval 500ms -- sleep 1000
until_true 10 registered worker w-1 ACTIVE
first=$(nonce)

code 5 "$AEGIS" run-service --name worker --instance-id w-1 -- touch "$T/started"
says stderr "another live process is registered as instance 'w-1' of 'worker'"
says stderr '--instance-id'
[ ! -e "$T/started" ] || fail "the program of the refused wrapper was started"
[ "$(nonce)" = "$first" ] || fail "the refused wrapper touched the record"

# Another id is fine, and so is the same id in another service.
wrap other --name worker --instance-id w-2 -- sleep 1000
wrap elsewhere --name worker-two --instance-id w-1 -- sleep 1000
until_true 10 registered worker w-2 ACTIVE
until_true 10 registered worker-two w-1 ACTIVE

# NATS away: the twin cannot know and runs; it is refused when NATS is back.
for round in 1 2 3; do
	end nats KILL
	until_true 10 log_has first 'lost the connection'
	wrap "twin$round" --name worker --instance-id w-1 -- sh -c "touch $T/twin$round; exec sleep 1000"
	until_true 10 test -e "$T/twin$round"
	twin=$(child "twin$round")
	# Once the first comes back later than the twin: nobody's silence proves a death then.
	[ "$round" -ne 1 ] || kill -STOP "$(cat "$T/first.pid")"
	nats_again
	until_true 10 log_has "twin$round" 'connected to NATS'
	kill -CONT "$(cat "$T/first.pid")"
	rc=0
	until_true 10 gone "$(cat "$T/twin$round.pid")"
	wait "$(cat "$T/twin$round.pid")" || rc=$?
	[ "$rc" -eq 5 ] || fail "round $round: the twin's exit code is $rc, not 5"
	says "twin$round.log" 'another live process'
	until_true 5 gone "$twin"
	until_true 10 registered worker w-1 ACTIVE
	[ "$(nonce)" = "$first" ] || fail "round $round: the record is no longer the first's"
done
kill -0 "$(cat "$T/first.pid")" || fail "the first is gone"
