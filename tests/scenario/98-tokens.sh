# `aegis token`: made once, shown once, listed without its secret, revoked after a question; a link
# instead of a token; nothing secret reaches the store; bad words are refused before anything is sent.
. "$(dirname "$0")/../support/lib.sh"
nats_start

# Before there is any: an empty list, and nothing to revoke.
code 0 "$AEGIS" token ls --json
[ "$(cat "$T/stdout")" = "[]" ] || fail "an empty list is not []"
code 3 "$AEGIS" token revoke nobody --yes
code 3 "$AEGIS" token revoke 00000000000000000000000000 --yes
code 0 js streams
if grep -q aegis_auth "$T/stdout"; then fail "reading made the bucket"; fi

# Made: shown once.
code 0 "$AEGIS" token create --role operator --name ci --service order-service --ttl 1h --json
cp "$T/stdout" "$T/made"
json '/^aeg_[0-9a-f]{64}$/.test(v.token) && v.token.startsWith(v.prefix) && v.prefix.length === 8' made
json 'Object.keys(v).join() === "id,name,role,service,prefix,created_at,created_by,expires_at,last_used_at,token"' made
json 'v.name === "ci" && v.role === "operator" && v.service === "order-service" && v.last_used_at === null' made
json 'Math.abs(Date.parse(v.expires_at) - Date.parse(v.created_at) - 3600e3) < 2' made
token=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).token' "$T/made")
id=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).id' "$T/made")

# Only its hash is stored, under the beginning of the hash.
js get aegis_auth "token.$id" >"$T/record"
if grep -q "${token#aeg_????}" "$T/record"; then fail "the token itself is stored"; fi
json 'JSON.parse(v.value).sha256 === require("crypto").createHash("sha256").update("'"$token"'").digest("hex")' record
json 'JSON.parse(v.value).sha256.startsWith("'"$id"'")' record

# The name is that of the role unless given; without an end it never ends.
code 0 "$AEGIS" token create --role viewer
says stdout "aeg_"
says stdout never
says stderr "not shown again"
code 0 "$AEGIS" token ls --json
json 'v.length === 2 && v.map(t => t.name).join() === "ci,viewer" && v.every(t => !("token" in t) && !("sha256" in t))'
json 'v[1].expires_at === null && v[1].service === null && v[1].role === "viewer"'
code 0 "$AEGIS" token ls
says stdout "$id"
if grep -q "$token" "$T/stdout"; then fail "ls shows the token"; fi

# A link: its code stands behind the '#', and what is stored is no token that anybody knows.
code 0 "$AEGIS" token create --role admin --name me --link http://127.0.0.1:8100/ --json
json '/^http:\/\/127\.0\.0\.1:8100\/login#code=aegc_[0-9a-f]{64}$/.test(v.link) && !("token" in v) && v.prefix === null'
json 'Date.parse(v.expires_at) - Date.parse(v.created_at) === 12 * 3600e3'
says stderr "once, within 5 minutes"

# Refused before anything is sent: what is missing or none.
code 2 "$AEGIS" token create
says stderr "--role is missing"
code 2 "$AEGIS" token create --role emperor
says stderr emperor
code 2 "$AEGIS" token create --role viewer --service 'a b'
code 2 "$AEGIS" token create --role viewer --name ''
code 2 "$AEGIS" token create --role viewer --ttl 10ms
code 2 "$AEGIS" token create --role viewer --link ftp://x
code 6 "$AEGIS" token create --role viewer -s nats://127.0.0.1:1 --timeout 10s

# Revoked: not without a yes; by its name while one alone has it.
code 2 "$AEGIS" token revoke "$id"
says stderr "nobody said yes"
code 2 "$AEGIS" token revoke "$id" --confirm other
code 0 "$AEGIS" token create --role viewer --name ci
code 2 "$AEGIS" token revoke ci --yes
says stderr "name the id"
code 0 "$AEGIS" token revoke "$id" --confirm "$id" --json
json 'v.action === "revoked" && v.id === "'"$id"'"'
code 0 "$AEGIS" token revoke ci --yes
code 3 "$AEGIS" token revoke ci --yes
code 3 js get aegis_auth "token.$id"
code 0 "$AEGIS" token ls --json
json 'v.map(t => t.name).join() === "me,viewer"'

# doctor tells what hangs about, and when nobody may administer.
doctor() {
	"$AEGIS" doctor >"$T/doctor" 2>&1 || true
	grep -q "$1" "$T/doctor"
}
code 0 "$AEGIS" token create --role viewer --name brief --ttl 1s
until_true 10 doctor 'token of the management API has expired'
grep -q 'aegis token revoke [0-9a-f]* --yes' "$T/doctor" || fail 'no remedy'
if grep -q 'no token has the role admin' "$T/doctor"; then fail 'there is an admin'; fi
code 0 "$AEGIS" token revoke brief --yes
code 0 "$AEGIS" token revoke me --yes
doctor 'no token has the role admin' || fail 'doctor misses an admin'
if grep -q expired "$T/doctor"; then fail 'nothing has expired'; fi

# What somebody else wrote there lets nobody in, and is told.
js put aegis_auth token.00000000000000000000000000 '{"role":"admin"}' >/dev/null
code 0 "$AEGIS" token ls
says stderr "cannot be read"
doctor '1 record of tokens cannot be read' || fail 'doctor does not see it'
code 0 "$AEGIS" token revoke 00000000000000000000000000 --yes
