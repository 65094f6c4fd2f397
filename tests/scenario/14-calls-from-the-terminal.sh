# `aegis call`: parameters from everywhere, answers in every format, each failure with its own
# exit code and sentence, and instances chosen as asked.
. "$(dirname "$0")/../support/lib.sh"
nats_start
greeter=$ROOT/deploy/examples/greeter.sh
for i in 1 2 3; do
	spawn "g$i" "$AEGIS" run-service --name greeter --instance-id "g$i" --app-stdio --method greet --method echo --method fail_it -- \
	    sh "$greeter"
done
spawn mute "$AEGIS" run-service --name mute-service --instance-id m1 --app-stdio -- sleep 1000
for i in 1 2 3; do until_true 10 registered greeter "g$i"; done
until_true 10 registered mute-service m1

# Parameters as a word, an option, a file, stdin, and none.
code 0 "$AEGIS" call greeter greet '{"name":"a \"b\" é"}'
json 'v.greeting === "Hello, a \"b\" é!"'
code 0 "$AEGIS" call greeter greet -d '{"name":"c"}'
json 'v.greeting === "Hello, c!"'
echo '{"name":"from a file"}' >"$T/p.json"
code 0 "$AEGIS" call greeter greet "@$T/p.json"
json 'v.greeting === "Hello, from a file!"'
STDIN=$T/p.json code 0 "$AEGIS" call greeter greet -
json 'v.greeting === "Hello, from a file!"'
code 0 "$AEGIS" call greeter greet
json 'v.greeting === "Hello, world!"'

# Formats: the bare result, or an object with who answered and how long it took.
code 0 "$AEGIS" call greeter echo '{"n":[1,2.5,null,{"x":true}]}'
json 'JSON.stringify(v) === "{\"n\":[1,2.5,null,{\"x\":true}]}"'
code 0 "$AEGIS" call greeter echo '{"n":1}' --json
json 'v.ok === true && v.result.n === 1 && /^g[123]$/.test(v.instance) && v.latency_ms > 0'
code 0 "$AEGIS" call greeter echo --count 9 -o ndjson
json 'rows.length === 9 && rows.every(r => r.ok && r.method === "echo")'
says stderr "9 calls, 0 failed, p50"

# Strategies: in turn; at random; one of them always; the least busy; one and no other.
json '[1, 2, 3].every(i => rows.filter(r => r.instance === "g" + i).length === 3)'
code 0 "$AEGIS" call greeter echo --count 60 -o ndjson --strategy random
json 'new Set(rows.map(r => r.instance)).size === 3'
code 0 "$AEGIS" call greeter echo --count 12 -o ndjson --strategy sticky
json 'new Set(rows.map(r => r.instance)).size === 1'
code 0 "$AEGIS" call greeter echo --count 12 -o ndjson --strategy sticky --instance g3
json 'rows.every(r => r.instance === "g3")'
code 0 "$AEGIS" call greeter echo --count 12 -o ndjson --strategy least_inflight
json 'rows.length === 12 && rows.every(r => r.ok)'
for i in 1 2 3; do
	code 0 "$AEGIS" call greeter echo --count 5 -o ndjson --instance "g$i"
	json "rows.length === 5 && rows.every(r => r.instance === 'g$i')"
done

# Failures.
code 3 "$AEGIS" call greter greet
says stderr "'greter'"
says stderr "did you mean 'greeter'"
code 3 "$AEGIS" call greeter greet --instance g9
says stderr "g9"
silent stdout
code 1 "$AEGIS" call greeter fail_it
says stderr "no method fail_it; there are"
silent stdout
code 8 "$AEGIS" call greeter not_served
says stderr "not_served"
start=$(date +%s%N)
code 7 env AEGIS_TIMEOUT=2m "$AEGIS" call mute-service anything --timeout 300ms
took=$((($(date +%s%N) - start) / 1000000))
[ "$took" -ge 300 ] && [ "$took" -lt 100000 ] || fail "a time-out of 300 ms took $took ms"
grep -Eq 'no answer|did not answer' "$T/stderr" || fail "no word about an answer"
code 1 "$AEGIS" call greeter fail_it --count 3 -o ndjson
json 'rows.length === 3 && rows.every(r => r.ok === false && r.error.includes("no method") && r.code.length > 0)'
says stderr "3 calls, 3 failed"

# Nobody alive: when it was last seen.
end g1 KILL
end g2 KILL
end g3 KILL
code 8 "$AEGIS" call greeter greet --timeout 5s --stale-threshold 1s
js instance old-service o1 100
code 8 "$AEGIS" call old-service greet
says stderr "old-service"
grep -Eq "'o1' was seen last, 1m[45][0-9]s ago" "$T/stderr" || fail "it does not say when it was last seen"

# No NATS at all.
end nats TERM
code 6 "$AEGIS" call greeter greet --timeout 1s
says stderr "$NATS_URL"
