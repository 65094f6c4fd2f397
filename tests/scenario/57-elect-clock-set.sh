# Somebody sets the clocks of members by an hour, ahead and back: the leader's, a standby's, everybody's at once.  It costs
# a renewal, and the lead stays.  The next leader's epoch is higher, whatever its own clock says.
. "$(dirname "$0")/../support/lib.sh"
nats_start

# Members of `aegis bench failover` take part in an election like any other, and set their own wall clock when a
# signal says so: USR1 an hour ahead, USR2 an hour back, HUP right again.  The slowest profile: the lease must not run out
# because this machine is busy.
members=(a b c)
for m in "${members[@]}"; do
	spawn "$m" "$AEGIS" __drill "$m" "$NATS_URL" wan "$T/history" 0 0 0
done
look() {
	"$AEGIS" elect drill --observe --json --timeout 20s >"$T/look.json" 2>"$T/look.err" || :
	( json "$1" look.json )
}
led_by() {
	look "v.led && v.leader === '$1' && v.epoch === $2"
}
jumps() {
	grep -c "clock jumped by $2" "$T/$1.log" || :
}
jumped() {	# jumped MEMBER MS N: it noticed that for the Nth time
	[ "$(jumps "$1" "$2")" -ge "$3" ]
}
opened() {
	grep -c '"ev":"open"' "$T/history"
}
opened_again() {
	[ "$(opened)" -gt "$1" ]
}

# begin: somebody leads: its name in $leader, its epoch in $epoch, one of the others in $other.
begin() {
	until_true 30 look "v.led && v.leader !== '${1:-}'"
	leader=$(js_of v.leader) epoch=$(js_of v.epoch) n=$(opened)
	other=$(echo "${members[@]}" | tr ' ' '\n' | grep -v "^$leader\$" | head -n 1)
}
js_of() {
	node -p "((v) => $1)(JSON.parse(require('fs').readFileSync('$T/look.json', 'utf8')))"
}
# set_clock SIGNAL MS MEMBER…: their clocks are set, by so much, which they notice at their next step; the lead stays.
set_clock() {
	for m in "${@:3}"; do
		was=$(jumps "$m" "$2")
		kill -"$1" "$(cat "$T/$m.pid")"
		until_true 20 jumped "$m" "$2" $((was + 1))
	done
	until_true 20 led_by "$leader" "$epoch"
	[ "$(opened)" -eq "$n" ] || fail "the lead moved when the clock of ${*:3} was set by $2 ms"
	# It goes on being renewed, by an open gate.
	was=$(wc -l <"$T/history")
	until_true 20 eval '[ "$(wc -l <"$T/history")" -gt "$was" ]'
}
hour=3600000
begin
set_clock USR1 3[56] "$leader"		# ms: an hour, and what passed meanwhile
set_clock HUP -3[56] "$leader"
set_clock USR2 -3[56] "$leader"
set_clock HUP 3[56] "$leader"
set_clock USR1 3[56] "$other"
set_clock HUP -3[56] "$other"
set_clock USR1 3[56] "${members[@]}"	# an hour ahead, everybody …

# … under which the next leader's epoch is drawn; the clocks are right again, and the one after it must exceed that.
kill -KILL "$(cat "$T/$leader.pid")"
until_true 30 opened_again "$n"
ahead=$epoch
members=("$other" "$(echo "${members[@]}" | tr ' ' '\n' | grep -v -e "^$leader\$" -e "^$other\$")")
begin "$leader"
[ "$epoch" -gt $((ahead + hour / 2)) ] || fail "the epoch $epoch was not drawn under a clock that is ahead of $ahead"
set_clock HUP -3[56] "${members[@]}"
kill -KILL "$(cat "$T/$leader.pid")"
until_true 30 opened_again "$n"

# Three holds, each with a higher epoch, and none open before the one before it was over.
node -e '
	const holds = [];
	for (const l of require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n").map((x) => JSON.parse(x))) {
		if (l.ev === "open") holds.push({ ...l });
		const h = holds.findLast((x) => x.nonce === l.nonce);
		if (l.until) h.until = Math.max(h.until, l.until);
	}
	holds.sort((x, y) => x.t - y.t);
	console.log(holds);
	process.exit(holds.length === 3 && holds.every((h, i) => i === 0 || (h.epoch > holds[i - 1].epoch && h.t >= holds[i - 1].until)) ? 0 : 1);
' "$T/history" || fail "the holds are not one after another"
