# `aegis bench`: every pattern gives figures in every format, assertions decide the exit code, Ctrl-C
# ends early with what there is, and nothing is left behind: no instance, no message, no
# consumer, no stream but the product's own.  How fast it is does not matter here.
. "$(dirname "$0")/../support/lib.sh"
nats_start
short=(--duration 100ms --warm-up 20ms --repeat 1 --no-progress)

# left_nothing: after whatever ran before.
left_nothing() {
	[ "$(js keys service_registry)" = "[]" ] || [ -z "$(js keys service_registry)" ] ||
	    fail "left in the registry: $(js keys service_registry)"
	for s in $(js streams); do
		case $s in KV_service_registry) continue ;; EVENTS|COMMANDS|EVENTS_DLQ|COMMANDS_DLQ) ;; *) fail "the stream $s is left" ;; esac
		js stream "$s" >"$T/stream"
		json 'v.state.messages === 0 && v.state.consumer_count === 0' stream
	done
}

# Every benchmark, against bare nats.c: figures, ratios, and the names that programs rely on.
for b in rpc event command kv discovery; do
	code 0 "$AEGIS" bench $b --against raw "${short[@]}" --json
	cp "$T/stdout" "$T/$b.json"
	json "v.schema_version === 1 && v.name === '$b' && v.runs.length > 0 && v.machine.cores > 0 && v.server.name === 'nats'"
	json 'v.runs.every(r => r.count > 0 && r.errors === 0 && r.p50_us > 0 && r.p99_us >= r.p50_us && r.p9999_us <= r.max_us &&
	    r.per_second > 0 && !r.corrected && !r.interrupted)'
	json 'v.runs.filter(r => r.pattern !== "pick").every(r => r.against === "raw" && r.baseline.count > 0 &&
	    r.baseline.errors === 0 && r.ratio.p50 > 0 && r.ratio.p99 > 0 && r.ratio.throughput > 0 && r.rounds.length === 5)'
	left_nothing
done
node -e 'process.exit(JSON.parse(require("fs").readFileSync(process.argv[1])).server.version.startsWith("2.") ? 0 : 1)' \
    "$T/rpc.json" || fail "the server's version is not told"

# Open loop: plain and corrected, and both are said to be what they are.
code 0 "$AEGIS" bench rpc one --rate 200 "${short[@]}" --json
json 'v.runs[0].corrected && v.runs[0].rate_asked === 200 && v.runs[0].plain.p50_us > 0 && v.runs[0].p50_us >= v.runs[0].plain.p50_us'
code 0 "$AEGIS" bench rpc one --rate 200 "${short[@]}"
says stdout corrected
says stdout plain
# A rate that one call at a time cannot keep: the corrected latency grows, the plain one does not.
code 0 "$AEGIS" bench rpc one --rate 1000000 --duration 300ms --warm-up 0 --repeat 1 --json
json 'v.runs[0].p50_us > 10 * v.runs[0].plain.p50_us'
code 0 "$AEGIS" bench rpc many --rate 300 --concurrency 8 "${short[@]}" --json
json 'v.runs[0].in_flight === 8 && v.runs[0].corrected'

# As many as asked for, in either encoding, of any size.
code 0 "$AEGIS" bench rpc --count 103 --warm-up 0 --repeat 2 --encoding json --size 4KiB --json
json 'v.runs.length === 2 && v.runs.every(r => r.count >= 206 && r.count <= 206 + 2 * 5 * 64) && v.runs[0].count === 206'
code 0 "$AEGIS" bench command --concurrency 4 "${short[@]}" --json
json 'v.runs[0].in_flight === 4 && v.runs[0].count > 0 && v.runs[0].errors === 0'
code 0 "$AEGIS" bench kv put --concurrency 4 "${short[@]}" --json
json 'v.runs[0].in_flight === 4 && v.runs[0].errors === 0'
left_nothing

# Instances that live meanwhile are real records; by turns they are gone.
spawn crowd "$AEGIS" bench rpc one --instances 30 --duration 600s --warm-up 0 --repeat 1 --json
bench=$pid
crowded() { [ "$("$AEGIS" registry ls --instances --json | grep -o '"instanceId"' | wc -l)" -eq 31 ]; }
until_true 10 crowded
ticks() { awk '{ print $14 + $15 }' "/proc/$bench/stat"; }
before=$(ticks)
worked() { [ "$(ticks)" -ge $((before + 10)) ]; }		# it is measuring: a tenth of a second of processor time
until_true 20 worked
end crowd INT
[ "$rc" -eq 0 ] || fail "Ctrl-C: exit code $rc"
says crowd.log "ended early"
json 'v.runs[0].interrupted && v.runs[0].count > 0' crowd.out
left_nothing
code 0 "$AEGIS" bench rpc one --instances 30 --against no-instances "${short[@]}" --json
json 'v.runs[0].against === "no-instances" && v.runs[0].ratio.p99 > 0 && v.runs[0].baseline.count > 0'
left_nothing

# Ctrl-C in the middle of everything that makes something.
for b in event command kv discovery; do
	spawn "$b" "$AEGIS" bench $b --duration 600s --warm-up 50ms --repeat 1 --json
	busy() { js streams | grep -qE 'EVENTS|COMMANDS|KV_aegis-bench' || js keys service_registry | grep -q aegis-bench; }
	until_true 10 busy
	end "$b" INT
	[ "$rc" -eq 0 ] || grep -q "before anything was measured" "$T/$b.log" || fail "Ctrl-C in $b: exit code $rc"
	left_nothing
done

# A service that exists.
spawn echo "$AEGIS" demo-service echo
registered_echo() { "$AEGIS" call echo-service echo '{"a":1}' || "$AEGIS" call echo echo '{"a":1}'; }
until_true 10 registered_echo
service=$("$AEGIS" registry ls --instances --json | grep -o '"serviceName": *"[^"]*"' | head -n 1 | sed 's/.*"\([^"]*\)"$/\1/')
code 0 "$AEGIS" bench rpc one --target "$service/echo" --data '{"a":1}' "${short[@]}" --assert 'errors<1'
# Nobody answers: the exit code says why, as that of a call would.
code 3 "$AEGIS" bench rpc one --target no-such-service/echo "${short[@]}"
end echo
code 6 "$AEGIS" bench rpc --server nats://127.0.0.1:1 "${short[@]}"

# Assertions: true, missed, and those that mean nothing.
code 0 "$AEGIS" bench rpc one "${short[@]}" --assert 'p99<60s' --assert 'rate>0.001' --assert 'one:errors<1'
code 1 "$AEGIS" bench rpc one "${short[@]}" --assert 'p99<60s' --assert 'rate<1'
says stderr "1 of 2 assertions missed: one: rate is "
says stderr ", not <1"
says stdout one					# the figures are shown all the same
code 1 "$AEGIS" bench rpc one --against raw "${short[@]}" --assert 'ratio.p50<0.000001' -q
says stderr "ratio.p50 is "
misuse() {
	local text=$1
	shift
	code 2 "$AEGIS" bench "$@"
	says stderr "$text"
	silent stdout
}
misuse "'latency' is no figure; there are p50" rpc --assert 'latency<2ms'
misuse "'2' is no duration" rpc --assert 'p99<2'
misuse "has no <, <=, > or >=" rpc --assert p99
misuse "add --against raw" rpc --assert 'ratio.p99<2'
misuse "'handler' is no pattern of rpc; there are one, many" rpc --assert 'handler:p99<2ms'
misuse "'two' is no pattern of rpc; there are one, many" rpc two
misuse "needs --instances" rpc --against no-instances
misuse "write it as SERVICE/METHOD" rpc --target order-service
misuse "nothing bare to compare 'pick' with" discovery pick --against raw
misuse "one at a time by its nature" event handler --concurrency 4
misuse "--data" rpc --data '{}'

# Files: HdrHistogram's format by its structure, JUnit as XML, CSV with as many cells in every row.
code 1 "$AEGIS" bench rpc "${short[@]}" -o csv --hgrm "$T/a.hgrm" --junit "$T/a.xml" --assert 'p99<60s' --assert 'one:rate<1'
cp "$T/stdout" "$T/a.csv"
[ -s "$T/a-many.hgrm" ] || fail "no file of the second pattern"
python3 - "$T" <<'PY' || fail "a file is not what it should be"
import csv, sys, re, xml.etree.ElementTree as E
t = sys.argv[1]
rows = list(csv.reader(open(t + '/a.csv', newline='')))
assert len(rows) == 3 and len({len(r) for r in rows}) == 1, rows
one = dict(zip(rows[0], rows[1]))
assert one['pattern'] == 'one' and float(one['p50_us']) > 0 and int(one['count']) > 0, one
x = E.parse(t + '/a.xml').getroot()
assert x.tag == 'testsuite' and x.get('tests') == '5' and x.get('failures') == '1', x.attrib
assert [c.get('name') for c in x.iter('testcase') if c.find('failure') is not None] == ['one:rate<1']
lines = open(t + '/a.hgrm').read().splitlines()
assert lines[0].split() == ['Value', 'Percentile', 'TotalCount', '1/(1-Percentile)'] and lines[1] == '', lines[:2]
body = [l.split() for l in lines[2:] if not l.startswith('#')]
assert len(body) > 5 and all(len(l) == 4 for l in body[:-1]) and len(body[-1]) == 3, body
for column in range(3):
	v = [float(l[column]) for l in body]
	assert v == sorted(v), column
assert float(body[-1][1]) == 1 and int(body[-1][2]) == int(one['count'])
assert [re.match(r'#\[(\w+)', l).group(1) for l in lines if l.startswith('#')] == ['Mean', 'Max', 'Buckets'], lines[-3:]
PY
code 1 "$AEGIS" bench rpc one "${short[@]}" --hgrm "$T/no/such/place"
says stderr "cannot be written"

# Two results.
code 0 "$AEGIS" bench compare "$T/rpc.json" "$T/rpc.json"
says stdout same
code 0 "$AEGIS" bench compare "$T/rpc.json" "$T/rpc.json" --json
json 'v.length === 12 && v.every(r => r.verdict === "same" && r.change === 0)'
sed 's/"p50_us":/"p50_us":9/g' "$T/rpc.json" >"$T/slow.json"
code 1 "$AEGIS" bench compare "$T/rpc.json" "$T/slow.json" --json
json 'v.some(r => r.figure === "p50_us" && r.verdict === "worse")'
code 2 "$AEGIS" bench compare "$T/rpc.json" "$T/kv.json"
says stderr "of 'rpc', B of 'kv'"

# Progress: on a terminal only, and wiped at the end; the drawing as well.
on_terminal() { TERM=xterm script -qec "$*" /dev/null; }
unset NO_COLOR
code 0 on_terminal "$AEGIS bench rpc one --duration 2s --warm-up 0 --repeat 1"
says stdout "rpc one ["
says stdout "█"
code 0 on_terminal "$AEGIS bench rpc one --duration 2s --warm-up 0 --repeat 1 --no-progress"
! grep -q "rpc one \[" "$T/stdout" || fail "--no-progress shows progress"
code 0 "$AEGIS" bench rpc one --duration 2s --warm-up 0 --repeat 1
silent stderr
left_nothing
