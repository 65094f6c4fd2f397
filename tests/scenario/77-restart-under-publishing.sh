#!/bin/bash
# The server is killed and started again while events are published: every event that was
# acknowledged is stored, and stored once.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/events.sh"
nats_start
py stream EVENTS 'events.>'	# without the limit of 100000 messages

# So many that the kill falls into the middle on any machine.
spawn p "$AEGIS" event publish load test '{"x": "some text to make it a little longer"}' --count 200000 --timeout 5m --json
publisher=$(cat "$T/p.pid")
some() {		# some thousand are in the server's files
	find "$T/nats/jetstream" -name '*.blk' -size +200k | grep -q .
}
until_true 10 some
end nats KILL
kill -0 "$publisher" || fail "all was published before the server was killed"
nats_again
until_true 60 gone "$publisher"
cp "$T/p.out" "$T/stdout"
json 'v.stored === 200000 && v.failed === 0'
js stream EVENTS >"$T/stdout"
json 'v.state.messages === 200000'
