# What /openapi.json says is valid for an independent validator, every operation in it answers as it says (Ajv judges
# each body), refuses who shows nothing, and /metrics is what Prometheus reads.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

at=$(free_port)
spawn api "$AEGIS" serve-api --listen "http://127.0.0.1:$at"
ready() {
	curl -fsS "http://127.0.0.1:$at/readyz"
}
until_true 10 ready
"$AEGIS" token create --role admin --json >"$T/made"
node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).token' "$T/made" >"$T/token"
wrap shop --name shop --instance-id shop-1 --app-stdio -- node "$S/app.mjs" stdio
wrap py --name shop --instance-id py-1 --app-stdio -- node "$S/app.mjs" stdio
until_true 10 registered shop shop-1 ACTIVE
until_true 10 registered shop py-1 ACTIVE
node "$S/openapi.mjs" "http://127.0.0.1:$at" "$T/token" "$S/samples.mjs"

TOKEN=$(cat "$T/token") until_true 10 node "$S/prom.mjs" "http://127.0.0.1:$at/metrics" 'm.aegis_build_info[0].value === 1 && m.aegis_nats_connected[0].value === 1 &&
    m.aegis_nats_rtt_seconds[0].value > 0 && m.process_resident_memory_bytes[0].value < 64e6 &&
    m.aegis_registry_watch_age_seconds[0].value === 0 &&
    m.aegis_registry_instances.find((s) => s.labels.service === "shop" && s.labels.status === "ACTIVE").value === 2 &&
    m.aegis_http_request_duration_seconds_count.some((s) => s.labels.route === "/api/services/{name}" && s.labels.code === "200") &&
    m.aegis_http_request_duration_seconds_count.every((s) => !s.labels.route.includes("new-service"))'
