# lib.sh - what every scenario begins with: `. "$(dirname "$0")/../support/lib.sh"`.
#
# A scenario has a directory of its own ($T), starts what it needs through the functions
# below, waits for conditions and never for time, and leaves nothing behind: at its end
# everything that it started is killed, group by group.
# shellcheck shell=bash
set -euo pipefail

SUPPORT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=${SUPPORT%/tests/support}
: "${AEGIS:=$ROOT/build/aegis}" "${NATS_SERVER:=$ROOT/build/root/usr/sbin/nats-server}"
: "${NATS_SERVER_OLD:=$ROOT/build/old-server/usr/sbin/nats-server}" "${AEGIS_TEST_SLOW:=1}"
export AEGIS
T=$(mktemp -d)
pids=()
# Nothing that happens to be set on this machine reaches what is tested.
for v in ${!NATS_@} ${!AEGIS_@} ${!SERVICE_@} INSTANCE_ID HOSTNAME ENVIRONMENT DEBUG HEARTBEAT_INTERVAL REGISTRY_TTL \
    ENABLE_REGISTRATION STALE_THRESHOLD_SECONDS DEFAULT_NATS_HOST PRODUCTION_NATS_HOST_BLACKLIST FORCE_COLOR; do
	case $v in NATS_SERVER|NATS_SERVER_OLD|AEGIS_BUILD|AEGIS_TEST_*) ;; *) unset "$v" ;; esac
done
export XDG_CONFIG_HOME=$T/config XDG_STATE_HOME=$T/state HOME=$T NO_COLOR=1
export LOG_LEVEL=INFO
export XDG_RUNTIME_DIR=$T/run	# what a killed wrapper leaves goes with the rest
mkdir -p "$XDG_CONFIG_HOME" "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR"

finish() {
	rc=$?
	trap - EXIT
	set +e
	for p in "${pids[@]}"; do
		kill -CONT -- "-$p" 2>/dev/null
		kill -KILL -- "-$p" 2>/dev/null
	done
	wait 2>/dev/null
	# What a sanitizer or an assertion said in some background process counts as a failure.
	if [ $rc -eq 0 ] && grep -lE 'Sanitizer: |runtime error: |^aegis: bug: ' "$T"/*.log "$T/stderr" 2>/dev/null; then
		rc=1
	fi
	if [ $rc -ne 0 ]; then
		echo "FAILED with $rc; logs:"
		for f in "$T"/*.log; do
			[ -f "$f" ] && { echo "=== ${f##*/}"; tail -n 25 "$f"; }
		done
		[ ! -s "$T/why" ] || cat "$T/why"
	fi
	umount "$T"/mnt* 2>/dev/null
	rm -rf "$T"
	exit $rc
}
trap finish EXIT
trap 'exit 143' TERM INT

fail() {
	# Said again behind the logs, where one looks first.
	printf 'NOT AS EXPECTED: %s\n  at %s:%s\n' "$*" "${0##*/}" "${BASH_LINENO[-2]}" | tee "$T/why" >&2
	exit 1
}

# spawn NAME CMD…: starts CMD in the background, in a process group of its own, with its
# output in $T/NAME.log and NAME.out; its pid is in $pid and $T/NAME.pid.
spawn() {
	local name=$1
	shift
	# Emptied by us: CMD may begin late, and nobody is to take for its output what an earlier one left.
	: >"$T/$name.out"
	: >"$T/$name.log"
	set -m
	"$@" >>"$T/$name.out" 2>>"$T/$name.log" </dev/null &
	pid=$!
	set +m
	pids+=("$pid")
	echo "$pid" >"$T/$name.pid"
}

# until_true SECONDS CMD…: repeats CMD until it succeeds; fails with what it waited for.  SECONDS is what it takes at
# most on a machine that has the time; one that is busy with other tests gets two minutes, which cost nothing where it
# holds.
until_true() {
	seconds=$(($1 > 120 ? $1 : 120))
	limit=$(($(date +%s%N) + seconds * AEGIS_TEST_SLOW * 1000000000))
	shift
	until "$@" >"$T/until.out" 2>&1; do
		[ "$(date +%s%N)" -lt "$limit" ] ||
		    { tail -n 5 "$T/until.out" >&2; fail "within $seconds s: $*"; }
		sleep 0.02
	done
}

# Ports of our own, which nobody else gets between their choice and their use, nor while a server is away: below those
# that the system gives to whoever asks for any port, in a block that is ours while one of our processes lives (they
# inherit the lock).
PORTS_FIRST=10000 PORTS_LAST=19999 PORTS_EACH=50
claim_ports() {
	local dir=${TMPDIR:-/tmp}/aegis-test-ports-$UID blocks=$(((PORTS_LAST + 1 - PORTS_FIRST) / PORTS_EACH)) start=$RANDOM i lock
	mkdir -p "$dir"
	for ((i = 0; i < blocks; i++)); do
		first_port=$((PORTS_FIRST + (start + i) % blocks * PORTS_EACH))
		exec {lock}>"$dir/$first_port"
		! flock -n "$lock" || return 0
		exec {lock}>&-
	done
	echo "all ports from $PORTS_FIRST to $PORTS_LAST are taken; $dir says by whom" >&2
	return 1
}
claim_ports
seq "$first_port" $((first_port + PORTS_EACH - 1)) >"$T/ports"
# free_port: the next of them that nobody listens on.
free_port() {
	local p
	while p=$(head -n 1 "$T/ports") && [ -n "$p" ]; do
		sed -i 1d "$T/ports"
		if perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => shift, ReuseAddr => 1)' "$p"
		then
			echo "$p"
			return 0
		fi
	done
	echo "no port is left of this scenario's" >&2
	return 1
}

# nats_start [NAME [SERVER [LINES-OF-CONFIG…]]]: a nats-server with JetStream on a port of ours,
# data in $T/NAME; sets NATS_URL and $port.  nats_again NAME starts it on the same port and data.
nats_start() {
	local n=${1:-nats} server=${2:-$NATS_SERVER}
	shift $(($# > 2 ? 2 : $#))
	port=$(free_port)
	mkdir -p "$T/$n"
	{
		echo "host: 127.0.0.1"
		echo "port: $port"
		echo "ports_file_dir: \"$T/$n\""
		echo "server_name: $n"
		echo "jetstream { store_dir: \"$T/$n\" }"
		printf '%s\n' "$@"
	} >"$T/$n.conf"
	echo "$server" >"$T/$n.server"
	spawn "$n" "$server" -c "$T/$n.conf"
	until_true 10 test -s "$T/$n/$(basename "$server")_$pid.ports"
	export NATS_URL=nats://127.0.0.1:$port
}
nats_again() {
	local n=${1:-nats}
	spawn "$n" "$(cat "$T/$n.server")" -c "$T/$n.conf"
	port=$(sed -n 's/^port: //p' "$T/$n.conf")
	until_true 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
}

# end NAME [SIGNAL]: signals what spawn started as NAME and waits for its end; its exit
# code is in $rc.
end() {
	p=$(cat "$T/$1.pid")
	kill -"${2:-TERM}" "$p" 2>/dev/null || :
	rc=0
	wait "$p" 2>/dev/null || rc=$?
}

# code EXPECTED CMD…: CMD ends with that exit code; its output is in $T/stdout and $T/stderr,
# its input is empty or that of STDIN=FILE.
code() {
	expected=$1
	shift
	got=0
	"$@" >"$T/stdout" 2>"$T/stderr" <"${STDIN:-/dev/null}" || got=$?
	[ "$got" -eq "$expected" ] ||
	    { cat "$T/stdout" "$T/stderr" >&2; fail "exit code $got, not $expected: $*"; }
}

# says FILE TEXT: FILE ($T/FILE) contains TEXT.
says() {
	grep -qF -- "$2" "$T/$1" || { cat "$T/$1" >&2; fail "$1 does not say: $2"; }
}
silent() {
	[ ! -s "$T/$1" ] || { cat "$T/$1" >&2; fail "$1 is not empty"; }
}

# registered SERVICE INSTANCE [STATUS]: the registry lists it as fresh (and with that status).
registered() {
	"$AEGIS" registry ls --instances --service "$1" --json |
	    grep -q "\"instanceId\": *\"$2\".*\"status\": *\"${3:-}" ||
	    "$AEGIS" registry ls --instances --service "$1" -o ndjson | grep "\"$2\"" | grep -q "\"${3:-$2}\""
}
gone() {
	! kill -0 "$1" 2>/dev/null
}

# js VERB…: the official client, see nats.mjs.
js() {
	node "$SUPPORT/nats.mjs" "$@"
}

# json TEST [FILE]: the JavaScript expression TEST is true of `v`, the JSON of $T/FILE (stdout
# unless named), or of `rows`, its lines.
json() {
	node -e '
		const text = require("fs").readFileSync(process.argv[2], "utf8").trim();
		let v, rows;
		try { v = JSON.parse(text); } catch { v = undefined; }
		try { rows = text.split("\n").filter(Boolean).map(l => JSON.parse(l)); } catch { rows = v; }
		process.exit(eval(process.argv[1]) === true ? 0 : 1);
	' "$1" "$T/${2:-stdout}" || { head -c 2000 "$T/${2:-stdout}" >&2; fail "not true of ${2:-stdout}: $1"; }
}
