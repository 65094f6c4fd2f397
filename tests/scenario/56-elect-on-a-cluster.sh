# Three nodes, a register on each: a node that dies leaves the leader where it is, the leader's death moves
# the lead although a node is away, and --observe tells of all that.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/elect.sh"
. "$(dirname "$0")/../support/cluster.sh"

cluster_start

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
	"$AEGIS" elect jobs --observe --json --timeout 5s >"$T/look.json" 2>/dev/null &&
	    json 'v.led && v.leader === "a" && v.registers.filter(r => r.reached).length === 2 &&
		v.registers.some(r => !r.reached && r.problem)' look.json
}
until_true 40 eval '( one_away )'
[ "$(begun)" -eq 1 ] || fail "the death of a node moved the lead"

# Now the leader too: two registers are a quorum.
end a KILL
until_true 20 begun_by 2 b
node_start 2
whole() {
	"$AEGIS" elect jobs --observe --json >"$T/look.json" 2>/dev/null &&
	    json 'v.leader === "b" && v.registers.every(r => r.reached && r.owner === "b")' look.json
}
until_true 40 eval '( whole )'
end b
exclusive
