# Every verb of `registry`, in every format, and the two-sided life of a definition: what
# aegis writes has exactly the shape of wire.md §8.3, what a Python tool writes is read,
# replaced and removed, and nothing is ever overwritten unseen.
. "$(dirname "$0")/../support/lib.sh"
nats_start

# An empty system answers in every format, and successfully.
code 0 "$AEGIS" registry ls --json
[ "$(cat "$T/stdout")" = "[]" ] || fail "an empty list is not []"
silent stderr
code 0 "$AEGIS" registry ls -o ndjson
silent stdout
code 3 "$AEGIS" registry get order-service
code 3 "$AEGIS" registry history order-service

# put: created, refused, unchanged, replaced.
cat >"$T/order.json" <<-J
	// comments are fine
	{ "service_name": "order-service", "owner": "team-a", "description": "d\u00e9 \"x\"", "version": "1.0.0", }
J
code 0 "$AEGIS" registry put "$T/order.json" --create --json
json 'v.action === "created" && v.revision === 1 && v.service_name === "order-service"'
code 5 "$AEGIS" registry put "$T/order.json" --create
says stderr "order-service"
silent stdout
code 0 "$AEGIS" registry put "$T/order.json" --json
json 'v.action === "unchanged" && v.revision === 1'

# The stored bytes, seen by another client.
js get service_registry order-service >"$T/first"
json 'v.value.startsWith("{\"service_name\":\"order-service\",\"owner\":\"team-a\",\"description\":\"d\\u00e9 ")' first
json 'Object.keys(JSON.parse(v.value)).join() ===
	"service_name,owner,description,version,created_at,updated_at"' first
json '["created_at", "updated_at"].every(k =>
	/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+08:00$/.test(JSON.parse(v.value)[k]))' first
json 'Math.abs(Date.parse(JSON.parse(v.value).created_at) - Date.now()) < 60000' first

# --dry-run says what would change and changes nothing, not even the bucket of an empty server.
sed 's/1\.0\.0/1.1.0/; s/team-a/team-b/' "$T/order.json" >"$T/order2.json"
code 0 "$AEGIS" registry put "$T/order2.json" --dry-run
says stdout "- owner: team-a"
says stdout "+ owner: team-b"
says stdout "+ version: 1.1.0"
code 0 "$AEGIS" registry put "$T/order2.json" --dry-run --json
json 'v.dry_run === true && v.action === "replaced" && v.changes.length === 2 && v.changes[0].from === "team-a"'
js get service_registry order-service | cmp - "$T/first" || fail "--dry-run wrote something"

# --if-revision: a stale one writes nothing, the right one does.
code 0 "$AEGIS" registry put "$T/order2.json" --if-revision 1 --json
json 'v.action === "replaced" && v.revision === 2'
code 5 "$AEGIS" registry put "$T/order.json" --if-revision 1
says stderr "revision 2, not 1"
code 5 "$AEGIS" registry rm order-service --yes --if-revision 1
# The revision inside the file counts as one that was seen.
code 0 "$AEGIS" registry get order-service --json
cp "$T/stdout" "$T/got.json"
json 'v.revision === 2 && v.owner === "team-b"' got.json
code 0 "$AEGIS" registry put "$T/order.json"
code 5 "$AEGIS" registry put "$T/got.json"
json 'Date.parse(v.updated_at) >= Date.parse(v.created_at)' got.json
code 0 "$AEGIS" registry get order-service --json
json 'v.created_at === JSON.parse(JSON.parse(require("fs").readFileSync("'"$T"'/first")).value).created_at'

# Two writers, one revision: exactly one wins.
sed 's/team-b/team-x/' "$T/order2.json" >"$T/x.json"
sed 's/team-b/team-y/' "$T/order2.json" >"$T/y.json"
spawn x "$AEGIS" registry put "$T/x.json" --if-revision 3
spawn y "$AEGIS" registry put "$T/y.json" --if-revision 3
rcs=
for w in x y; do
	rc=0
	wait "$(cat "$T/$w.pid")" || rc=$?
	rcs="$rcs $rc"
done
case $rcs in " 0 5"|" 5 0") ;; *) fail "two writers with one revision ended with$rcs" ;; esac

# History: every revision, removal included, oldest first.
code 0 "$AEGIS" registry rm order-service --yes --json
json 'v.action === "removed" && v.dry_run === false'
code 3 "$AEGIS" registry get order-service
STDIN=$T/order.json code 0 "$AEGIS" registry put - --create
code 0 "$AEGIS" registry history order-service --json
json 'v.length >= 5 && v.every((r, i) => i === 0 || r.revision > v[i - 1].revision)'
json 'v.filter(r => r.deleted).length === 1'
json 'v[0].owner === "team-a" && v[1].owner === "team-b"'

# What Python writes is read, replaced and removed; its creation time is kept.
js put service_registry pay '{"service_name": "pay", "owner": "p", "description": "d", "version": "2.0.0", "created_at": "2025-08-08T01:00:00.000001+00:00", "updated_at": "2025-08-08T09:00:00.5+08:00"}' >/dev/null
code 0 "$AEGIS" registry get pay --json
json 'v.service_name === "pay" && Date.parse(v.created_at) === Date.parse("2025-08-08T01:00:00.000Z")'
echo '{"service_name":"pay","owner":"q","description":"d","version":"2.0.1"}' >"$T/pay.json"
code 0 "$AEGIS" registry put "$T/pay.json"
js get service_registry pay >"$T/pay"
json 'JSON.parse(v.value).created_at === "2025-08-08T09:00:00.000001+08:00" && JSON.parse(v.value).owner === "q"' pay
code 0 "$AEGIS" registry rm pay --yes
code 3 js get service_registry pay

# rm: nobody says yes -> nothing happens; what is alive needs its name.
js instance order-service order-service-1
code 2 "$AEGIS" registry rm order-service
says stderr "order-service"
code 2 "$AEGIS" registry rm order-service --yes
says stderr "--confirm order-service"
code 2 "$AEGIS" registry rm order-service --confirm order
code 0 "$AEGIS" registry rm order-service --confirm order-service --dry-run --json
json 'v.dry_run === true && v.alive === 1'
code 0 "$AEGIS" registry get order-service
code 0 "$AEGIS" registry get order-service/order-service-1 --json
json 'v.instanceId === "order-service-1" && v.metadata.start_time.length > 0'
code 0 "$AEGIS" registry rm order-service --confirm order-service
code 2 "$AEGIS" registry rm order-service/order-service-1 --yes
code 0 "$AEGIS" registry rm order-service/order-service-1 --confirm order-service/order-service-1
code 3 "$AEGIS" registry get order-service/order-service-1
says stderr "order-service-1"

# watch: what is there, then each change, one line each.
"$AEGIS" registry put "$T/order.json" --create >/dev/null
spawn watch "$AEGIS" registry watch -o ndjson --stale-threshold 5m
until_true 10 grep -q '"add"' "$T/watch.out"
js instance order-service w-1
until_true 10 grep -q '"w-1".*"event":"add"' "$T/watch.out"
js instance order-service w-1 0 '{"status":"UNHEALTHY"}'
until_true 10 grep -q '"w-1".*"event":"update"' "$T/watch.out"
"$AEGIS" registry put "$T/order2.json" >/dev/null
until_true 10 grep -q 'team-b.*"event":"update"' "$T/watch.out"
js del service_registry service-instances__order-service__w-1
until_true 10 grep -q '"w-1".*"event":"remove"' "$T/watch.out"
end watch INT
[ "$rc" -eq 0 ] || fail "watch ended with $rc"
json 'rows.length === 5 && rows.every(l => ["add", "update", "remove"].includes(l.event) && l.at.endsWith("Z"))' watch.out
