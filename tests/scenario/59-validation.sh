#!/bin/bash
# A wrapper with --validate enforce lets nothing through that breaks the service's contract, in
# either direction, and says where; warn lets it pass and says so.  A contract that is written,
# replaced, unreadable or removed counts from then on, without a restart.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/commands.sh"
. "$(dirname "$0")/../support/outgoing.sh"
nats_start
put_raw() {
	node "$S/nats.mjs" put aegis_contract "$@"
}

cat >"$T/app.mjs" <<-'J'
	import { appendFileSync } from "node:fs";
	import { createInterface } from "node:readline";
	for await (const line of createInterface({ input: process.stdin })) {
		const q = JSON.parse(line);
		appendFileSync(process.env.APP_LOG, JSON.stringify({ kind: q.kind, name: q.name, params: q.params }) + "\n");
		console.log(JSON.stringify({ id: q.id, result: q.params?.answer ?? { ok: true } }));
	}
J
cat >"$T/contract.json" <<-'J'
	{ "methods": { "get": {
	    "params": { "required": ["id"], "properties": { "id": { "type": "string", "pattern": "^o-\\d+$" } } },
	    "result": { "properties": { "qty": { "minimum": 1 } } } } },
	  "events": { "order.created": { "required": ["id"] } },
	  "commands": { "ship": { "params": { "properties": { "days": { "type": "integer" } } },
	      "result": { "properties": { "cost": { "type": "number" } } } } } }
J
wrapped() {
	wrap "$1" --name "$1-service" --instance-id i-1 --heartbeat-interval 500ms --app-stdio --event events.order.created --command ship --validate "$2" -- \
	    node "$T/app.mjs"
	until_true 10 registered "$1-service" i-1 ACTIVE
}
# broke NAME N: its heartbeats tell of N messages that broke the contract.
broke() {
	grep "internal.heartbeat.$1-service" "$T/beats.out" | tail -n 1 >"$T/beat"
	[ "$(js 'm.json.metrics.counters["contract.errors"] ?? 0' "$T/beat")" = "$2" ]
}
listen beats 'internal.heartbeat.>'
wrapped strict enforce
wrapped lax warn
wrapped off off

# No bucket, no contract: nothing is judged.
until_true 10 answers strict-service get '{"id": 1}'
for s in strict lax off; do
	code 0 "$AEGIS" registry put $s-service --contract "$T/contract.json"
done
until_true 10 log_has strict contract.changed
until_true 10 log_has lax contract.changed

# Parameters: refused before the program hears of them, with the place; fine ones pass.
: >"$APP_LOG"
call strict-service get '{"id": "x-1"}'
[ "$rc" -eq 2 ] || fail "bad parameters: exit $rc, $(cat "$T/stderr")"
says stderr "INVALID_REQUEST: parameters of method 'get': '/id' does not match (pattern)"
call strict-service get
says stderr "the value has no member 'id' (required)"
node "$S/once.mjs" strict-service get '{"id": 7}' >"$T/reply"
is '[false,true,"422"]' '[m.success, m.error.startsWith("INVALID_REQUEST: "), m.code]' "$T/reply"
[ "$(runs '"get"')" -eq 0 ] || fail "what breaks the contract reached the program"
answers strict-service get '{"id": "o-1"}' || fail "good parameters: exit $rc, $(cat "$T/stderr")"
answers strict-service other '{"id": 1}' || fail "a method that no contract names: exit $rc"
until_true 10 broke strict 3

# Results.
call strict-service get '{"id": "o-1", "answer": {"qty": 0}}'
[ "$rc" -eq 1 ] || fail "a bad result: exit $rc"
says stderr "INTERNAL_ERROR: result of method 'get': '/qty' must be at least 1 (minimum)"
answers strict-service get '{"id": "o-1", "answer": {"qty": 1}}' || fail "a good result: exit $rc"

# Commands: failed for good at the first attempt, without the program; a bad result fails as well.
: >"$APP_LOG"
takes strict commands.strict-service.ship
code 1 "$AEGIS" command send strict-service ship '{"days": 1.5}'
says stderr "payload of command 'ship': '/days' is of type"
[ "$(runs '"ship"')" -eq 0 ] || fail "a bad command reached the program"
command_dead() {
	"$AEGIS" command dlq ls --json >"$T/stdout" && grep -q '"seq"' "$T/stdout"
}
until_true 10 command_dead
json 'v.length === 1 && v[0].deliveries === 1 && v[0].error.startsWith("INVALID_REQUEST: ")'
code 0 "$AEGIS" command send strict-service ship '{"days": 2}' --json
code 1 "$AEGIS" command send strict-service ship '{"days": 2, "answer": {"cost": "much"}}' --max-retries 0
says stderr "result of command 'ship': '/cost'"

# Events: to the dead letters at once; lax and off get it.
: >"$APP_LOG"
code 0 "$AEGIS" event publish order created '{"nr": 1}'
event_dead() {
	"$AEGIS" event dlq ls --json >"$T/stdout" && grep -q '"seq"' "$T/stdout"
}
until_true 10 event_dead
json 'v.length === 1 && v[0].deliveries === 1 && v[0].error.includes("no member \u0027id\u0027 (required)")'
until_true 10 ran 2 '"nr":1'
code 0 "$AEGIS" event publish order created '{"id": 2}'
until_true 10 ran 3 '"id":2'
[ "$(runs '"nr":1')" -eq 2 ] || fail "a bad event reached the strict program"

# What the program publishes itself, through its local API.
porter porter --name porter --instance-id p-1 --validate enforce
until_true 10 registered porter p-1 ACTIVE
code 0 "$AEGIS" registry put porter --contract "$T/contract.json"
until_true 10 log_has porter contract.changed
posts 422 porter /v1/events/order/created '{"nr": 9}'
error_is INVALID_REQUEST
posts 201 porter /v1/events/order/created '{"id": 9}'

# warn: it passes, and the log says so; off: nobody looks.
answers lax-service get '{"id": 1, "answer": {"qty": 0}}' || fail "warn does not let pass: exit $rc"
until_true 10 log_has lax "and the contract disagree: "
until_true 10 broke lax 3	# parameters and result of that call, and the event before
answers off-service get '{"id": 1}' || fail "off does not let pass: exit $rc"
broke off 0 || fail "off counts: $(cat "$T/beat")"
[ "$(logged off contract.)" -eq 0 ] || fail "off looks at contracts"

# Replaced: counts at once.  Unreadable: told, and the last good one goes on.  Removed: nothing is judged.
sed 's/\^o-/^p-/' "$T/contract.json" >"$T/next.json"
code 0 "$AEGIS" registry put strict-service --contract "$T/next.json"
until_true 10 answers strict-service get '{"id": "p-1"}'
call strict-service get '{"id": "o-1"}'
[ "$rc" -eq 2 ] || fail "the replaced contract still counts: exit $rc"
put_raw strict-service '{"methods": {"get": {"params": {"typo": 1}}}}'
until_true 10 log_has strict contract.bad
call strict-service get '{"id": "o-1"}'
[ "$rc" -eq 2 ] || fail "an unreadable contract ended the last good one: exit $rc"
code 0 "$AEGIS" registry rm strict-service --contract --yes
until_true 10 answers strict-service get '{"id": "o-1"}'

# What starts with an unreadable contract lets nothing pass until it is readable.
put_raw late-service 'nonsense'
wrapped late enforce
until_true 10 log_has late contract.bad
call late-service get '{"id": "o-1"}'
[ "$rc" -eq 8 ] || fail "an unreadable contract: exit $rc, not 8"
says stderr "is not read yet"
code 0 "$AEGIS" registry rm late-service --contract --yes
until_true 10 answers late-service get '{"id": "o-1"}'
