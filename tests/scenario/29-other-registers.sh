# From three registers to one and back: refused while somebody leads, gone on with after it was killed on the way, epochs
# that grow across the change, and a member that was forgotten and stops.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/elect.sh"
. "$(dirname "$0")/../support/cluster.sh"

cluster_start
candidate a
until_true 40 begun_by 1 a
registers() {
	"$AEGIS" elect jobs --observe --json >"$T/look.json" 2>/dev/null
	json "v.registers.length === $1 && v.registers.every(r => r.reached)" look.json
}
until_true 20 eval '( registers 3 )'

# What is refused, and changes nothing.
code 2 "$AEGIS" elect --migrate
says stderr 'pass --yes'
code 2 "$AEGIS" elect --migrate --yes --registers 2
says stderr '1 or 3'
code 2 "$AEGIS" elect jobs --migrate --yes
says stderr "'jobs' is one word too many"
code 2 "$AEGIS" elect jobs --registers 3 -- true
says stderr '--registers belongs to --migrate'
code 2 "$AEGIS" elect
says stderr 'GROUP is missing'
code 0 "$AEGIS" elect --migrate --yes --json
json 'v.from === 3 && v.to === 3 && v.groups === 0'
code 5 "$AEGIS" elect --migrate --registers 1 --yes
says stderr "'a' leads group 'jobs' of aegis elect"
until_true 20 eval '( registers 3 )'
[ "$(begun)" -eq 1 ] || fail "a refused migration moved the lead"

# A leader and a standby that are forgotten: they stand still while the registers are replaced.
candidate b
until_true 20 log_has b 'takes part in the election'
kill -STOP "$(pid_of a)" "$(pid_of b)"
still() {
	"$AEGIS" elect jobs --observe --json >"$T/look.json" 2>/dev/null
	json '!v.led' look.json
}
until_true 20 eval '( still )'
for s in 0.3 1 2; do
	timeout -s KILL $s "$AEGIS" elect --migrate --registers 1 --yes >"$T/stdout" 2>&1 || :
done
# One of the three may have been quick enough to be ready.
code 0 "$AEGIS" elect --migrate --registers 1 --yes --json
json 'v.to === 1 && (v.from === 1 || v.groups === 1)'
kill -CONT "$(pid_of a)" "$(pid_of b)"
until_true 20 ended a
until_true 20 ended b
log_has a 'the registers of jobs were replaced' || fail "the forgotten leader was not told"
log_has b 'the registers of jobs were replaced' || fail "the forgotten standby was not told"
[ "$(begun)" -eq 1 ] || fail "a forgotten member led after the change"

# The new set: one register, and epochs go on.
candidate c
until_true 40 begun_by 2 c
until_true 20 eval '( registers 1 )'
exclusive
end c

# And back, after a member that let go; with another group that nobody led since.
spawn other "$AEGIS" elect reports --id other -- sleep 1000
until_true 20 "$AEGIS" elect reports --observe
end other
code 0 "$AEGIS" elect --migrate --registers 3 --yes --json
json 'v.from === 1 && v.to === 3 && v.groups === 2'
candidate d
until_true 40 begun_by 3 d
until_true 20 eval '( registers 3 )'
end d
exclusive
