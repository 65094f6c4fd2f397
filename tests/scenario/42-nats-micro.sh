# $SRV.PING, INFO and STATS answer so that the official client of NATS micro lists, describes
# and counts instances; the counts are those of the calls made.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

for i in 1 2; do
	wrap "w$i" --name order-service --instance-id "o-$i" --version 2.1.0 --description 'takes orders' --app-stdio \
	    --method echo --method fail -- node "$S/app.mjs" stdio
	until_true 10 registered order-service "o-$i" ACTIVE
done
wrap other --name other-service --instance-id x-1 --app-stdio -- node "$S/app.mjs" stdio
until_true 10 registered other-service x-1 ACTIVE

answers order-service echo '{}' --count 7 --instance o-1 || fail "exit $rc"
for _ in 1 2; do
	call order-service fail '{"text": "no"}' --instance o-1
done
counted() {
	node "$S/micro.mjs" order-service 2 >"$T/micro"
	[ "$(js 'm.stats[0].endpoints.map((x) => [x.name, x.num_requests, x.num_errors])' "$T/micro")" = '[["echo",7,0],["fail",2,2]]' ]
}
until_true 10 counted
is '["o-1","o-2"]' 'm.ping.map((x) => x.id)' "$T/micro"
is '["io.nats.micro.v1.ping_response","order-service","2.1.0"]' '[m.ping[0].type, m.ping[0].name, m.ping[0].version]' "$T/micro"
is '"takes orders"' 'JSON.stringify(m.info[0].description)' "$T/micro"
is '[["echo","rpc.order-service.echo","rpc.order-service"],["fail","rpc.order-service.fail","rpc.order-service"]]' \
    'm.info[0].endpoints.map((x) => [x.name, x.subject, x.queue_group])' "$T/micro"
is true 'm.stats[0].endpoints.every((x) => x.average_processing_time > 0 &&
    Math.abs(x.processing_time / x.num_requests - x.average_processing_time) < 2)' "$T/micro"
is true 'Math.abs(Date.parse(m.stats[0].started) - Date.now()) < 600e3' "$T/micro"
is '[]' 'm.stats[1].endpoints.filter((x) => x.num_requests > 0)' "$T/micro"

# The nonce is the record's, and every process draws its own.
nonce=$("$AEGIS" registry get order-service/o-1 --json | js m.metadata.nonce)
is "$nonce" 'm.ping[0].metadata.nonce' "$T/micro"
is true 'm.ping[0].metadata.nonce !== m.ping[1].metadata.nonce' "$T/micro"

# All three widths, each answered by whom it names.
for subject in '$SRV.PING' '$SRV.PING.order-service' '$SRV.PING.order-service.o-2'; do
	bus request "$subject" '' >"$T/ping"
	is io.nats.micro.v1.ping_response m.json.type "$T/ping"
done
is o-2 m.json.id "$T/ping"
rc=0
bus request '$SRV.PING.order-service.o-3' '' >/dev/null 2>&1 || rc=$?
[ "$rc" -eq 8 ] || fail "somebody answers for an instance that is not there"
