# A leader stands still with everything it started, its guardian as well, in the middle of publishing: another one leads,
# and after the thaw nothing of the first is stored any more (--fence stream); it is killed, and stands by with a new program.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/election.sh"
nats_start
writes() {
	wrap "$1" --name pay-service --instance-id "$1" --single-active --profile wan --fence stream --hang-kill 0 "${@:2}" -- \
	    node "$S/writer.mjs" "$T/writes"
}
: >"$T/writes"
for i in a b; do writes "$i"; done
stored() {		# stored NAME N: so many events of it
	[ "$(grep -c "^201 $1 " "$T/writes")" -ge "$2" ]
}
until_true 20 leads
first=$(leader)
second=$([ "$first" = a ] && echo b || echo a)
until_true 20 stored "$first" 20
! grep -q "^201 $second " "$T/writes" || fail "a standby's event was stored"

# The wrapper, its guardian, the program: whatever descends from the wrapper.
below() {
	echo "$1"
	for c in $(cat /proc/"$1"/task/*/children); do below "$c"; done
}
mapfile -t all < <(below "$(cat "$T/$first.pid")")
[ "${#all[@]}" -ge 3 ] || fail "only ${all[*]} are there"
old=$(child "$first")
kill -STOP "${all[@]}"
until_true 20 stored "$second" 20
marks=$(grep -c "^201 $first " "$T/writes")
# The program goes first: whatever it has under way, it sends before anybody can kill it.
kill -CONT "$old"
kill -CONT "${all[@]}"
until_true 10 gone "$old"
until_true 20 registered pay-service "$first" STANDBY
until_true 20 stored "$second" 40
[ "$(grep -c "^201 $first " "$T/writes")" -le $((marks + 1)) ] || fail "thawed, it went on publishing"

# What the stream has: epochs never go back, and each acknowledged event is there once; two writers were killed or are at it
# still, so two may be there that nobody was told of.
end a
end b
node "$S/nats.mjs" messages EVENTS events.ledger.booked >"$T/stream"
is true 'l.every((x, i) => i === 0 || Number(x.headers["Aegis-Epoch"]) >= Number(l[i - 1].headers["Aegis-Epoch"]))' "$T/stream"
is true 'new Set(l.map((x) => x.headers["Aegis-Epoch"])).size >= 2' "$T/stream"
is true 'new Set(l.map((x) => x.headers["Nats-Msg-Id"])).size === l.length' "$T/stream"
told=$(grep -c '^201' "$T/writes")
is true "l.length >= $told && l.length <= $told + 3" "$T/stream"

# A member at another level could publish past the fence.
spawn plain "$AEGIS" run-service --name pay-service --instance-id plain --single-active --profile wan -- sleep 1000
until_true 20 grep -q "uses fence 'stream', not 'gate'" "$T/plain.log"
