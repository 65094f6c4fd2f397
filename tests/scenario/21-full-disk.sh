# JetStream runs out of room under a running system: writes answer an error that says so, reads
# and calls go on, no process ends, and everything recovers by itself when there is room.
. "$(dirname "$0")/../support/lib.sh"
definition() { echo "{\"service_name\":\"greeter\",\"owner\":\"$1\",\"description\":\"$2\",\"version\":\"1.0.0\"}" >"$T/d.json"; }

# --- the limit of the server's own configuration ---
nats_start limited
end limited
sed -i 's/^jetstream {/jetstream { max_file: 1MB,/' "$T/limited.conf"
nats_again limited
definition team-a d
code 0 "$AEGIS" registry put "$T/d.json"
spawn wrap "$AEGIS" run-service --name greeter --instance-id g1 --heartbeat-interval 500ms --app-stdio -- \
    sh "$ROOT/deploy/examples/greeter.sh"
until_true 10 registered greeter g1
js bucket other
js fill other 20000 >"$T/refused"
grep -qi resources "$T/refused" || fail "the server is not full: $(cat "$T/refused")"

definition team-b d
code 1 "$AEGIS" registry put "$T/d.json"
silent stdout
says stderr "storage of the server is full"
code 0 "$AEGIS" registry get greeter --json
json 'v.owner === "team-a"'
code 0 "$AEGIS" registry ls
code 0 "$AEGIS" call greeter greet '{"name":"full"}'
says stdout "Hello, full!"
until_true 10 grep -q '"registry.retry"' "$T/wrap.log"
grep '"registry.retry"' "$T/wrap.log" >"$T/retry"
says retry "storage of the server is full"
# Its heartbeats do not arrive, so its age grows; it serves nonetheless.
code 0 "$AEGIS" call greeter greet '{"name":"still"}' --stale-threshold 5m

js purge KV_other
until_true 5 "$AEGIS" registry put "$T/d.json"
code 0 "$AEGIS" registry get greeter --json
json 'v.owner === "team-b"'
room=$(date +%s%3N)
beats() {
	"$AEGIS" registry get greeter/g1 --json >"$T/g1"
	node -e 'process.exit(Date.parse(JSON.parse(require("fs").readFileSync(process.argv[1])).lastHeartbeat) > process.argv[2] ? 0 : 1)' "$T/g1" "$room"
}
until_true 15 beats
end wrap
[ "$rc" -eq 143 ] || [ "$rc" -eq 0 ] || fail "the wrapper ended with $rc"
end limited

# --- a file system without room: the server answers no write at all ---
mkdir "$T/mnt"
if ! mount -t tmpfs -o size=3m none "$T/mnt" 2>"$T/mount.log"; then
	echo "no right to mount a small file system: that half is left out"
	exit 0
fi
nats_start disk
end disk
sed -i "s|^jetstream.*|jetstream { store_dir: \"$T/mnt\", max_file: 10MB }|" "$T/disk.conf"
nats_again disk
definition team-a d
code 0 "$AEGIS" registry put "$T/d.json"
dd if=/dev/zero of="$T/mnt/filler" bs=4k 2>/dev/null || :
long=$(printf 'x%.0s' $(seq 400))
n=0
until [ $n -ge 50 ]; do		# what is left of the last block takes a few
	n=$((n + 1))
	definition "team-$n" "$long"
	rc=0
	"$AEGIS" registry put "$T/d.json" --timeout 5s >"$T/stdout" 2>"$T/stderr" || rc=$?
	[ $rc -eq 0 ] || break
done
[ $rc -eq 7 ] || [ $rc -eq 1 ] || fail "a put on a full disk ended with $rc"
grep -Eq "full" "$T/stderr" || { cat "$T/stderr"; fail "it does not say why"; }
code 0 "$AEGIS" registry get greeter --json
json "v.owner === 'team-$((n - 1))'"
code 0 "$AEGIS" registry ls
# Room again: the server wants a restart for that, aegis does not.
spawn watch "$AEGIS" registry watch -o ndjson
until_true 10 grep -q greeter "$T/watch.out"
rm "$T/mnt/filler"
end disk
nats_again disk
until_true 10 "$AEGIS" registry put "$T/d.json"
until_true 10 grep -q "\"team-$n\"" "$T/watch.out"
