# The leader's wrapper is stopped for five seconds: its guardian ends the program before another one
# leads, and on waking it finds that it leads no more. A killed guardian takes the program along, and
# the wrapper starts both anew. Programs that hide or are deaf die too.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/elect.sh"
nats_start

export DEAF=1
candidate a
until_true 10 begun_by 1 a
candidate b
until_true 10 log_has b 'takes part in the election'

old=$(program)
kill -STOP "$(pid_of a)"
until_true 10 begun_by 2 b
# The lock told whether they overlapped; this one only whether it is gone for good.
until_true 2 dead "$old"
grep -q '^term' "$T/history" || fail "the program was not told that the lease ends"
sleep 8		# the pause is the point: longer than every lease
[ "$(begun)" -eq 2 ] || fail "$(begun) programs were started"
kill -CONT "$(pid_of a)"
until_true 10 log_has a 'leads ELECT__jobs no more'
until_true 10 log_has a 'ended by signal 9'
[ "$(begun)" -eq 2 ] || fail "the one that woke started its program"

# It stands by, and leads again when its turn comes.
end b KILL
until_true 10 begun_by 3 a

# The guardian is killed: the program dies with it, and the wrapper, which still leads, starts both anew.
old=$(program)
guardian=$(cut -d' ' -f4 "/proc/$old/stat")
kill -KILL "$guardian"
until_true 10 begun_by 4 a
dead "$old" || fail "the program outlived its guardian"
[ "$(grep -c '^begin' "$T/history")" -eq 4 ] || fail "more than one was started"

# A wrapper that hangs is killed by its guardian, and another one leads.
end a KILL
unset DEAF
candidate h --hang-kill 1s
until_true 10 begun_by 5 h
kill -STOP "$(pid_of h)"
until_true 10 ended h
says h.log 'has not turned its loop for 1000 ms'
! grep OVERLAP "$T/history" || fail "two ran at a time"
