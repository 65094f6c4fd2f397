#!/bin/bash
# A wrapped program calls, publishes, sends, tells its progress and follows its own status through
# its local API alone; independent peers see the bytes; the API answers to the end of the drain.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/commands.sh"
. "$(dirname "$0")/../support/outgoing.sh"
nats_start
listen seen 'rpc.echo-service.>' 'events.order.>' 'commands.py-worker.>'
spawn worker node "$S/commands.mjs" work json py-worker pack
wrap echo --name echo-service --instance-id e-1 --app-stdio -- node "$S/app.mjs" stdio
porter porter --name porter --instance-id p-1 --command work --version 2.1.0
until_true 10 grep -q ready "$T/worker.out"
until_true 10 registered echo-service e-1 ACTIVE
until_true 10 registered porter p-1 ACTIVE

# A call: the result as it is, and who gave it; the request as the bus saw it.
trace=7d9f1c5a-58cc-4372-a567-0e02b2c3d479
posts 200 porter /v1/call/echo-service/echo '{"text": "évènement", "n": [1, 2.5, null]}' -H "Aegis-Trace-Id: $trace"
is '[{"text":"évènement","n":[1,2.5,null]},"p-1"]' '[m.params, m.headers["Aegis-Source"]]' "$T/body"
head_says 'Aegis-Served-By: e-1'
head_says "Aegis-Trace-Id: $trace"
until_true 5 grep -q echo-service "$T/seen.out"
envelopes seen >"$T/calls"
is "[\"rpc.echo-service.e-1.echo\",\"$trace\",\"p-1\",\"echo-service\",\"echo\",\"évènement\"]" \
    '[m.subject, m.trace_id, m.source, m.target, m.method, m.params.text]' "$T/calls"
posts 200 porter "/v1/call/echo-service/who?instance=e-1&timeout=1m" ''
posts 200 porter "/v1/call/echo-service/who?prefer=e-9" ''
posts 200 porter "/v1/call/echo-service/echo?strategy=random" '{}' -H "traceparent: 00-${trace//-/}-00f067aa0ba902b7-01"
is "[\"$trace\",\"00-${trace//-/}-00f067aa0ba902b7-01\"]" '[m.headers["Aegis-Trace-Id"], m.headers.traceparent]' "$T/body"

posts 200 porter /v1/call/echo-service/echo '{}' -H 'Idempotency-Key: pay-7'
is '"pay-7"' 'JSON.stringify(m.headers["Aegis-Message-Id"])' "$T/body"

# What fails, fails by name, and tells what was certainly not executed.
posts 404 porter /v1/call/ech-service/echo '{}'
error_is SERVICE_NOT_FOUND
posts 404 porter '/v1/call/echo-service/echo?instance=e-9' '{}'
posts 500 porter /v1/call/echo-service/fail '{"text": "no stock"}'
error_is INTERNAL_ERROR
grep -q 'no stock' "$T/body" || fail "the handler's words are lost: $(cat "$T/body")"
posts 504 porter '/v1/call/echo-service/sleep?timeout=200ms' '{"ms": 3000}'
error_is TIMEOUT
posts 504 porter /v1/call/echo-service/sleep '{"ms": 3000}' -H 'Aegis-Deadline: 200'
posts 504 porter /v1/call/echo-service/who '{}' -H 'Aegis-Deadline: 0'

# The trace of who called the program goes on to whom it calls.
"$AEGIS" call porter chain '{"path": "/v1/call/echo-service/echo", "body": {"via": "porter"}}' --trace-id $trace --json >"$T/chain"
is "[200,\"porter\",\"$trace\"]" '[m.result.status, m.result.body.params.via, m.result.body.headers["Aegis-Trace-Id"]]' "$T/chain"

# An event: stored when it is answered, once for each key, and readable for a Python member.
posts 201 porter /v1/events/order/created '{"id": 7}' -H 'Idempotency-Key: order-7'
is '["order-7","EVENTS",1,false]' '[m.message_id, m.stream, m.seq, m.duplicate]' "$T/body"
posts 201 porter /v1/events/order/created '{"id": 7}' -H 'Idempotency-Key: order-7'
is '[1,true]' '[m.seq, m.duplicate]' "$T/body"
spawn member node "$S/events.mjs" subscribe audit events.order.created
until_true 10 grep -q ready "$T/member.out"
parent=00-${trace//-/}-00f067aa0ba902b7-01
posts 201 porter '/v1/events/order/created?version=2.0' '{"id": 8}' -H "traceparent: $parent"
until_true 10 grep -q '"id":8' "$T/member.out"
[ "$(grep -c '"id":7' "$T/member.out")" -eq 1 ] || fail "the member got event 7 more than once"
three() {	# the second of them was no other event
	[ "$(grep -c '"subject":"events.order.created"' "$T/seen.out")" -eq 3 ]
}
until_true 10 three
envelopes seen | grep '"subject":"events.order.created"' | tail -n 1 >"$T/event"
is '["order","created","p-1","2.0",{"id":8}]' '[m.domain, m.event_type, m.source, m.version, m.payload]' "$T/event"
is "[\"$trace\",\"$parent\"]" '[m.trace_id, m.headers.traceparent]' "$T/event"

# A command to a Python worker: its result when one waits, its id when not.
posts 200 porter '/v1/commands/py-worker/pack?wait=1m&priority=high' '{"job": 9}' -H "traceparent: $parent"
is '["py",9]' '[m.by, m.echo.job]' "$T/body"
head_says 'Aegis-Command-Id: '
posts 202 porter '/v1/commands/py-worker/pack?max_retries=0' '{"job": 10}' -H 'Idempotency-Key: pack-10'
is '"pack-10"' 'JSON.stringify(m.command_id)' "$T/body"
until_true 10 grep -q '"subject":"commands.py-worker.pack"' "$T/seen.out"
envelopes seen | grep '"subject":"commands.py-worker.pack"' | head -n 1 >"$T/command"
is '["pack","high",3,"p-1",9]' '[m.command, m.priority, m.max_retries, m.source, m.payload.job]' "$T/command"
is "[\"$trace\",\"$parent\"]" '[m.trace_id, m.headers.traceparent]' "$T/command"

# Progress of a command that the program works off, told by HTTP, reaches a Python sender.
py send json porter work '{}' >"$T/out"
is '["completed",{"mine":204,"other":404,"wrong":422}]' '[m.completion.status, m.completion.result]' "$T/out"
is '[[25,"by HTTP"]]' 'm.progress.map((p) => [p.progress, p.status])' "$T/out"

# Its own state, asked and followed.
gets 200 porter /v1/status
is '{"service":"porter","instance":"p-1","version":"2.1.0","program":"ready","phase":"running","registered":true,"connected":true}' \
    m "$T/body"
until_true 5 grep -q '"watch":.*"registered":true' "$APP_LOG"

# The program's end: it still reaches others when it is asked to stop, and the socket goes with it.
. "$T/porter.env"
test -S "${AEGIS_API#unix:}" || fail "no socket at $AEGIS_API"
[ "$(stat -c %a "$(dirname "${AEGIS_API#unix:}")")" = 700 ] || fail "others can enter the socket's directory"
end porter
[ "$rc" -eq 0 ] || fail "the wrapper: exit $rc"
grep '"term"' "$APP_LOG" >"$T/term"
is '["stopping",200,{"late":true}]' m.term "$T/term"
# The watch tells what is, in its order; who reads late does not hear of what was short.
grep -o '"phase":"[a-z]*"' "$APP_LOG" | cut -d'"' -f4 | uniq | paste -sd' ' >"$T/phases"
grep -qxE '.*running( leaving)?( draining)? stopping' "$T/phases" || fail "the watch told of $(cat "$T/phases")"
[ ! -e "$(dirname "${AEGIS_API#unix:}")" ] || fail "the socket's directory is left behind"
