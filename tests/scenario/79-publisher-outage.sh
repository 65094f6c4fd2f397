#!/bin/bash
# NATS is away for ten seconds while a publisher goes on: what waits is bounded, what was given up
# is told by number and cause, and what was told to be stored is stored, once.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/events.sh"
nats_start
py stream EVENTS 'events.>'	# without the limit of 100000 messages

spawn p "$AEGIS" event publish load test '{"x": "some text to make it a little longer"}' --count 300000 --timeout 3s --json
publisher=$(cat "$T/p.pid")
some() {		# some thousand are in the server's files
	find "$T/nats/jetstream" -name '*.blk' -size +200k | grep -q .
}
until_true 10 some
killed=$(date +%s)
end nats KILL
sleep 10	# the outage; longer than three time-outs
kill -0 "$publisher" || fail "all was published before the server was killed"
rss=$(sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$publisher/status")
# A sanitizer keeps what was freed; the bound is a matter of the release build.
case $AEGIS in *san-*|*cov*) ;; *) [ "$rss" -lt 65536 ] || fail "the publisher has grown to $rss kB" ;; esac
nats_again
until_true 60 gone "$publisher"
most=$(((($(date +%s) - killed) / 3 + 2) * 4096))		# a window for each time-out
wait "$publisher" && fail "the publisher ended as if all were stored"
cp "$T/p.out" "$T/stdout"
json "v.failed > 0 && v.failed <= $most && v.stored + v.failed === 300000"
cp "$T/p.log" "$T/stderr"
says stderr "$(sed 's/.*"failed":\([0-9]*\).*/\1/' "$T/stdout")"
grep -qE 'NATS was not reachable in time|no acknowledgement in time' "$T/p.log" || fail "it does not say why"
js stream EVENTS >"$T/messages"
stored=$(sed 's/.*"stored":\([0-9]*\).*/\1/' "$T/stdout")
messages=$(sed 's/.*"messages":\([0-9]*\).*/\1/' "$T/messages")
# Of those without an acknowledgement some may be stored, each of them once.
[ "$messages" -ge "$stored" ] && [ "$messages" -le 300000 ] || fail "$messages in the stream, $stored told"
