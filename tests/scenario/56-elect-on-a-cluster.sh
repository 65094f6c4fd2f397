# Three nodes, a register on each: a node that dies leaves the leader where it is, the leader's death moves
# the lead although a node is away, and --observe tells of all that.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/elect.sh"

for n in 1 2 3; do
	client[n]=$(free_port) route[n]=$(free_port)
done
# server N: a node of the cluster, on the ports and data that are its own.
server() {
	mkdir -p "$T/n$1"
	cat >"$T/n$1.conf" <<EOF
server_name: n$1
listen: "127.0.0.1:${client[$1]}"
jetstream { store_dir: "$T/n$1" }
cluster { name: c, listen: "127.0.0.1:${route[$1]}", routes: [ $(printf '"nats://127.0.0.1:%s", ' "${route[@]}") ] }
EOF
	spawn "n$1" "$NATS_SERVER" -c "$T/n$1.conf"
}
for n in 1 2 3; do
	server $n
done
NATS_URL=$(printf 'nats://127.0.0.1:%s,' "${client[@]}")
export NATS_URL=${NATS_URL%,}
ready() {
	grep -qh 'Self is new JetStream cluster metadata leader' "$T"/n?.log
}
until_true 30 ready

candidate a
until_true 40 begun_by 1 a
candidate b
until_true 20 log_has b 'takes part in the election'
on_three() {
	"$AEGIS" elect jobs --observe --json >"$T/look.json" 2>/dev/null &&
	    json 'v.led && v.leader === "a" && v.registers.length === 3 && !v.one_register_in_a_cluster &&
		new Set(v.registers.map(r => r.node)).size === 3 && v.registers.every(r => r.state === "held" && r.owner === "a")' look.json
}
until_true 20 eval '( on_three )'

# A node dies: the lead stays, and whoever looks is told which register is away.
end n2 KILL
one_away() {
	"$AEGIS" elect jobs --observe --json --timeout 2s >"$T/look.json" 2>/dev/null &&
	    json 'v.led && v.leader === "a" && v.registers.filter(r => r.reached).length === 2 &&
		v.registers.some(r => !r.reached && r.problem)' look.json
}
until_true 40 eval '( one_away )'
[ "$(begun)" -eq 1 ] || fail "the death of a node moved the lead"

# Now the leader too: two registers are a quorum.
end a KILL
until_true 20 begun_by 2 b
server 2
whole() {
	"$AEGIS" elect jobs --observe --json >"$T/look.json" 2>/dev/null &&
	    json 'v.leader === "b" && v.registers.every(r => r.reached && r.owner === "b")' look.json
}
until_true 40 eval '( whole )'
end b
exclusive
