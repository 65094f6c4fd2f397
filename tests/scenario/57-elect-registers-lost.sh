# What may happen to the registers of a group on three nodes: two nodes are away, a disk is full, streams are
# deleted, data is gone. Each time: whoever may lead goes on or comes back within its bound, nobody else leads, and
# whoever looks is told why.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/elect.sh"
. "$(dirname "$0")/../support/cluster.sh"

# The disk of one node is small, and its own.
mkdir "$T/mnt"
if mount -t tmpfs -o size=40m none "$T/mnt" 2>"$T/mount.log"; then
	STORE_3=$T/mnt
fi
cluster_start
# look TEST: what --observe says of the group, with or without a leader.
look() {
	"$AEGIS" elect jobs --observe --json --timeout 5s >"$T/look.json" 2>"$T/look.err" || :
	( json "$1" look.json )
}
reached() {
	look "v.registers.filter((r) => r.reached && r.state === 'held' && r.owner === v.leader).length === $1"
}
# moved N: nobody began since N had; else the lead moved without need.
kept() {
	[ "$(begun)" -eq "$1" ] || fail "the lead moved: $2"
}
now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

candidate a
until_true 40 begun_by 1 a
candidate b
until_true 20 log_has b 'takes part in the election'
until_true 20 reached 3

# --- two of three nodes down: nobody, which is said; then again, in time ---
old=$(program) before=$(epoch)
end n2 KILL
end n3 KILL
until_true 10 dead "$old"
# The third answers reads as long as its server has not noticed that the cluster has no leader.
until_true 20 look '!v.led && v.obstacle === "unpinned" && v.registers.filter((r) => !r.reached && r.problem).length >= 2'
# Some seconds later the records of site and group, which have replicas, are not to be had either.
until_true 30 look '!v.led && v.obstacle === "unpinned" && v.registers.length === 3 && v.records_problem !== null'
code 8 "$AEGIS" elect jobs --observe --timeout 5s
says stdout "nobody (unpinned)"
[ "$(begun)" -eq 1 ] || fail "somebody leads with one register of three"
node_start 2
back=$(now_ms)
until_true 30 begun_by 2
# L of the profile is 5.5 s; the server's start, the election of a meta leader, and a busy machine come on top.
echo "it took $(($(now_ms) - back)) ms until somebody led again"
[ "$(epoch)" -gt "$before" ] || fail "epoch $(epoch) is not above $before"
node_start 3
until_true 40 reached 3

# --- a disk is full: its register waits, the leader does not ---
n=$(begun)
if [ -n "${STORE_3:-}" ]; then
	dd if=/dev/zero of="$T/mnt/filler" bs=64k 2>/dev/null || :
	sleep 8		# the time is the point: longer than a lease, and the lead stays wherever it is
	kept "$n" "a disk was full"
	until_true 10 look 'v.led'
	# And also over the leader's death two registers are enough.
	first=$(leader)
	end "$first" KILL
	until_true 20 begun_by $((n + 1))
	rm "$T/mnt/filler"
	end n3 KILL		# such a server wants a restart
	node_start 3
	candidate "$first"
	until_true 20 log_has "$first" 'takes part in the election'
	until_true 40 reached 3
else
	echo "no right to mount a small file system: that part is left out"
fi

# --- one lease stream is deleted: told, the leader goes on, repaired by hand ---
n=$(begun)
until_true 10 js remove KV_AEGIS_L2
until_true 20 look 'v.led && v.registers.some((r) => !r.reached && /not found|no stream/i.test(r.problem))'
kept "$n" "one stream was deleted"
code 0 "$AEGIS" elect jobs --repair --yes --json --timeout 20s
json 'v.streams === 1'
until_true 40 reached 3
kept "$n" "one stream was made anew"

# --- AEGIS_META with the set's and the group's records: running members do not care, new ones write it anew ---
js remove KV_AEGIS_META
candidate c
until_true 30 log_has c 'takes part in the election'
kept "$n" "AEGIS_META was deleted"
written() {
	js get AEGIS_META set >"$T/set" && grep -q 'ready' "$T/set"
}
until_true 20 written
first=$(leader)
end "$first" KILL
until_true 20 begun_by $((n + 1))

# --- the data of one node is gone: filled by the leader ---
n=$(begun)
store=${STORE_3:-$T/n3}
end n3 KILL
rm -rf "${store:?}/jetstream"
node_start 3
until_true 40 look 'v.led && v.registers.length === 3'
kept "$n" "one node lost its data"

# --- the data of two is gone: nobody leads on an empty register; an operator decides ---
end n2 KILL
end n3 KILL
rm -rf "$T/n2/jetstream" "${store:?}/jetstream"
old=$(program)
until_true 10 dead "$old"
node_start 2
node_start 3
until_true 30 look '!v.led && v.obstacle !== null'
for m in a b c; do
	[ "$m" = "$first" ] || end "$m"		# the members are stopped first, as the manual says
done
n=$(begun) before=$(epoch)
until_true 60 "$AEGIS" elect jobs --repair --yes --timeout 10s
candidate d
until_true 40 begun_by $((n + 1)) d
[ "$(epoch)" -gt "$before" ] || fail "epoch $(epoch) is not above $before"
until_true 40 reached 3
exclusive
