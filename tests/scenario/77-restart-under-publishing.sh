#!/bin/bash
# The server is killed and started again while events are published: every event that was
# acknowledged is stored, and stored once.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/events.sh"
nats_start
py stream EVENTS 'events.>'	# without the limit of 100000 messages

# So many that the kill falls into the middle on any machine.
spawn p "$AEGIS" event publish load test '{"x": "some text to make it a little longer"}' --count 200000 --timeout 60s --json
some() {
	[ "$(js stream EVENTS | sed 's/.*"messages":\([0-9]*\).*/\1/')" -gt "$1" ]
}
until_true 10 some 1000
publisher=$(cat "$T/p.pid")
end nats KILL
kill -0 "$publisher" || fail "all was published before the server was killed"
nats_again
until_true 60 gone "$publisher"
cp "$T/p.out" "$T/stdout"
json 'v.stored === 200000 && v.failed === 0'
js stream EVENTS >"$T/stdout"
json 'v.state.messages === 200000'
