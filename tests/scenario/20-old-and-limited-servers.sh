# Server 2.10, buckets made by others, no JetStream at all: what works goes on working, and
# what is missing is said once, by name, with what follows from it.
. "$(dirname "$0")/../support/lib.sh"
greeter=$ROOT/deploy/examples/greeter.sh
run() { spawn "$1" "$AEGIS" run-service --name greeter --instance-id "$1" --app-stdio -- sh "$greeter"; }
works() {	# a definition, an instance, a call
	echo '{"service_name":"greeter","owner":"o","description":"d","version":"1.0.0"}' >"$T/d.json"
	code 0 "$AEGIS" registry put "$T/d.json"
	run "$1"
	until_true 10 registered greeter "$1"
	code 0 "$AEGIS" call greeter greet '{"name":"old"}'
	says stdout "Hello, old!"
	code 0 "$AEGIS" registry ls
	says stdout "$1"
	code 0 "$AEGIS" registry rm greeter --confirm greeter
	end "$1"
	code 3 "$AEGIS" registry get "greeter/$1"
}

"$NATS_SERVER_OLD" --version | grep -q 'v2\.10\.' || fail "the old server is not old"
nats_start old "$NATS_SERVER_OLD"
works on-old
says on-old.log "older than nats-server 2.11"
says on-old.log "nats.degraded"
[ "$(grep -c nats.degraded "$T/on-old.log")" -eq 1 ] || fail "it is said more than once"
end old

# A bucket without allow_msg_ttl on a server that can: it is switched on, nothing is lost.
nats_start without_ttl
js bucket service_registry '{"allow_msg_ttl":false}'
js instance other other-1
works upgraded
js stream KV_service_registry >"$T/stream"
json 'v.config.allow_msg_ttl === true && v.config.max_msgs_per_subject === 10' stream
code 0 "$AEGIS" registry get other/other-1
end without_ttl

# A bucket with max_age expires definitions, too: reported, and left as it is.
nats_start with_max_age
js bucket service_registry '{"max_age":60000000000}'
works aged
says aged.log "max_age 60 s"
says aged.log "nats.degraded"
js stream KV_service_registry >"$T/stream"
json 'v.config.max_age === 60000000000' stream
end with_max_age

# A bucket that aegis makes is that of wire.md §8.1.
nats_start fresh
works first
js stream KV_service_registry >"$T/stream"
json 'const c = v.config; c.max_msgs_per_subject === 10 && c.max_msg_size === 1 << 20 && c.max_age === 0 &&
	c.storage === "file" && c.discard === "new" && c.retention === "limits" && c.allow_direct === true &&
	c.allow_rollup_hdrs === true && c.deny_delete === true && c.num_replicas === 1 && c.allow_msg_ttl === true &&
	c.max_consumers === 100000 && !c.subject_delete_marker_ttl && c.subjects.join() === "$KV.service_registry.>"' stream
if grep -q nats.degraded "$T/first.log"; then fail "something is degraded on a new server"; fi
end fresh

# No JetStream: exit 6 at once, and the remedy.
nats_start core_only
end core_only
sed -i '/^jetstream/d' "$T/core_only.conf"
nats_again core_only
for c in "registry ls" "registry get greeter" "registry watch" "registry put $T/d.json"; do
	# shellcheck disable=SC2086
	code 6 timeout $((60 * AEGIS_TEST_SLOW)) "$AEGIS" $c --timeout 55s
	says stderr "no JetStream"
	says stderr "-js"
done
# Plain calls need none: the program runs, is called, and its registration is retried.
run plain
until_true 10 grep -q registry.retry "$T/plain.log"
code 0 "$AEGIS" call greeter greet '{"name":"core"}'
says stdout "Hello, core!"
