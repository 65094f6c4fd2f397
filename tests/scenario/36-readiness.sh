# Every way of being ready: by HTTP, by TCP, by a command, by a line on a descriptor, by
# systemd's socket, or by running at all.  Before it nothing is registered; one that is not
# ready in time is stopped.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

# waits NAME: runs, but is not in the registry.
waits() {
	until_true 10 log_has "$1" 'runs as process'
	! registered probe-service "$1" || fail "$1 is registered before it is ready"
}
port=$(free_port) tcp=$(free_port) app=$(free_port)
cat >"$T/late" <<'EOF'
while [ ! -e "$APP_READY" ]; do sleep 0.02; done
EOF
begin() {
	w=$1
	shift
	wrap "$w" --name probe-service --instance-id "$w" "$@"
}
begin http --ready-http "http://127.0.0.1:$port/ready" -- node "$S/app.mjs" http "$port"
begin tcp --ready-tcp "$tcp" -- sh -c ". $T/late; exec node '$S/app.mjs' http $tcp"
begin cmd --ready-cmd "test -e '$APP_READY'" -- sleep 1000
begin fd --ready-fd 5 -- sh -c ". $T/late; echo up >&5; exec 5>&-; exec sleep 1000"
begin notify --ready-notify -- sh -c ". $T/late; exec perl '$T/notify.pl'"
begin app --app-port "$app" -- sh -c ". $T/late; exec node '$S/app.mjs' http $app"
begin socket --app-socket "$T/app.sock" -- sh -c ". $T/late; exec node '$S/app.mjs' http $T/app.sock"
cat >"$T/notify.pl" <<'EOF'
use Socket;
my $name = $ENV{NOTIFY_SOCKET};
$name =~ s/^@/\0/;
socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die;
send($s, "STATUS=warming up\n", 0, pack_sockaddr_un($name)) or die "$name: $!";
send($s, "READY=1\n", 0, pack_sockaddr_un($name)) or die;
sleep 1000;
EOF
begin none -- sleep 1000
until_true 5 registered probe-service none ACTIVE
for w in http tcp cmd fd notify app socket; do
	waits $w
done
# Half a second of nothing.
sleep 0.5
"$AEGIS" registry ls --instances --json >"$T/list"
is '["none"]' 'm.map((x) => x.instanceId)' "$T/list"

touch "$APP_READY"
for w in http tcp cmd fd notify app socket; do
	until_true 10 registered probe-service $w ACTIVE
done

# Not ready in time: stopped; a restart may help, without one the wrapper says so.
code 125 "$AEGIS" run-service --name slow-one --ready-cmd false --ready-timeout 300ms -- sleep 1000
says stderr 'is not ready after 300 ms'
rm -f "$APP_READY"
wrap slow --name slow-one --instance-id s-1 --ready-cmd "test -e '$T/second'" --ready-timeout 5s --restart on-failure -- \
    sh -c "[ -e '$T/first' ] && touch '$T/second'; touch '$T/first'; exec sleep 1000"
until_true 10 registered slow-one s-1 ACTIVE
[ "$(logged slow 'runs as process')" -eq 2 ] || fail "started $(logged slow 'runs as process') times, not twice"

# The descriptor closed without a line is no readiness.
wrap mute --name mute-one --instance-id m-1 --ready-fd 3 -- sh -c 'exec 3>&-; exec sleep 1000'
until_true 5 log_has mute 'without having written a line'
! registered mute-one m-1 || fail "a closed descriptor counted as ready"
