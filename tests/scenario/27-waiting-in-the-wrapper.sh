# Calls that the leader let in, but its program had not begun, when the lead was lost: the program never sees them.
# They came from clients that know nothing of elections, and the next leader answers them, each once.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/election.sh"
nats_start
for i in a b; do member "$i" --profile relaxed --max-inflight 1; done
until_true 20 leads
first=$(leader)
other=$([ "$first" = a ] && echo b || echo a)
until_true 10 registered pay-service "$other" STANDBY
epoch=$(js "m.find((x) => x.instanceId === '$first').metadata.epoch" "$T/members")

# 30 calls; the program has the first one and does not end it, 29 wait in the leader's wrapper, whoever got them.
spawn calls node "$S/once.mjs" pay-service until "{\"file\":\"$T/go\"}" 30
waits() {

	[ "$(executed until)" -eq 1 ]
}
until_true 20 waits
old=$(child "$first")
# Somebody else takes the lead by force, and is never heard of again.
node "$S/nats.mjs" put AEGIS_L0 pay-service__default "{\"v\":1,\"e\":$((epoch + 1000)),\"s\":\"held\",\"h\":\"usurper\",\"n\":\"$(printf %032x 7)\",\"c\":1,\"D\":500,\"L\":1050,\"to\":\"\",\"conn\":[],\"w\":0}"
until_true 10 gone "$old"
touch "$T/go"
until_true 20 gone "$(cat "$T/calls.pid")"
# One was in the program's hands: nobody knows.  All others are answered.
is '[29,1]' '[l.filter((x) => x.success && x.result.success).length,
    l.filter((x) => x.success && !x.result.success && x.result.message.startsWith("OUTCOME_UNKNOWN")).length]' "$T/calls.out"
[ "$(executed until)" -eq 30 ] || fail "$(executed until) executions of 30 calls"
is 30 'new Set(l.filter((x) => x.method === "until").map((x) => x.id)).size' "$APP_LOG"
