# Twenty times nats-server is killed and started while definitions and instances change: a
# `registry watch` that runs all the time ends with exactly what a listing shows, and a
# long-lived caller (the order service, which asks pricing and risk for every order) serves
# again after each restart.  tests/unit/t_discovery.c does it fifty times from within.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

demo() {	# demo KIND ID
	spawn "$2" "$AEGIS" demo-service "$1" --instance-id "$2"
	until_true 10 registered "$1-service" "$2" ACTIVE
}
define() {	# define NAME PATCH
	echo "{\"service_name\": \"$1\", \"owner\": \"me\", \"description\": \"d\", \"version\": \"1.0.$2\"}" |
	    "$AEGIS" registry put - >/dev/null
}
demo order order-1
demo risk risk-1
demo pricing pricing-0
spawn watch "$AEGIS" registry watch -o ndjson
until_true 10 grep -q pricing-0 "$T/watch.out"

order() {
	answers order-service create_order '{"symbol": "AAPL", "quantity": 10}' --timeout 10s
}
until_true 10 order
for round in $(seq 1 20); do
	define "kept-$((round % 7))" "$round"
	define "gone-$round" 0
	if [ $((round % 5)) -eq 0 ]; then
		demo pricing "pricing-$round"
		end "pricing-$((round - 5))"
	fi
	end nats KILL
	nats_again
	until_true 10 order
	until_true 5 "$AEGIS" registry rm "gone-$round" --yes
done
kill -0 "$(cat "$T/watch.pid")" || fail "the watch ended"
[ "$(logged watch 'lost the connection')" -ge 15 ] || fail "the watch noticed only $(logged watch 'lost the connection') restarts"

# What the watch has told, taken together, is what is there.
"$AEGIS" registry ls --all --json >"$T/list"
there=$(js 'm.map((x) => x.kind === "definition" ? `${x.service_name} ${x.version}` : `${x.serviceName}/${x.instanceId} ${x.status}`).sort()' \
    "$T/list")
told() {
	js '(() => { const at = new Map();
		for (const x of l) {
			if (x.event === "resync") continue;
			const key = x.kind === "definition" ? x.service_name : `${x.serviceName}/${x.instanceId}`;
			if (x.event === "remove") at.delete(key);
			else at.set(key, x.kind === "definition" ? x.version : x.status);
		}
		return [...at].map(([k, v]) => `${k} ${v}`).sort(); })()' "$T/watch.out"
}
same() {
	[ "$(told)" = "$there" ] || { echo "told $(told), there is $there"; return 1; }
}
until_true 10 same
[ "$(js 'm.length' "$T/list")" -eq 10 ] || fail "ten entries were to be there: $there"

# Nobody was lost on the way, and nobody was registered twice.
for i in order-1 risk-1 pricing-20; do
	[ "$(logged "$i" 'registered as')" -eq 1 ] || fail "$i registered $(logged "$i" 'registered as') times"
done
end watch INT
