# Calls into a program through an HTTP port, a Unix socket and stdio: results, the program's
# own errors, the headers that it sees, methods that it or only another member has, and refusal
# at once when too much waits.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

export AEGIS_PROGRAM=$AEGIS
port=$(free_port)
wrap port --name port-service --instance-id i-1 --app-port "$port" -- node "$S/app.mjs" http "$port"
wrap socket --name socket-service --instance-id i-1 --app-socket "$T/app.sock" -- node "$S/app.mjs" http "$T/app.sock"
wrap stdio --name stdio-service --instance-id i-1 --app-stdio -- node "$S/app.mjs" stdio
for s in port socket stdio; do
	until_true 10 registered $s-service i-1 ACTIVE
done

trace=7d9f1c5a-58cc-4372-a567-0e02b2c3d479
for s in port-service socket-service stdio-service; do
	# A result, untouched: nesting, numbers, text of every kind.
	params='{"a": [1, -2.5, 1e300, true, null, {}], "text": "évènement \" \\ \n 日本", "big": 9007199254740993}'
	node -e 'const m = JSON.parse(process.argv[1]); delete m.big; console.log(JSON.stringify(m))' "$params" >"$T/sent"
	answers $s echo "$params" --json --trace-id $trace || fail "$s: exit $rc, $(cat "$T/stderr")"
	is "$(cat "$T/sent")" '(() => { const p = { ...m.result.params }; delete p.big; return p; })()' "$T/stdout"
	answers $s echo '{}' || fail "$s: empty parameters: exit $rc"

	# What the program is told about the call.
	answers $s echo '{}' --json --trace-id $trace
	is "[\"$trace\",true,true]" '(() => {
		const h = Object.fromEntries(Object.entries(m.result.headers).map(([k, v]) => [k.toLowerCase(), v]));
		return [h["aegis-trace-id"], /^[0-9a-f-]{36}$/.test(h["aegis-message-id"]),
		    h.traceparent.includes(h["aegis-trace-id"].replaceAll("-", ""))]; })()' "$T/stdout"
	node "$S/once.mjs" $s echo >"$T/reply"
	is py-client-deeb99b1 'm.result.headers["aegis-source"] ?? m.result.headers["Aegis-Source"]' "$T/reply"

	# The program's own words, and what it does not have.
	call $s fail '{"status": 409, "text": "stock is empty: \"AAPL\""}'
	[ "$rc" -eq 1 ] || fail "$s: a handler error: exit $rc"
	says stderr 'stock is empty: "AAPL"'
	call $s fail '{"status": 500, "text": ""}'
	[ "$rc" -eq 1 ] || fail "$s: an error without words: exit $rc"
	call $s no_such_method
	[ "$rc" -eq 1 ] || fail "$s: a method that the program refuses: exit $rc"
	says stderr 'no method no_such_method'
done

# A program's own call goes on in the trace that it was called in, and within what was left of its time:
# message bus, header, program, message bus, header, program.
for s in port-service socket-service stdio-service; do
	for to in stdio-service port-service; do
		answers $s forward "{\"to\": \"$to\"}" --trace-id $trace --timeout 60s || fail "$s to $to: exit $rc, $(cat "$T/stderr")"
		is "[\"$trace\",true,true]" '(() => {
			const h = Object.fromEntries(Object.entries(m.nested).map(([k, v]) => [k.toLowerCase(), v]));
			return [h["aegis-trace-id"], h.traceparent.startsWith("00-7d9f1c5a58cc4372a5670e02b2c3d479-"),
			    m.left > 1000 && m.left <= 60000]; })()' "$T/stdout"
	done
done

# With --method the wrapper itself knows what there is.
wrap named --name named-service --instance-id i-1 --app-stdio --method echo --method who -- node "$S/app.mjs" stdio
until_true 10 registered named-service i-1 ACTIVE
answers named-service who || fail "a named method: exit $rc"
call named-service sleep '{"ms": 1}'
[ "$rc" -eq 8 ] || fail "a method that is not named: exit $rc, not 8"
[ "$(grep -c sleep "$APP_LOG" || :)" -eq 0 ] || fail "a method that is not named reached the program"

# Members of one service need not have the same methods: whoever is picked first, each call
# gets to one that has it.
wrap left --name mixed-service --instance-id left --app-stdio --method echo -- node "$S/app.mjs" stdio
wrap right --name mixed-service --instance-id right --app-stdio --method who -- node "$S/app.mjs" stdio
until_true 10 registered mixed-service left ACTIVE
until_true 10 registered mixed-service right ACTIVE
for n in 1 2 3 4 5 6; do
	answers mixed-service echo || fail "call $n of echo: exit $rc, $(cat "$T/stderr")"
	answers mixed-service who --json || fail "call $n of who: exit $rc, $(cat "$T/stderr")"
	is right m.result.instance "$T/stdout"
done
call mixed-service echo --instance right
[ "$rc" -eq 8 ] || fail "a method that the demanded member lacks: exit $rc, not 8"

# Back-pressure: two run, three wait, the rest is refused while they still run.
wrap full --name full-service --instance-id i-1 --max-inflight 2 --max-queue 3 --app-stdio -- node "$S/app.mjs" stdio
until_true 10 registered full-service i-1 ACTIVE
# twelve SERVICE: so many calls at a time; those that are refused are, before any other one ends.
twelve() {
	rm -f "$T/go"
	before=$(executed until)
	spawn twelve node "$S/once.mjs" "$1" until "{\"file\": \"$T/go\"}" 12
	until_true 20 refused 7
	until_true 20 run 2
	[ "$(grep -c . "$T/twelve.out")" -eq 7 ] || fail "$(cat "$T/twelve.out")"
	touch "$T/go"
	wait "$pid" || fail "twelve calls: exit $?"
	is 5 'l.filter((x) => x.success).length' "$T/twelve.out"
	is '["SERVICE_UNAVAILABLE"]' '[...new Set(l.filter((x) => !x.success).map((x) => x.error.split(":")[0]))]' "$T/twelve.out"
}
run() {		# run N: so many of them are in the program
	[ "$(executed until)" -ge $((before + $1)) ]
}
refused() {
	[ "$(grep -c '"success":false' "$T/twelve.out")" -ge "$1" ]
}
twelve full-service
[ "$(executed until)" -eq 5 ] || fail "$(executed until) calls reached the program, not 5"
"$AEGIS" call full-service most --json >"$T/most"
is 2 m.result.most "$T/most"
# Over HTTP as well.
wrap web --name web-service --instance-id i-1 --max-inflight 2 --max-queue 3 --app-socket "$T/web.sock" -- \
    node "$S/app.mjs" http "$T/web.sock"
until_true 10 registered web-service i-1 ACTIVE
twelve web-service
"$AEGIS" call web-service most --json >"$T/most"
is 2 m.result.most "$T/most"
