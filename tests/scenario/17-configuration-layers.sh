# Where a value comes from: option over AEGIS_* over inherited variable over named context over
# file over selected context over default (conventions.md §2), a typo is an error and never a
# default, and every inherited variable of wire.md §12 that concerns this release works.
. "$(dirname "$0")/../support/lib.sh"
nats_start
good=$NATS_URL bad=nats://127.0.0.1:9
unset NATS_URL
ls_() { "$AEGIS" registry ls --timeout 60s "$@"; }
reached() { code 0 "$@"; }
missed() { code 6 "$@"; says stderr "127.0.0.1:9"; }

# --- the connection, layer by layer: each weaker one points to nobody ---
ctx=$XDG_CONFIG_HOME/nats
mkdir -p "$ctx/context" "$XDG_CONFIG_HOME/aegis"
echo "{\"url\":\"$good\",\"description\":\"from the nats tool\"}" >"$ctx/context/good.json"
echo "{\"url\":\"$bad\"}" >"$ctx/context/bad.json"
echo "{ \"connection\": { \"server\": \"$good\" } }" >"$T/good.json"
printf '{\n\t// a comment\n\t"connection": { "server": "%s", },\n}\n' "$bad" >"$T/bad.json"

missed env DEFAULT_NATS_HOST=127.0.0.1 NATS_CLIENT_PORT=9 "$AEGIS" registry ls --timeout 60s
reached env DEFAULT_NATS_HOST=127.0.0.1 NATS_CLIENT_PORT="${good##*:}" "$AEGIS" registry ls
reached env NATS_URL=auto-detect DEFAULT_NATS_HOST=127.0.0.1 NATS_CLIENT_PORT="${good##*:}" "$AEGIS" registry ls
echo good >"$ctx/context.txt"
reached ls_
cp "$T/bad.json" "$XDG_CONFIG_HOME/aegis/aegis.json"
missed ls_
reached ls_ --config "$T/good.json"
STDIN=$T/good.json reached ls_ --config -
cp "$T/good.json" "$XDG_CONFIG_HOME/aegis/aegis.json"
echo bad >"$ctx/context.txt"
reached ls_
missed ls_ --context bad
cp "$T/bad.json" "$XDG_CONFIG_HOME/aegis/aegis.json"
reached ls_ --context good
reached env NATS_CONTEXT=good "$AEGIS" registry ls
missed env NATS_CONTEXT=good NATS_URL=$bad "$AEGIS" registry ls --timeout 60s
reached env NATS_CONTEXT=bad NATS_URL="$good" "$AEGIS" registry ls
reached env NATS_URL=$bad AEGIS_SERVER="$good" "$AEGIS" registry ls
missed env NATS_URL="$good" AEGIS_SERVER=$bad "$AEGIS" registry ls --timeout 60s
reached env AEGIS_SERVER=$bad "$AEGIS" registry ls -s "$good"
reached ls_ -s "$bad,$good"
# A context that is not there names those that are; the tool's files are only read.
code 2 ls_ --context nope
says stderr "'nope'"
says stderr "good"
sum=$(cat "$ctx"/context/*.json "$ctx/context.txt" | cksum)
rm "$XDG_CONFIG_HOME/aegis/aegis.json" "$ctx/context.txt"

# --- a typo is an error with line, column and suggestion ---
printf '{\n  "connection": {\n    "servr": "x"\n  }\n}\n' >"$T/typo.json"
code 2 ls_ --config "$T/typo.json"
says stderr "$T/typo.json:3:5"
says stderr "'servr'"
says stderr "'server'"
printf '{\n  "conection": {}\n}\n' >"$T/typo.json"
code 2 ls_ --config "$T/typo.json"
says stderr "typo.json:2:3"
says stderr "'connection'"
printf '{ "connection": { "timeout": "soon" } }' >"$T/typo.json"
code 2 "$AEGIS" registry ls -s "$good" --config "$T/typo.json"
says stderr "'soon'"
# A key of another command is known, and not used here.
printf '{ "run_service": { "heartbeat_interval": "3s" } }' >"$T/other.json"
reached ls_ -s "$good" --config "$T/other.json"
code 2 env AEGIS_TIMEOUT=soon "$AEGIS" registry ls -s "$good"
says stderr "AEGIS_TIMEOUT"

# --- production refuses the hosts that can only be a mistake ---
export NATS_URL=$good
code 2 env ENVIRONMENT=production "$AEGIS" registry ls
says stderr "'127.0.0.1'"
says stderr "PRODUCTION_NATS_HOST_BLACKLIST"
code 2 env AEGIS_ENVIRONMENT=production "$AEGIS" registry ls
reached env ENVIRONMENT=production PRODUCTION_NATS_HOST_BLACKLIST=other-host "$AEGIS" registry ls
reached env ENVIRONMENT=staging "$AEGIS" registry ls
reached env ENVIRONMENT=something-else "$AEGIS" registry ls

# --- what an instance takes from its environment ---
record() {	# NAME VARIABLES… : the record of a wrapper that runs with them, in $T/record
	w=$1
	shift
	spawn "$w" env "$@" "$AEGIS" run-service --app-stdio -- sleep 1000
	until_true 10 some_record
	"$AEGIS" registry ls --instances -o ndjson >"$T/record"
	js headers service_registry "service-instances__$(node -e '
		const r = JSON.parse(require("fs").readFileSync(process.argv[1]));
		console.log(r.serviceName + "__" + r.instanceId)' "$T/record")" >"$T/headers"
	end "$w"
	until_true 10 no_record
}
some_record() { "$AEGIS" registry ls --instances -o ndjson | grep -q instanceId; }
no_record() { ! some_record; }

record defaults SERVICE_NAME=plain
json '/^plain-[0-9a-f]{8}$/.test(v.instanceId) && v.version === "1.0.0" && v.metadata.service_type === "service"' record
json 'v["Nats-TTL"] === "30s" && v["Nats-Rollup"] === "sub"' headers
record all SERVICE_NAME=named-service SERVICE_VERSION=2.3.4 INSTANCE_ID=from/instance.id SERVICE_INSTANCE_ID=b HOSTNAME=c \
    SERVICE_TYPE=gateway REGISTRY_TTL=20 HEARTBEAT_INTERVAL=1.5
json 'v.serviceName === "named-service" && v.version === "2.3.4" && v.instanceId === "from-instance-id"' record
json 'v.metadata.service_type === "gateway"' record
json 'v["Nats-TTL"] === "20s"' headers
record second SERVICE_NAME=named-service SERVICE_INSTANCE_ID=svc-id HOSTNAME=pod-1
json 'v.instanceId === "svc-id"' record
record third SERVICE_NAME=named-service HOSTNAME=pod-1.local
json 'v.instanceId === "pod-1-local"' record
record ours SERVICE_NAME=weaker AEGIS_NAME=stronger-one INSTANCE_ID=weaker AEGIS_INSTANCE_ID=stronger REGISTRY_TTL=20 \
    AEGIS_REGISTRY_TTL=25s
json 'v.serviceName === "stronger-one" && v.instanceId === "stronger"' record
json 'v["Nats-TTL"] === "25s"' headers
code 2 env SERVICE_NAME=named-service HEARTBEAT_INTERVAL=40 REGISTRY_TTL=30 "$AEGIS" run-service -- true
says stderr "shorter"
code 2 env SERVICE_NAME=named-service HEARTBEAT_INTERVAL=301 REGISTRY_TTL=3600 "$AEGIS" run-service -- true
says stderr "HEARTBEAT_INTERVAL"
code 2 env SERVICE_NAME=named-service REGISTRY_TTL=3601 "$AEGIS" run-service -- true
says stderr "REGISTRY_TTL"
code 2 env STALE_THRESHOLD_SECONDS=301 "$AEGIS" registry ls
says stderr "STALE_THRESHOLD_SECONDS"

# ENABLE_REGISTRATION=false serves without a record; LOG_LEVEL and DEBUG set the log.
spawn unlisted env ENABLE_REGISTRATION=false SERVICE_NAME=unlisted "$AEGIS" run-service --app-stdio --instance-id u1 -- \
    sh "$ROOT/deploy/examples/greeter.sh"
pings() { node "$SUPPORT/bus.mjs" request '$SRV.PING.unlisted.u1' ''; }
until_true 10 pings
no_record || fail "ENABLE_REGISTRATION=false registered"
end unlisted
for level in "LOG_LEVEL=DEBUG" "LOG_LEVEL= DEBUG=yes" "LOG_LEVEL= AEGIS_LOG_LEVEL=debug"; do
	# shellcheck disable=SC2086
	code 0 env $level SERVICE_NAME=logged "$AEGIS" run-service -- true
	says stderr '"level":"DEBUG"'
done
code 0 env LOG_LEVEL=ERROR SERVICE_NAME=logged "$AEGIS" run-service -- true
silent stderr
code 0 env LOG_LEVEL=INFO DEBUG=1 SERVICE_NAME=logged "$AEGIS" run-service -- true
if grep -q DEBUG "$T/stderr"; then fail "DEBUG beats LOG_LEVEL"; fi

# JetStream's domain, right and wrong.
end nats
nats_start domain "$NATS_SERVER"
end domain
sed -i 's/^jetstream {/jetstream { domain: "hub",/' "$T/domain.conf"
nats_again domain
reached env NATS_JS_DOMAIN=hub "$AEGIS" registry ls
code 6 env NATS_JS_DOMAIN=elsewhere "$AEGIS" registry ls --timeout 60s
says stderr "JetStream"
[ "$sum" = "$(cat "$ctx"/context/*.json 2>/dev/null <(echo bad) | cksum)" ] || fail "the contexts of the nats tool changed"
