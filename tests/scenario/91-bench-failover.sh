# `aegis bench failover`: it brings its own servers, every kind of death gives outages and no overlap,
# assertions decide the exit code, and Ctrl-C leaves neither a process nor a file.  How long an
# outage is does not matter here.
. "$(dirname "$0")/../support/lib.sh"
mkdir "$T/tmp"
export TMPDIR=$T/tmp
bench=(env "MARK=$T" "$AEGIS" bench failover --nats-server "$NATS_SERVER" --no-progress)

# survivors: of everything that was started, by the variable that it inherits.
survivors() {
	grep -lz "^MARK=$T$" /proc/[0-9]*/environ 2>/dev/null || :
}
left_nothing() {
	[ -z "$(ls -A "$TMPDIR")" ] || fail "left behind: $(ls -A "$TMPDIR")"
	[ -z "$(survivors)" ] || fail "still there: $(survivors)"
}

# The lead changes, no two are active, and nobody's call is lost to anything but the fault.
code 0 "${bench[@]}" --rounds 2 --profile wan --seed 7 --history "$T/history" --assert 'p99<60s' --json
json 'v.name === "failover" && v.schema_version === 1 && v.machine.cores > 0'
json 'v.runs.length === 1 && v.runs[0].pattern === "leader" && v.runs[0].count === 2'
json '(f => f.rounds === 2 && f.changes === 2 && f.overlap === 0 && f.findings === 0 && f.p50_ms > 0 && f.max_ms >= f.p99_ms &&
    f.calls > 100)(v.runs[0].failover)'
# The history tells the same: three leads, each with a higher epoch than the one before.
node -e '
	const lines = require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n").map(l => JSON.parse(l));
	const opened = lines.filter(l => l.ev === "open").map(l => l.epoch), has = ev => lines.some(l => l.ev === ev);
	process.exit(opened.length >= 3 && opened.every((e, i) => i === 0 || e > opened[i - 1]) &&
	    ["inject", "heal", "invoke", "ok", "serve_begin", "serve_end"].every(has) ? 0 : 1)' "$T/history" ||
    fail "the history does not tell it"
left_nothing

# One server, handing over, a crash of the work; as a table.
code 0 "${bench[@]}" --nodes 1 --kill graceful --rounds 1 --profile fast
says stdout OVERLAP
says stdout graceful
# Clients that know nothing of elections lose nothing to it: whoever gets a call passes it on, or keeps it.
code 0 "${bench[@]}" --kill graceful --rounds 3 --profile wan --json
json '(f => f.changes === 3 && f.overlap === 0 && f.lost === 0 && f.queue_calls > 100 && f.queue_failed === 0)(v.runs[0].failover)'
code 0 "${bench[@]}" --nodes 1 --kill crash --rounds 1 -o csv
says stdout "failover,crash,"
# A proxy cuts the leader off; another node's death changes nothing.
code 0 "${bench[@]}" --kill partition --rounds 1 --profile wan --json
json 'v.runs[0].failover.changes === 1 && v.runs[0].failover.overlap === 0'
code 0 "${bench[@]}" --kill nats --rounds 1 --profile wan --json
json 'v.runs[0].failover.rounds === 1 && v.runs[0].failover.overlap === 0'
left_nothing

code 1 "${bench[@]}" --nodes 1 --rounds 1 --assert 'max<1us' --junit "$T/junit"
says stderr "1 of 1 assertions missed: leader: max is "
says junit "<failure"
code 2 "${bench[@]}" --nodes 1 --kill leader+nats
says stderr "use --nodes 3"
code 2 "${bench[@]}" --kill everybody
code 2 "${bench[@]}" --assert 'stop:p99<1s'
says stderr "'stop' is no pattern of failover"
code 2 "$AEGIS" bench failover --nats-server /nonexistent
says stderr "cannot be executed"
left_nothing

# Ctrl-C in the middle.
spawn drill "${bench[@]}" --nodes 1 --rounds 1000 --json
fault_made() { grep -qs '"inject"' "$TMPDIR"/*/history.jsonl; }
until_true 30 fault_made
end drill INT
[ "$rc" -eq 0 ] || grep -q "ended early" "$T/drill.log" || fail "Ctrl-C: exit code $rc"
left_nothing
# And when it cannot clean up, the processes go all the same.
spawn killed "${bench[@]}" --rounds 1000
until_true 30 fault_made
end killed KILL
rm -rf "${TMPDIR:?}"/*
gone() { [ -z "$(survivors)" ]; }
until_true 10 gone
