# kill -9 of the wrapper: the program and every descendant die with it, also those that left
# the session or were forked twice; the record turns stale by age; the same id started anew
# takes the record over at once.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

export MARK=mark-$$-$RANDOM
cat >"$T/family" <<'EOF'
#!/bin/sh
setsid sleep 1001 &
( ( setsid sh -c 'trap "" TERM INT HUP; sleep 1002 & exec sleep 1003' & ) & )
sleep 1004 &
echo family >&2
exec sleep 1005
EOF
MARK=$MARK-a wrap w --name worker --instance-id w-1 --heartbeat-interval 500ms --registry-ttl 10m -- sh "$T/family"
until_true 10 registered worker w-1 ACTIVE
until_true 10 log_has w family
# The wrapper, its guardian and five sleepers at least.
seven() {
	[ "$(marked "$MARK-a" | wc -l)" -ge 7 ]
}
until_true 5 seven
first=$("$AEGIS" registry get worker/w-1 --json | js m.metadata.nonce)

end w KILL
until_true 5 unmarked "$MARK-a"

# Nobody renews it: gone by age where age counts, still shown where one asks for all.
stale() {
	[ "$("$AEGIS" registry ls --instances --stale-threshold 2s --json | js m.length)" = 0 ]
}
until_true 10 stale
"$AEGIS" registry ls --instances --all --json | grep -q w-1 || fail "--all does not show the stale record"

start=$(now_ms)
MARK=$MARK-b wrap again --name worker --instance-id w-1 -- sh "$T/family"
until_true 10 registered worker w-1 ACTIVE
taken() {
	[ "$("$AEGIS" registry get worker/w-1 --json | js m.metadata.nonce)" != "$first" ]
}
until_true 10 taken
took=$(($(now_ms) - start))
[ "$took" -lt 300000 ] || fail "the take-over took $took ms"
until_true 10 log_has again 'took over the record'

# The store drops the record at its time to live, and no older revision comes back.
wrap brief --name worker --instance-id w-2 --heartbeat-interval 500ms --registry-ttl 2s -- sleep 1000
stored() {
	bus record worker w-2 | js 'm.seq'
}
until_true 10 registered worker w-2 ACTIVE
first_seq=$(stored)
renewed() {
	[ "$(stored)" -ge $((first_seq + 2)) ]
}
until_true 10 renewed
end brief KILL
expired() {
	[ "$(stored)" = 0 ]
}
until_true 10 expired

# An orderly stop leaves nothing either.
end again
until_true 2 unmarked "$MARK-b"
