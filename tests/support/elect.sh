# elect.sh - for scenarios about `aegis elect`: . "$(dirname "$0")/../support/elect.sh" after lib.sh.
#
# The program of every candidate holds a file lock for as long as it lives, and says so when
# somebody else has it: two at a time are seen by the operating system, not by us.
# shellcheck shell=bash

: >"$T/history"
: >"$T/exclusive"
cat >"$T/job" <<'EOF'
#!/bin/bash
# "begin EPOCH INSTANCE PID" and how it was told to end; deaf to TERM where $DEAF is set.
exec 9>"$EXCLUSIVE"
flock -n 9 || echo "OVERLAP $AEGIS_EPOCH $AEGIS_INSTANCE" >>"$HISTORY"
echo "begin $AEGIS_EPOCH $AEGIS_INSTANCE $$ $AEGIS_ROLE $AEGIS_GROUP" >>"$HISTORY"
trap 'echo "term $AEGIS_EPOCH" >>"$HISTORY"; [ -n "${DEAF:-}" ] || exit 0' TERM
trap 'echo "usr2 $AEGIS_EPOCH" >>"$HISTORY"' USR2
while :; do
	sleep 0.05 9>&- & wait $!	# a signal is noted at once
	[ ! -e "$CRASH" ] || { code=$(cat "$CRASH"); rm "$CRASH"; exit "$code"; }
done
EOF
chmod +x "$T/job"
# The longest leases (L is 5.5 s): a busy machine starves candidates for a second, and they must not run out for that.
export AEGIS_PROFILE=wan
# Who is frozen is thawed by the scenario, however long that takes.
export AEGIS_HANG_KILL=0
# And whose program gets no processor for some seconds is not killed for it.
export AEGIS_KILL_AFTER=2m
export HISTORY=$T/history EXCLUSIVE=$T/exclusive CRASH=$T/crash

# candidate NAME OPTION…: in group `jobs`, with the job above; log in $T/NAME.log.
candidate() {
	spawn "$1" "$AEGIS" elect jobs --id "$1" "${@:2}" -- "$T/job"
}

log_has() {
	grep -qF -- "$2" "$T/$1.log"
}
begun() {
	grep -c '^begin' "$T/history" || :
}
# begun_by N [NAME]: so many began, the last one under NAME.
begun_by() {
	[ "$(begun)" -ge "$1" ] && { [ $# -lt 2 ] || [ "$(leader)" = "$2" ]; }
}
last() {
	grep '^begin' "$T/history" | tail -n 1 | cut -d' ' -f"$1"
}
epoch() { last 2; }
leader() { last 3; }
program() { last 4; }
dead() {
	! kill -0 "$1" 2>/dev/null || [ "$(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null)" = Z ]
}
# pid_of NAME: the wrapper.
pid_of() {
	cat "$T/$1.pid"
}
ended() {
	dead "$(pid_of "$1")"
}
# Never two at a time, and each epoch above the one before it.
exclusive() {
	! grep OVERLAP "$T/history" || fail "two ran at a time"
	grep '^begin' "$T/history" | awk '$2 <= e { exit 1 } { e = $2 }' ||
	    { cat "$T/history" >&2; fail "the epochs do not grow"; }
}
