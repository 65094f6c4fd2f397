# The orderly stop: the record goes first, calls in flight are answered, callers that have
# not noticed are served for --drain-delay, then the program gets TERM; --drain-timeout
# bounds the wait.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start
listen bus '$KV.service_registry.>' 'internal.registry.>'
purged_at() {
	js "l.find((x) => x.headers['KV-Operation'] === 'PURGE' && x.subject.endsWith('__$1'))?.at ?? 0" "$T/bus.out"
}
term_at() {
	js "l.find((x) => x.signal && x.instance === '$1')?.at ?? 0" "$APP_LOG"
}
call_later() {		# call_later NAME ARGS…: in the background, its exit code in $T/NAME.rc
	n=$1
	shift
	( rc=0; "$AEGIS" call "$@" >"$T/$n.answer" 2>"$T/$n.said" || rc=$?; echo $rc >"$T/$n.rc" ) &
}

# Calls in flight: one that runs, and two that wait behind it, are answered; the program
# hears TERM only afterwards, and the record was gone before.
wrap a --name slow-service --instance-id a --max-inflight 1 --app-stdio -- node "$S/app.mjs" stdio note-term
until_true 10 registered slow-service a ACTIVE
spawn three node "$S/once.mjs" slow-service sleep '{"ms": 300}' 3
until_true 5 grep -q sleep "$APP_LOG"
end a
[ "$rc" -eq 0 ] || fail "exit $rc, not the program's 0"
until_true 5 gone "$(cat "$T/three.pid")"
is '[true,true,true]' 'l.map((x) => x.success)' "$T/three.out"
told() {		# told N: so many broadcasts, and with the second the record's end, are in what the listener wrote
	[ "$(grep -c '"subject":"internal' "$T/bus.out")" -ge "$1" ]
}
until_true 10 told 2
[ "$(executed sleep)" -eq 3 ] || fail "executed $(executed sleep) times"
[ "$(purged_at a)" -gt 0 ] && [ "$(term_at a)" -ge "$(purged_at a)" ] || fail "TERM at $(term_at a), record gone at $(purged_at a)"
is '["internal.registry.register","internal.registry.unregister"]' \
    'l.filter((x) => x.subject.startsWith("internal")).map((x) => x.subject)' "$T/bus.out"

# Callers that have not noticed: served for the delay, and not beyond.
wrap b --name late-service --instance-id b --drain-delay 5s --app-stdio -- node "$S/app.mjs" stdio note-term
until_true 10 registered late-service b ACTIVE
spawn late node "$S/load.mjs" late-service who 20 60
until_true 10 grep -q good "$T/late.out"
kill -TERM "$(cat "$T/b.pid")"
until_true 5 not registered late-service b
served=$(executed who)
more() {
	[ "$(executed who)" -gt "$served" ]
}
until_true 10 more
rc=0
wait "$(cat "$T/b.pid")" || rc=$?
[ "$rc" -eq 0 ] || fail "drain delay: exit $rc"
end late KILL
gone_at=$(date +%s%3N -d "$(js 'l.find((x) => x.event === "drain.step" && x.msg.startsWith("serving callers")).ts' "$T/b.log")")
waited=$(($(term_at b) - gone_at))
[ "$waited" -ge 4950 ] || fail "TERM came $waited ms after the record went, not 5000"

# A call that outlasts --drain-timeout does not hold the stop, and its caller learns that
# nobody knows.
wrap c --name long-service --instance-id c --drain-timeout 400ms --app-stdio -- node "$S/app.mjs" stdio note-term
until_true 10 registered long-service c ACTIVE
: >"$APP_LOG"
call_later c long-service sleep '{"ms": 600000}' --timeout 10m
until_true 5 grep -q sleep "$APP_LOG"
start=$(now_ms)
end c
took=$(($(now_ms) - start))
[ "$took" -ge 400 ] && [ "$took" -lt 300000 ] || fail "stopping took $took ms with --drain-timeout 400ms"
log_has c 'still unanswered'
until_true 5 test -s "$T/c.rc"
[ "$(cat "$T/c.rc")" -eq 9 ] || fail "the caller: exit $(cat "$T/c.rc"), not 9: $(cat "$T/c.said")"

# Nothing in flight: nothing to wait for.
wrap d --name idle-service --instance-id d --drain-timeout 10m --app-stdio -- node "$S/app.mjs" stdio note-term
until_true 10 registered idle-service d ACTIVE
start=$(now_ms)
end d
took=$(($(now_ms) - start))
[ "$took" -lt 300000 ] || fail "an idle service took $took ms to stop"

# A second TERM while calls pour in stops at once, and every caller is told something: those
# on their way are refused.
for round in 1 2 3; do
	wrap "e$round" --name poured-service --instance-id "e-$round" --drain-delay 10m --app-stdio -- node "$S/app.mjs" stdio
	until_true 10 registered poured-service "e-$round" ACTIVE
	for i in 1 2 3 4; do
		spawn "load-$round-$i" node "$S/load.mjs" poured-service who 0
		until_true 10 grep -q good "$T/load-$round-$i.out"
	done
	spawn "burst-$round" node "$S/once.mjs" poured-service sleep '{"ms": 50}' 3000
	kill -TERM "$(cat "$T/e$round.pid")"
	until_true 5 not registered poured-service "e-$round"
	start=$(now_ms)
	end "e$round"
	took=$(($(now_ms) - start))
	[ "$rc" -eq 137 ] || fail "round $round: exit $rc after a second TERM, not that of a killed program"
	[ "$took" -lt 300000 ] || fail "round $round: the second TERM took $took ms"
	log_has "e$round" 'stopping at once'
	for i in 1 2 3 4; do
		end "load-$round-$i" KILL
	done
	end "burst-$round" KILL
done
