# An instance that does not answer is passed over after five time-outs in a row, said in the log,
# while others answer; asked again now and then, and at once when nobody else is left.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start
for i in 1 2; do
	wrap "p$i" --name pair-service --instance-id "p$i" --registry-ttl 10m --app-stdio -- node "$S/app.mjs" stdio
done
for i in 1 2; do until_true 10 registered pair-service "p$i" ACTIVE; done

# One of two is frozen, wrapper and all: its turns run into their time-outs, five times.
kill -STOP "$(cat "$T/p1.pid")"
call pair-service who --count 40 --timeout 2s --stale-threshold 5m -o ndjson --log-level info
[ "$rc" -eq 7 ] || fail "some calls timed out, but the exit is $rc"
# It is asked again after five seconds, and after ten.
is true 'l.filter((x) => !x.ok).length >= 5 && l.filter((x) => !x.ok).length <= 7' "$T/stdout"
is true 'l.filter((x) => x.ok).every((x) => x.instance === "p2")' "$T/stdout"
says stderr "rpc.breaker"
says stderr "p1 of pair-service does not answer"

# Who demands it is not sent elsewhere.
call pair-service who --timeout 2s --stale-threshold 5m --instance p1
[ "$rc" -eq 7 ] || fail "demanded: exit $rc"

# Alone it is asked however silent it was, and the first answer makes it one like any other.
end p2 TERM
until_true 10 not registered pair-service p2
spawn many "$AEGIS" call pair-service who --count 200 --timeout 1s --stale-threshold 5m -o ndjson --log-level info
until_true 10 log_has many "p1 of pair-service does not answer"
kill -CONT "$(cat "$T/p1.pid")"
until_true 10 log_has many "p1 of pair-service answers again"
wait "$(cat "$T/many.pid")" || :
is true 'l.at(-1).ok' "$T/many.out"
is 200 l.length "$T/many.out"
