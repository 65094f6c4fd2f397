# What a standby is: cold, its program does not run and calls wait until it does; an unhealthy leader lets
# go; a Python leader keeps everybody from leading; and a standby's program may not act.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/election.sh"
nats_start
starts() {		# starts NAME: how often its program was started
	logged "$1" 'runs as process'
}

# Cold: the program runs on the leader alone.
for i in a b; do member "$i" --profile wan --standby cold; done
until_true 20 leads
first=$(leader)
other=$([ "$first" = a ] && echo b || echo a)
until_true 10 registered pay-service "$other" STANDBY
call pay-service who --sticky --timeout 1m
is "\"$first\"" 'JSON.stringify(m.instance)' "$T/stdout"
[ "$(starts "$first")" -eq 1 ] && [ "$(starts "$other")" -eq 0 ] || fail "started $(starts "$first") and $(starts "$other") times"
# It ends: the next one starts its own, and a call that came meanwhile waits for it.
old=$(child "$first")
kill -TERM "$(cat "$T/$first.pid")"
until_true 10 log_has "$first" 'stopping: deregister'
call pay-service who --sticky --timeout 2m
is "\"$other\"" 'JSON.stringify(m.instance)' "$T/stdout"
gone "$old" || fail "two programs at a time"
until_true 10 leads "$other"
end "$other"
[ "$rc" -eq 0 ] || fail "exit $rc"

# Hot, and the leader's program turns unhealthy: it steps down, and is a standby again once it is well.
for i in c d; do
	port=$(free_port)
	wrap "$i" --name pay-service --instance-id "$i" --single-active --profile wan --app-port "$port" \
	    --health-http /health --health-interval 100ms --health-timeout 30s --health-failures 2 -- \
	    env APP_SICK="$T/sick-$i" node "$S/app.mjs" http "$port" note-term
done
until_true 20 leads
first=$(leader)
other=$([ "$first" = c ] && echo d || echo c)
until_true 10 registered pay-service "$other" STANDBY
touch "$T/sick-$first"
until_true 20 leads "$other"
until_true 10 registered pay-service "$first" UNHEALTHY
rm "$T/sick-$first"
until_true 10 registered pay-service "$first" STANDBY
[ "$(starts "$first")" -eq 1 ] || fail "the program of $first was started anew"

# A Python leader: an aegis holder drains, and nobody leads until it is gone.
node "$S/leader.mjs" remove pay-service default
until_true 10 bash -c "
	node '$S/leader.mjs' write pay-service default py-1 1
	grep -q 'py-1.*leads group' '$T/$other.log'"
until_true 10 registered pay-service "$other" STANDBY
until_true 10 registered pay-service "$first" STANDBY
served=$(executed who)
call pay-service who --sticky --timeout 3s
# 7: the last attempt had so little of the time left that nobody answered it.
[ "$rc" -eq 8 ] || [ "$rc" -eq 7 ] || fail "exit $rc, not 8: $(cat "$T/stderr")"
[ "$(executed who)" -eq "$served" ] || fail "it was executed, though nobody leads"
[ "$(node "$S/leader.mjs" read pay-service default | js m.instance_id)" = py-1 ] || fail "its key was written over"
# An old value of one is no leader.
node "$S/leader.mjs" write pay-service default py-1 61
until_true 20 leads
