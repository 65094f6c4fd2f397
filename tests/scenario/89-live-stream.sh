# What a page gets of the management service: a stream of states from two replicas, with figures of real
# instances and of Python's; cut and resumed on the other replica without a gap; readers that never read;
# NATS killed and back; a credential that is revoked.
. "$(dirname "$0")/../support/lib.sh"
nats_start

a=$(free_port) b=$(free_port)
A=http://127.0.0.1:$a B=http://127.0.0.1:$b
spawn a "$AEGIS" serve-api --listen "$A"
spawn b "$AEGIS" serve-api --listen "$B"
# create NAME ARGUMENTS…: a token; its secret.
create() {
	local name=$1
	shift
	"$AEGIS" token create --name "$name" "$@" --json | node -p 'JSON.parse(require("fs").readFileSync(0)).token'
}
ready() {
	[ "$(curl -sS -o /dev/null -w '%{http_code}' "$1/readyz")" = 200 ]
}
for url in "$A" "$B"; do until_true 10 ready "$url"; done
for i in one two; do
	spawn "$i" "$AEGIS" run-service --name live-svc --instance-id "$i" --heartbeat-interval 1s --app-stdio -- cat
done

# What the client has done with the server: killed and started again on its port; and a credential revoked.
cat >"$T/server" <<EOF
set -eu
case \$1 in
kill) kill -KILL "\$(cat "$T/nats.pid")" ;;
again) touch "$T/again" ;;
revoke) NATS_URL=$NATS_URL "$AEGIS" token revoke page --yes >/dev/null ;;
esac
EOF
viewer=$(create page --role viewer) bound=$(create bound --role viewer --service live-svc)
OPERATOR=$(create operator --role operator)
export OPERATOR
node "$SUPPORT/live.mjs" "$A" "$B" "$viewer" "$bound" "bash $T/server" >"$T/live" 2>&1 &
client=$!
until_true 120 bash -c "[ -e '$T/again' ] || ! kill -0 $client 2>/dev/null"
if [ -e "$T/again" ]; then nats_again; fi
wait "$client" || { cat "$T/live" >&2; fail "live.mjs"; }
says live ok
for i in one two a b; do end "$i"; done
