# Health as the registry shows it: three failures turn it, two successes return it, within
# the time that interval and count allow; a dead program is UNHEALTHY at once and ACTIVE
# after its restart.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start
listen bus '$KV.service_registry.>'

port=$(free_port)
wrap w --name order-service --instance-id o-1 --heartbeat-interval 4m --registry-ttl 10m --stale-threshold 5m \
    --app-port "$port" --health-http /health --health-interval 200ms --health-timeout 30s --restart always -- \
    node "$S/app.mjs" http "$port"
until_true 10 registered order-service o-1 ACTIVE

# Healthy for a while: one good check is not enough to turn anything, nor is one bad.
start=$(now_ms)
touch "$APP_SICK"
until_true 5 status_is order-service o-1 UNHEALTHY
took=$(($(now_ms) - start))
[ "$took" -ge 400 ] || fail "UNHEALTHY after $took ms: three checks, 200 ms apart, cannot have failed"
[ "$took" -lt 120000 ] || fail "UNHEALTHY only after $took ms"
until_true 10 log_has w '3 health checks in a row failed'
start=$(now_ms)
rm "$APP_SICK"
until_true 5 status_is order-service o-1 ACTIVE
took=$(($(now_ms) - start))
[ "$took" -ge 200 ] || fail "ACTIVE after $took ms: two checks cannot have succeeded"

# Dead: told at once, although the next heartbeat is minutes away, and alive again.
first=$(child w)
start=$(now_ms)
kill -9 "$first"
until_true 5 status_is order-service o-1 UNHEALTHY
took=$(($(now_ms) - start))
[ "$took" -lt 120000 ] || fail "a dead program was UNHEALTHY only after $took ms"
until_true 10 registered order-service o-1 ACTIVE
[ "$(child w)" != "$first" ] || fail "the program was not restarted"
is '["ACTIVE","UNHEALTHY","ACTIVE","UNHEALTHY","ACTIVE"]' 'l.map((x) => x.json.status)' "$T/bus.out"

# A check that hangs counts as failed: the timeout is its own.
wrap slow --name slow-one --instance-id s-1 --health-cmd 'sleep 100' --health-interval 100ms --health-timeout 100ms \
    -- sleep 1000
until_true 10 status_is slow-one s-1 UNHEALTHY
