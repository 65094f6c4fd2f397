#!/bin/bash
# A Python wildcard subscriber answers every message with an empty one, which reaches the
# publisher before the stream's acknowledgement: 5000 events are 5000, and no error.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/events.sh"
nats_start
code 0 "$AEGIS" event publish load test
python wild py-wild 'events.>'
code 0 "$AEGIS" event publish load test '{"x": 1}' --count 4999 --json
json 'v.stored === 4999 && v.failed === 0'
js stream EVENTS >"$T/stdout"
json 'v.state.messages === 5000 && v.state.last_seq === 5000'
until_true 20 lines wild.out 4999 load
