# Under a stream of calls the leader is asked to stop: every call is answered, none twice, and the next one
# leads; so do those that come by the queue, from clients that know nothing of elections.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
. "$(dirname "$0")/../support/election.sh"
nats_start
for i in a b c; do member "$i" --profile relaxed; done
until_true 20 leads
first=$(leader)
adding load 60
spawn plain node "$S/load.mjs" pay-service who
until_true 20 bash -c "[ \$(grep -c . '$T/load.out') -ge 15 ]"
end "$first"
[ "$rc" -eq 0 ] || fail "exit $rc after TERM"
until_true 10 leads_after "$first"
second=$(leader)
until_true 30 bash -c "[ \$(grep -c . '$T/load.out') -ge 35 ]"
end "$second"
[ "$rc" -eq 0 ] || fail "exit $rc after TERM"
until_true 60 grep -q '^over' "$T/load.out"
unknown=$(books load) || fail "the books: $(tail -n 3 "$T/load.out")"
[ "$unknown" -eq 0 ] || fail "$unknown calls are unknown"
# The program that went on learned each time what it is now.
[ "$(cat "$T/plain.out")" = good ] || fail "plain clients saw: $(cat "$T/plain.out")"
last=$(leader)
is '["active"]' "l.filter((x) => x.role && x.instance === '$last').map((x) => x.role)" "$APP_LOG"
