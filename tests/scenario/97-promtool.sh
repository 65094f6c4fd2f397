# What /metrics tells, of the management service and of wrappers, is as Prometheus itself wants it.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
tool=$("$ROOT/scripts/promtool" "$ROOT/build") || { echo '# SKIP promtool is not here, and the package prometheus cannot be had'; exit 0; }
nats_start

api=$(free_port) wrapper=$(free_port) elect=$(free_port)
spawn api "$AEGIS" serve-api --listen "http://127.0.0.1:$api"
wrap shop --name shop --instance-id shop-1 --app-stdio --metrics-listen "127.0.0.1:$wrapper" -- node "$S/app.mjs" stdio
spawn elect "$AEGIS" elect jobs --metrics-listen "127.0.0.1:$elect" -- sleep 1000
until_true 10 registered shop shop-1 ACTIVE
"$AEGIS" token create --role metrics --json >"$T/made" 2>/dev/null
token=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).token' "$T/made")
leads() {
	curl -fsS "http://127.0.0.1:$elect/metrics" >"$T/metrics" && grep -q '^aegis_leader{election="jobs"} 1$' "$T/metrics"
}
until_true 20 leads
ready() {
	curl -fsS "http://127.0.0.1:$api/readyz" &&
	    curl -fsS -H "Authorization: Bearer $token" "http://127.0.0.1:$api/metrics" | grep 'service="shop",status="ACTIVE"} 1'
}
until_true 10 ready
# Something of every kind: a route that is there, one that is not, one that is refused.
for path in api/services nosuch livez; do
	curl -sS -o /dev/null "http://127.0.0.1:$api/$path"
done
for port in $api $wrapper $elect; do
	curl -fsS -H "Authorization: Bearer $token" "http://127.0.0.1:$port/metrics" >"$T/metrics"
	"$tool" check metrics <"$T/metrics" >"$T/stdout" 2>"$T/stderr" || { cat "$T/stderr" >&2; fail "promtool does not like $port"; }
	silent stderr
done
