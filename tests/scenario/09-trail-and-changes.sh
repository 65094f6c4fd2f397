# Who changed what, whichever door they came by: the terminal, the API, a browser's login and those that were
# refused, bounded; a trail that cannot be written is told and stops nobody.  And changes over HTTP: merge
# patches, a revert that comes twice to two replicas, questions with words that nobody knows.
. "$(dirname "$0")/../support/lib.sh"
nats_start

port=$(free_port) other=$(free_port)
url=http://127.0.0.1:$port
export USER=ann
# ask STATUS PATH ARGUMENTS…: $base says of which replica.
ask() {
	local want=$1 path=$2
	shift 2
	[ "$(curl -sS -D "$T/head" -o "$T/body" -w '%{http_code}' "$@" "${base:-$url}$path")" = "$want" ]
}
define() {
	printf '{"service_name":"%s","owner":"%s","description":"d","version":"1.0.0"}' "$1" "$2"
}

put() {
	define "$1" "$2" >"$T/definition"
	code 0 "$AEGIS" registry put "$T/definition" "${@:3}"
}

# Where nobody uses the management API there is no trail, and nobody says a word of it.
put first me
[ ! -s "$T/stderr" ] || fail 'something is said without need'
code 0 js streams
if grep -q AEGIS_AUDIT "$T/stdout"; then fail 'a trail that nobody wants'; fi

token=$("$AEGIS" token create --role admin --name boss --json | node -p 'JSON.parse(require("fs").readFileSync(0)).token')
auth="Authorization: Bearer $token"
put first you
put first you		# changes nothing
put second me
put second you -n	# changes nothing
code 0 "$AEGIS" registry rm second --yes
code 0 "$AEGIS" config set --service first log_level=debug
code 0 "$AEGIS" config set --service first log_level=info
code 0 "$AEGIS" config rm --service first --yes
echo '{"methods":{"m":{"params":{"type":"object"}}}}' >"$T/contract"
code 0 "$AEGIS" registry put first "$T/contract" --contract
code 0 "$AEGIS" registry rm first --contract --yes
code 0 "$AEGIS" token create --role viewer --name late
code 0 "$AEGIS" token revoke late --yes

spawn api "$AEGIS" serve-api --listen "$url"
spawn more "$AEGIS" serve-api --listen "http://127.0.0.1:$other"
until_true 10 ask 200 /readyz
base=http://127.0.0.1:$other until_true 10 ask 200 /readyz
until_true 5 ask 200 /api/session -H "$auth"
until_true 5 ask 200 /api/audit -H "$auth"
json 'v.map((x) => x.action).reverse().join() === "token.create,definition.update,definition.create,definition.delete," +
    "config.create,config.update,config.remove,contract.create,contract.delete,token.create,token.revoke"' body
json 'v.every((x) => x.actor.id === "cli" && x.actor.name.startsWith("ann@") && x.actor.role === null)' body
json 'v.every((x) => !JSON.stringify(x).includes("'"$token"'") && !JSON.stringify(x).includes("sha256"))' body
json 'v[9].before.owner === "me" && v[9].after.owner === "you" && v[9].after_revision > v[9].before_revision' body
json 'v[8].before === null && v[7].after === null && v[7].before.owner === "me"' body

# Logging in and out, and not.
ask 200 /api/session --json "{\"token\":\"$token\"}" || fail 'no login'
cookie=$(sed -n 's/^Set-Cookie: \(aegis=[0-9a-f]*\).*/\1/pI' "$T/head")
ask 204 /api/session -X DELETE -H "Cookie: $cookie" -H "Origin: $url" || fail 'no logout'
ask 401 /api/session --json "{\"token\":\"aeg_$(printf 'f%.0s' {1..64})\"}" || fail 'a wrong token'
ask 200 '/api/audit?limit=3' -H "$auth" || fail 'no trail'
json 'v.map((x) => x.action).join() === "session.refuse,session.logout,session.login"' body
json 'v[0].actor.id === null && v[0].peer === "127.0.0.1" && v[1].actor.name === "boss" && v[2].actor.name === "boss"' body
for i in {2..90}; do		# the trail takes thirty a minute, and another one may begin meanwhile
	curl -sS -o /dev/null --interface "127.0.0.$i" --json "{\"token\":\"aeg_$(printf 'e%.0s' {1..64})\"}" "$url/api/session"
done
ask 200 '/api/audit?limit=1000' -H "$auth" || fail 'no trail'
json 'v.filter((x) => x.action === "session.refuse").length >= 20 && v.filter((x) => x.action === "session.refuse").length <= 60' body
until_true 5 grep -q audit.left_out "$T/api.log"

# Who takes an instance's record away is named to whoever asks for those that left, once, on every replica.
js instance gone gone-1 0
present() {
	ask 200 /api/instances/gone/gone-1 -H "$auth" && base=http://127.0.0.1:$other ask 200 /api/instances/gone/gone-1 -H "$auth"
}
until_true 10 present
code 0 "$AEGIS" registry rm gone/gone-1 --confirm gone/gone-1
[ ! -s "$T/stderr" ] || fail "something is said without need: $(cat "$T/stderr")"
named() {
	ask 200 /api/departed -H "$auth" && grep -q '"gone-1".*"cause":"purged","by":"ann@' "$T/body"
}
absent() {
	ask 404 /api/instances/gone/gone-1 -H "$auth"
}
for base in "$url" "http://127.0.0.1:$other"; do
	until_true 10 absent
	until_true 10 named
done
unset base
# What the replicas saw themselves says nothing else, once it was their turn.
seen_gone() {
	ask 200 '/api/instances/gone/gone-1/events' -H "$auth" && grep -q '"kind":"departed".*"to":"purged"' "$T/body"
}
until_true 10 seen_gone
ask 200 /api/departed -H "$auth"
json 'v.length === 1 && v[0].by.startsWith("ann@") && v[0].last.serviceName === "gone"' body

# A part changes what it names, and nothing else.
patch() {
	local status=$1
	shift
	ask "$status" /api/services/first -X PATCH -H "$auth" -H 'Content-Type: application/merge-patch+json' "$@"
}
patch 200 -d '{"owner":"they"}' || fail 'no patch'
json 'v.owner === "they" && v.description === "d"' body
tag=$(sed -n 's/^ETag: //pI' "$T/head" | tr -d '\r')
patch 200 -d '{"version":"2.0.0"}' -H "If-Match: $tag" || fail 'no patch under its condition'
patch 412 -d '{"version":"3.0.0"}' -H "If-Match: $tag" || fail 'a patch of what is not there any more'
patch 422 -d '{"owner":null}' || fail 'a member is removed'
json 'v.errors[0].pointer === "/owner"' body
patch 422 -d '{"onwer":"x"}' || fail 'an unknown member'
json 'v.errors[0].pointer === "/onwer" && v.detail.includes("owner")' body
patch 400 -d '{}' || fail 'nothing to change'
ask 415 /api/services/first -X PATCH -H "$auth" -H 'Content-Type: text/plain' -d x || fail 'a body that is no JSON'

# A revert that comes twice is done once, whichever replica has it, and is in the list at once.
ask 200 /api/services/first/history -H "$auth" || fail 'no history'
back=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).find((x) => x.service.owner === "you").revision' "$T/body")
tag=$(sed -n 's/^ETag: //pI' "$T/head" | tr -d '\r')
revert() {
	local status=$1
	shift
	ask "$status" /api/services/first/revert -H "$auth" -H "If-Match: $tag" --json "{\"revision\":$back}" "$@"
}
revert 200 -H 'Idempotency-Key: back-1' || fail 'no revert'
cp "$T/body" "$T/once"
ask 200 /api/services -H "$auth" || fail 'no list'
json 'v.find((x) => x.service_name === "first").owner === "you"' body
base=http://127.0.0.1:$other revert 200 -H 'Idempotency-Key: back-1' || fail 'a repetition is refused'
cmp -s "$T/once" "$T/body" || fail 'a repetition has another answer'
revert 412 || fail 'without its key it is another one'
revert 412 -H 'Idempotency-Key: back-2' || fail 'with another key it is another one'
ask 422 /api/services/first/revert -H "$auth" -H "If-Match: $tag" --json '{"revision":1}' -H 'Idempotency-Key: back-1' ||
    fail 'the key of another request'
ask 200 /api/audit -H "$auth" || fail 'no trail'
json 'v.filter((x) => x.action === "definition.revert").length === 1' body

# What a new route does not know is refused; Python's routes go on ignoring it.
ask 422 '/api/tokens?limit=2&sotr=name' -H "$auth" || fail 'an unknown word passes'
json 'v.errors[0].pointer === "" && v.error.details.field === "query.sotr" && v.detail.includes("sotr")' body
ask 422 '/api/groups?x' -H "$auth" || fail 'an unknown word passes'
ask 200 '/api/services?x=1' -H "$auth" || fail 'a Python program is refused'
ask 200 '/openapi.json?x=1' || fail 'who only reads the reference is refused'
ask 401 '/api/tokens?x=1' || fail 'who may not ask is told what there is'

# A trail that takes nothing more: the change is made, and told so.
code 0 js edit AEGIS_AUDIT '{"max_msgs":1,"discard":"new"}'
put third me
says stderr 'the audit trail does not have it'
code 0 "$AEGIS" registry get third
ask 200 /api/services/third -X PATCH -H "$auth" -H 'Content-Type: application/json' -d '{"owner":"they"}' || fail 'no change without a trail'
grep -qi '^Warning: ' "$T/head" || fail 'nobody is told'

end api
end more
