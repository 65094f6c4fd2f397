# Signals: HUP QUIT USR1 USR2 WINCH CONT TSTP reach the program's whole group; TERM and INT
# begin the orderly stop and a second one ends it; rewriting, another stop signal; and as
# process 1 the wrapper leaves no zombie and passes exit codes.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

# Two processes of one group note what they get: "parent USR1".
cat >"$T/ears.pl" <<'EOF'
use POSIX;
my ($log, @ends) = @ARGV;
my $who = fork() ? "parent" : "child";
sub note { open(my $f, ">>", $log); syswrite($f, "$who $_[0]\n"); close($f); }
for my $s (qw(HUP QUIT USR1 USR2 WINCH CONT TSTP TERM INT)) {
	$SIG{$s} = sub { note($s); POSIX::_exit(0) if grep { $_ eq $s } @ends; };
}
note("up");
sleep 1 while 1;
EOF
heard() {		# heard LOG LINE…
	log=$1
	shift
	for line; do grep -qx "$line" "$T/$log" || return 1; done
}
wrap all --name worker --instance-id all --kill-after 5m -- perl "$T/ears.pl" "$T/all.ears"
until_true 10 heard all.ears 'parent up' 'child up'
for s in HUP QUIT USR1 USR2 WINCH TSTP CONT; do
	kill -$s "$(cat "$T/all.pid")"
	until_true 5 heard all.ears "parent $s" "child $s"
done
kill -0 "$(cat "$T/all.pid")" || fail "a passed signal ended the wrapper"
registered worker all ACTIVE || fail "a passed signal ended the registration"

# TERM begins the stop, the program hears it once; it does not end, so a second INT ends all.
kill -TERM "$(cat "$T/all.pid")"
until_true 5 heard all.ears 'parent TERM' 'child TERM'
kill -0 "$(cat "$T/all.pid")" || fail "the wrapper did not wait for the program"
start=$(now_ms)
end all INT
took=$(($(now_ms) - start))
[ "$rc" -eq 137 ] || fail "the second signal: exit $rc, not 128+9"
[ "$took" -lt 200000 ] || fail "the second signal took $took ms"
! heard all.ears 'parent INT' || fail "the program got the INT that was the wrapper's"

# INT alone is as orderly as TERM, and what the program hears is the stop signal.
wrap int --name worker --instance-id int -- perl "$T/ears.pl" "$T/int.ears" TERM
until_true 10 heard int.ears 'parent up' 'child up'
end int INT
[ "$rc" -eq 0 ] || fail "INT: exit $rc, not the program's 0"
heard int.ears 'parent TERM' || fail "the program heard $(cat "$T/int.ears")"

wrap quit --name worker --instance-id quit --stop-signal QUIT -- perl "$T/ears.pl" "$T/quit.ears" QUIT
until_true 10 heard quit.ears 'parent up' 'child up'
end quit
heard quit.ears 'parent QUIT' && ! heard quit.ears 'parent TERM' || fail "--stop-signal QUIT: $(cat "$T/quit.ears")"

# Rewriting: another signal, none, and the one that stops.
wrap map --name worker --instance-id map --rewrite-signal HUP:USR1 --rewrite-signal USR2:0 --rewrite-signal 15:3 -- \
    perl "$T/ears.pl" "$T/map.ears" QUIT
until_true 10 heard map.ears 'parent up' 'child up'
kill -USR2 "$(cat "$T/map.pid")"
kill -HUP "$(cat "$T/map.pid")"
until_true 5 heard map.ears 'parent USR1' 'child USR1'
! heard map.ears 'parent HUP' && ! heard map.ears 'parent USR2' || fail "rewriting: $(cat "$T/map.ears")"
end map
heard map.ears 'parent QUIT' && ! heard map.ears 'parent TERM' || fail "TERM rewritten to QUIT: $(cat "$T/map.ears")"
code 2 "$AEGIS" run-service --name worker --rewrite-signal HUP:WHAT -- true
says stderr 'HUP:WHAT'

# As process 1 of a namespace of its own.
alone() {
	unshare --pid --fork --mount-proc "$AEGIS" run-service --name worker -q "$@"
}
code 7 alone -- sh -c 'exit 7'
code 137 alone -- sh -c 'kill -9 $$'
code 143 alone -- sh -c 'kill -TERM $$'
# Fifty orphans that end at once, and more that come in from outside and fall to process 1.
cat >"$T/orphans" <<'EOF'
i=0
while [ $i -lt 50 ]; do ( ( : & ) & ); ( setsid sh -c ': &' & ); i=$((i + 1)); done
touch "$1"
exec sleep 1000
EOF
spawn one unshare --pid --fork --mount-proc --kill-child "$AEGIS" run-service --name worker --instance-id one -- \
    sh "$T/orphans" "$T/orphans-made"
until_true 10 test -e "$T/orphans-made"
inside=$(pgrep -P "$(cat "$T/one.pid")")
for _ in 1 2 3 4 5; do
	nsenter -t "$inside" -p -m sh -c '( ( : & ) & )'
done
zombies() {
	nsenter -t "$inside" -p -m sh -c 'grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null | wc -l'
}
no_zombies() {
	[ "$(zombies)" -eq 0 ]
}
until_true 5 no_zombies
kill -TERM "$inside"
rc=0
wait "$(cat "$T/one.pid")" || rc=$?
[ "$rc" -eq 143 ] || fail "process 1, TERM'd: exit $rc"
