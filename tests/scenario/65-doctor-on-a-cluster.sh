# `aegis doctor` on a cluster of three: one replica where there could be three, one register where there could be
# three, a node that is away; found, and cured by what it says to type.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/elect.sh"
export AEGIS_PROFILE=relaxed		# a register with replicas has none that is slower
. "$(dirname "$0")/../support/doctor.sh"

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

# What somebody made with one replica.
made() {
	"$AEGIS" registry init
}
until_true 30 js bucket service_registry '{"max_consumers":100000}'
until_true 30 made
sick registry.streams warning 1 "num_replicas is 1 instead of 3: it is not available while its only node is away"
cured
js stream KV_service_registry >"$T/stream"
json 'v.config.num_replicas === 3' stream

# AEGIS_META with one replica makes members believe that there is one server: N=1 on a cluster.
js bucket AEGIS_META '{"max_msgs_per_subject":1,"max_msg_size":-1,"allow_direct":false,"allow_msg_ttl":false}'
candidate a
until_true 40 begun_by 1 a
sick election.registers warning 1 "there is one register (N=1) although the cluster has three nodes"
found election.registers warning "stream KV_AEGIS_META (groups and the set of registers): num_replicas is 1 instead of 3" ||
    fail "the bucket's replicas are not told"
"$AEGIS" status >"$T/stdout"
says stdout "one register (N=1)"
end a
found election.registers warning "there is one register (N=1)"
typed
candidate b
until_true 40 begun_by 2 b
until_true 10 found election.registers warning "num_replicas is 1 instead of 3"
cured
spread() {
	js stream KV_AEGIS_META >"$T/stream"
	json 'v.config.num_replicas === 3 && v.cluster.leader && v.cluster.replicas.length === 2 && v.cluster.replicas.every(r => r.current)' stream
}
until_true 30 eval '( spread )'
"$AEGIS" elect jobs --observe --json >"$T/stdout"
json 'v.registers.length === 3 && v.leader === "b"'
exclusive

# A node is away: the lead stays, and doctor names the node and its register.
node=$(node -e 'console.log(JSON.parse(require("fs").readFileSync(process.argv[1])).registers[0].node)' "$T/stdout")
end "$node" KILL
away() {
	found election.registers warning "the register AEGIS_L1 does not answer; look after the NATS node $node" --timeout 2s
}
until_true 40 away
server "${node#n}"
until_true 40 content
end b
