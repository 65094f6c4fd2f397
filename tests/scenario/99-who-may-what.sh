# Who may what at the management API: every operation with every role and every kind of wrong token, on
# two replicas; cookies and foreign pages; guesses; one-time codes; a revocation within a second; writes
# refused where they are to be; and what goes on while NATS is away.
. "$(dirname "$0")/../support/lib.sh"
nats_start

a=$(free_port) b=$(free_port) c=$(free_port)
A=http://127.0.0.1:$a B=http://127.0.0.1:$b C=http://127.0.0.1:$c
spawn a "$AEGIS" serve-api --listen "$A"
spawn b "$AEGIS" serve-api --listen "$B"
spawn c "$AEGIS" serve-api --listen "$C" --read-only
walk() {
	node "$SUPPORT/walk.mjs" "$@" >"$T/walk" 2>&1 || { cat "$T/walk" >&2; fail "walk $1"; }
	cat "$T/walk"
}
# create NAME ARGUMENTS…: a token; its secret.
create() {
	local name=$1
	shift
	"$AEGIS" token create --name "$name" "$@" --json | node -p 'JSON.parse(require("fs").readFileSync(0)).token'
}
ready() {
	[ "$(curl -sS -o /dev/null -w '%{http_code}' "$1/readyz")" = 200 ]
}
# shows STATUS URL TOKEN: what the token gets.
shows() {
	[ "$(curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $3" --interface 127.99.0.1 "$2/api/session")" = "$1" ]
}
cookie() {
	curl -sS -D - -o /dev/null -H 'Content-Type: application/json' -d "{\"token\":\"$1\"}" "$A/api/session" |
	    sed -n 's/^Set-Cookie: aegis=\([0-9a-f]*\);.*/\1/pI'
}
for url in "$A" "$B" "$C"; do until_true 10 ready "$url"; done

# A token of each role, one of each bound to a service, and every kind that is none.
declare -A token
cookies=
for role in metrics viewer operator admin; do
	token[$role]=$(create "$role" --role "$role")
	token[$role-bound]=$(create "$role-bound" --role "$role" --service walk-a)
	cookies="$cookies,\"$role\":\"$(cookie "${token[$role]}")\""
done
token[short]=$(create short --role viewer --ttl 10m)
token[expired]=$(create expired --role admin --ttl 1s)
token[revoked]=$(create revoked --role admin)
token[foreign]=aeg_$(printf '0123456789abcdef%.0s' 1 2 3 4)
gone=$(cookie "${token[revoked]}")
until_true 5 shows 200 "$A" "${token[revoked]}"
until_true 5 shows 200 "$B" "${token[revoked]}"
"$AEGIS" token revoke revoked --yes >/dev/null
until_true 5 shows 401 "$B" "${token[revoked]}"
until_true 5 shows 401 "$A" "${token[expired]}"
{
	printf '{"goneCookie":"%s","cookies":{%s}' "$gone" "${cookies#,}"
	for k in "${!token[@]}"; do printf ',"%s":"%s"' "$k" "${token[$k]}"; done
	echo '}'
} >"$T/facts"

walk routes "$A" "$B" "$T/facts"
walk session "$A" "$B" "$T/facts"
walk throttle "$A" "${token[viewer]}"
walk revoke "$A" "$B" "${token[admin]}"
walk audit "$A" "$B" "$T/facts"
walk readonly "$C" "$T/facts"
link=$("$AEGIS" token create --role admin --link "$A" --json | node -p 'JSON.parse(require("fs").readFileSync(0)).link')
walk code "$A" "$B" "${link#*#code=}"

# Used tokens say when, and nothing secret was logged.
used() {
	"$AEGIS" token ls -o ndjson | grep '"name":"viewer"' | grep -q '"last_used_at":"20'
}
until_true 5 used
if grep -lE 'aegc?_[0-9a-f]{16}' "$T"/[abc].log; then fail "a secret is in a log"; fi

# NATS is gone: what is known goes on.
session=$(cookie "${token[viewer]}")
until_true 5 shows 200 "$A" "${token[viewer]}"
end nats KILL
not_ready() { ! ready "$A"; }
until_true 10 not_ready
until_true 10 grep -q 'auth.stale' "$T/a.log"
walk away "$A" "${token[viewer]}" "$session"
nats_again
until_true 10 ready "$A"
shows 200 "$A" "${token[viewer]}" || fail "a known token is not let in any more"
for n in a b c; do
	end $n
	[ "$rc" -eq 0 ] || fail "$n ended with $rc"
done
