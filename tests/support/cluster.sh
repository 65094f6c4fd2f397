# cluster.sh - for scenarios on three nodes: . "$(dirname "$0")/../support/cluster.sh" after lib.sh.
#
# Ports and data are a node's own, so that what was killed comes back as itself.
# shellcheck shell=bash

# cluster_start [LINES-OF-CONFIG…]: nodes n1, n2, n3, with a meta leader; sets NATS_URL to all of them.
cluster_start() {
	cluster_lines=("$@")
	for n in 1 2 3; do
		client[n]=$(free_port) route[n]=$(free_port)
	done
	for n in 1 2 3; do
		node_start $n
	done
	NATS_URL=$(printf 'nats://127.0.0.1:%s,' "${client[@]}")
	export NATS_URL=${NATS_URL%,}
	until_true 30 cluster_ready
}
cluster_ready() {
	grep -qh 'Self is new JetStream cluster metadata leader' "$T"/n?.log
}

# node_start N: also again, on its old data, below $STORE_N where that is set.
node_start() {
	local store=STORE_$1
	store=${!store:-$T/n$1}
	mkdir -p "$store"
	cat >"$T/n$1.conf" <<EOC
server_name: n$1
listen: "127.0.0.1:${client[$1]}"
jetstream { store_dir: "$store" }
cluster { name: c, listen: "127.0.0.1:${route[$1]}", routes: [ $(printf '"nats://127.0.0.1:%s", ' "${route[@]}") ] }
$(printf '%s\n' "${cluster_lines[@]}")
EOC
	spawn "n$1" "$NATS_SERVER" -c "$T/n$1.conf"
}
