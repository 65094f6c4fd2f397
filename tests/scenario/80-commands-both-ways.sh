#!/bin/bash
# A Python sender in both encodings gets progress, completed, failed and cancelled from an
# aegis worker over stdio and over HTTP; an aegis sender gets the completion of a Python
# worker; and the queue is empty afterwards.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/commands.sh"
nats_start

wrap stdio --name stdio-service --instance-id s-1 --command work --app-stdio -- node "$S/jobs.mjs" stdio
wrap http --name http-service --instance-id h-1 --command work --app-socket "$T/jobs.sock" -- node "$S/jobs.mjs" http "$T/jobs.sock"
takes stdio commands.stdio-service.work
takes http commands.http-service.work
until_true 10 test -S "$T/jobs.sock"

for s in stdio-service http-service; do
	for format in msgpack json; do
		py send $format $s work '{"job": 7, "steps": 2, "text": "évènement"}' >"$T/out"
		is '["completed",true,7,"évènement",1]' '[m.completion.status, m.completion.result.done, m.completion.result.echo.job,
		    m.completion.result.echo.text, m.completion.result.delivery]' "$T/out"
		is '["command_id","status","result"]' 'Object.keys(m.completion)' "$T/out"
		is true 'm.completion.command_id === m.id' "$T/out"
		if [ $s = stdio-service ]; then
			is '[[50,"step 1"],[100,"step 2"]]' 'm.progress.map((p) => [p.progress, p.status])' "$T/out"
			is true 'm.progress.every((p) => p.command_id === m.id && Math.abs(p.timestamp - Date.now() / 1000) < 60)' "$T/out"
		fi
		py send $format $s work '{"fail": "no stock"}' 120 0 >"$T/out"
		is '["failed",null,"no stock"]' '[m.completion.status, m.completion.result, m.completion.error]' "$T/out"

		: >"$APP_LOG"
		py send $format $s work '{"gate": "/nowhere"}' >"$T/out" &
		sender=$!
		until_true 10 ran 1 '"command":"work"'
		id=$(sed -n 's/.*"id":"\([^"]*\)".*/\1/p' "$APP_LOG" | head -n 1)
		"$AEGIS" command cancel "$id" --reason enough
		wait $sender
		is '["cancelled",null,"CANCELLED"]' '[m.completion.status, m.completion.result, m.completion.error]' "$T/out"
		until_true 10 ran 1 "\"stopped\":\"$id\""
	done
done
until_true 10 queue_is 0
until_true 10 queue_is 4 COMMANDS_DLQ

# The queue is made as the wire says.
node "$SUPPORT/nats.mjs" stream COMMANDS >"$T/stdout"
json 'v.config.subjects.join() === "commands.>" && v.config.retention === "workqueue" && v.config.max_msgs === 10000 &&
    v.config.storage === "file" && v.config.discard === "old" && v.config.duplicate_window === 120e9 &&
    v.config.max_age === 0 && v.config.max_bytes === -1 && v.config.max_consumers === 100000'

# The other way round.
for format in msgpack json; do
	spawn "py-$format" node "$S/commands.mjs" work $format "py-$format-service" work
	until_true 10 grep -q ready "$T/py-$format.out"
	code 0 "$AEGIS" command send "py-$format-service" work '{"job": 8}' --json --wait 2m
	json 'v.status === "completed" && v.result.by === "py" && v.result.echo.job === 8'
	says stderr '50 %  working'
	end "py-$format" KILL
done
