# Every node and every member in a network namespace of its own, so that whole hosts are cut off: nodes from each other,
# members from nodes, in one direction and in both. Whoever may lead goes on; whoever may not has ended its
# program before another one's begins.
if [ -z "${IN_NS:-}" ]; then
	unshare --net --mount --pid --fork --mount-proc --propagation private true 2>/dev/null ||
	    { echo "# SKIP no right to make network namespaces"; exit 0; }
	exec env IN_NS=1 unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private bash "$0" "$@"
fi
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/elect.sh"

mkdir -p /run/netns
mount -t tmpfs none /run/netns
ip link set lo up
ip link add br0 type bridge
ip addr add 10.77.0.254/24 dev br0
ip link set br0 up
# host NAME NUMBER
host() {
	ip netns add "$1"
	ip link add "v$1" type veth peer name eth0 netns "$1"
	ip link set "v$1" master br0 up
	ip -n "$1" link set lo up
	ip -n "$1" link set eth0 up
	ip -n "$1" addr add "10.77.0.$2/24" dev eth0
}
declare -A at=([n1]=1 [n2]=2 [n3]=3 [a]=11 [b]=12 [c]=13)
for h in "${!at[@]}"; do host "$h" "${at[$h]}"; done
# deaf FROM TO: nothing of FROM reaches TO.  part A B: neither hears the other.  whole: all hear all.
deaf() {
	ip -n "$1" route add blackhole "10.77.0.${at[$2]}/32" 2>/dev/null || :
}
part() {
	deaf "$1" "$2"
	deaf "$2" "$1"
}
whole() {
	for h in "${!at[@]}"; do ip -n "$h" route flush type blackhole; done
}

for n in 1 2 3; do
	mkdir -p "$T/n$n"
	cat >"$T/n$n.conf" <<EOC
server_name: n$n
listen: "10.77.0.$n:4222"
jetstream { store_dir: "$T/n$n" }
cluster { name: c, listen: "10.77.0.$n:6222", routes: [ "nats://10.77.0.1:6222", "nats://10.77.0.2:6222", "nats://10.77.0.3:6222" ] }
EOC
	spawn "n$n" ip netns exec "n$n" "$NATS_SERVER" -c "$T/n$n.conf"
done
export NATS_URL=nats://10.77.0.1:4222,nats://10.77.0.2:4222,nats://10.77.0.3:4222
ready() {
	grep -qh 'Self is new JetStream cluster metadata leader' "$T"/n?.log
}
until_true 30 ready
for m in a b c; do
	spawn $m ip netns exec $m "$AEGIS" elect jobs --id $m -- "$T/job"
done
until_true 60 begun_by 1
look() {
	"$AEGIS" elect jobs --observe --json --timeout 5s >"$T/look.json" 2>/dev/null || :
	( json "$1" look.json )
}
well='v.led && v.registers.length === 3 && v.registers.every((r) => r.reached && r.owner === v.leader)'
until_true 30 look "$well"
for m in a b c; do until_true 30 log_has $m 'takes part in the election'; done

# stays WHAT: the lead does not move for longer than a lease and the wait for it.
stays() {
	n=$(begun) p=$(program)
	sleep 11
	if [ "$(begun)" -ne "$n" ] || dead "$p"; then fail "the lead moved: $1"; fi
	whole
	until_true 60 look "$well"
}
part n1 n2; part n1 n3; stays "one node was cut off from the others"
deaf n2 n3; deaf n3 n1; stays "nodes did not hear each other, each in one direction"
part n1 n2; part n1 n3; part n2 n3; stays "all nodes were cut off from each other"
part "$(leader)" n2; stays "the leader was cut off from one node"
deaf n3 "$(leader)"; stays "the leader did not hear one node"

# moves: another one leads, after the program of the first is dead; then the first is back as a standby.
moves() {
	until_true 20 begun_by $((n + 1))
	dead "$p" || fail "the program of $old lives although $(leader) leads"
	[ "$(leader)" != "$old" ] || fail "$old leads again although it is cut off"
	whole
	until_true 60 look "$well"
}
before() {
	n=$(begun) p=$(program) old=$(leader)
}
before; for h in n1 n2 n3; do part "$old" $h; done; moves
before; for h in n1 n2; do deaf "$old" $h; done; moves		# nothing of it reaches a majority
before; for h in n1 n2 n3; do deaf $h "$old"; done; moves		# it hears nobody
# A member alone with one node, the others with the two others, which do not hear that one.
before; part "$old" n2; part "$old" n3; part n1 n2; part n1 n3; moves
for m in a b c; do
	[ "$m" = "$(leader)" ] || end $m
done
exclusive
