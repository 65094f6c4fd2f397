#!/bin/bash
# kill -9 of the wrapper: the program and every descendant die with it, also those that left
# the session or were forked twice; the record turns stale by age; the same id started anew
# takes the record over at once.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

# marked: processes that inherited our mark, whatever they call themselves.
export MARK=mark-$$-$RANDOM
marked() {
	grep -lz "^MARK=$1\$" /proc/[0-9]*/environ 2>/dev/null | sed 's/[^0-9]//g'
}
alone() {
	[ -z "$(marked "$1")" ]
}
cat >"$T/family" <<'EOF'
#!/bin/sh
setsid sleep 1001 &
( ( setsid sh -c 'trap "" TERM INT HUP; sleep 1002 & exec sleep 1003' & ) & )
sleep 1004 &
echo family >&2
exec sleep 1005
EOF
MARK=$MARK-a wrap w --name worker --instance-id w-1 --heartbeat-interval 500ms -- sh "$T/family"
until_true 10 registered worker w-1 ACTIVE
until_true 10 log_has w family
# The wrapper, its guardian and five sleepers at least.
until_true 5 bash -c "[ \$(grep -lz '^MARK=$MARK-a\$' /proc/[0-9]*/environ 2>/dev/null | wc -l) -ge 7 ]"
first=$("$AEGIS" registry get worker/w-1 --json | js m.metadata.nonce)

end w KILL
until_true 5 alone "$MARK-a"

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
[ "$took" -lt $((5000 * AEGIS_TEST_SLOW)) ] || fail "the take-over took $took ms"
log_has again 'took over the record'

# An orderly stop leaves nothing either.
end again
until_true 2 alone "$MARK-b"
