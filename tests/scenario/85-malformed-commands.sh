#!/bin/bash
# A command that nobody can read is delivered once, buried, and never comes back; the next one
# is worked off.  One whose id is no subject token is run without a word to anybody.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/commands.sh"
nats_start

wrap w --name odd-service --instance-id w-1 --command work --app-stdio -- node "$S/jobs.mjs" stdio
takes w commands.odd-service.work
listen acks '$JS.ACK.COMMANDS.odd-service__work.>'
listen words 'commands.callback.>' 'commands.progress.>'
bus publish commands.odd-service.work 'this is no command'
bus publish commands.odd-service.work '{"command": "work", "priority": "URGENT"}'
bus publish commands.odd-service.work hex:c1
until_true 10 queue_is 3 COMMANDS_DLQ
until_true 10 queue_is 0
code 0 "$AEGIS" command dlq ls --json
json 'v.length === 3 && v.every((x) => x.error === "INVALID_REQUEST" && x.deliveries === 1)'
code 0 "$AEGIS" command dlq show 1 --json
json 'Buffer.from(v.message, "base64").toString() === "this is no command"'
py post odd-service work '{"job": 1, "steps": 3}' normal a.b
until_true 10 ran 1 '"job":1'
until_true 10 queue_is 0
py send msgpack odd-service work '{"job": 2}' >"$T/out"
is completed m.completion.status "$T/out"
last_words() {
	[ "$(grep -c '"text":"+[AT][CE]' "$T/acks.out")" -ge 5 ]
}
until_true 10 last_words
until_true 10 grep -q subject "$T/words.out"
# Every delivery had one last word: three terminated, two acknowledged, nothing taken back.
is '["+ACK","+ACK","+TERM","+TERM","+TERM"]' 'l.map((x) => x.text).filter((t) => t !== "+WPI").sort()' "$T/acks.out"
is 1 l.length "$T/words.out"
