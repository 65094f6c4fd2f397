# `aegis dev`: everything is there and what it prints works word for word; its data outlives
# it unless --reset; one at a time on a directory; Ctrl-C, and kill -9 as well, end all of it;
# a nats-server that dies comes back; the management API answers, and the printed link logs in once.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"

mkdir "$T/bin"
ln -s "$AEGIS" "$T/bin/aegis"
PATH=$T/bin:$PATH
unset NATS_URL
# dev NAME OPTION…: its environment marks all that it starts.
dev() {
	d=$1
	shift
	export MARK=dev-$$-$d
	spawn "$d" "$AEGIS" dev --data-dir "$T/data" --nats-server "$NATS_SERVER" --port 0 "$@"
	until_true 20 grep -q 'Ctrl-C ends all of it' "$T/$d.out"
	unset MARK
	NATS_URL=$(sed -n 's/.*export NATS_URL=//p' "$T/$d.out")
	export NATS_URL
}
# ended NAME: soon nothing is left.
ended() {
	start=$(now_ms)
	until_true 3 unmarked "dev-$$-$1"
	echo "$1 ended in $(($(now_ms) - start)) ms"
}

dev first
[ "$(grep -c ' registered$' "$T/first.out")" -eq 9 ] || { cat "$T/first.out"; fail "not all nine services are registered"; }
[ "$(marked "dev-$$-first" | wc -l)" -ge 20 ] || fail "the mark is not inherited, so nothing below proves anything"

# Word for word, as in another terminal.
sed -n '/^Try,/,/^Ctrl-C/s/^  //p' "$T/first.out" >"$T/commands"
[ "$(wc -l <"$T/commands")" -ge 4 ] || fail "it prints no commands"
while read -r line; do
	( unset NATS_URL; bash -ec "$(grep '^export' "$T/commands"); $line" ) >"$T/stdout" 2>"$T/stderr" </dev/null ||
	    { cat "$T/stderr" >&2; fail "it prints a command that fails: $line"; }
	case $line in export*) ;; *) [ -s "$T/stdout" ] || fail "no answer: $line" ;; esac
	cat "$T/stdout" >>"$T/answers"
done <"$T/commands"
for text in '"order_id":' '"total":' events. '"positions":'; do
	says answers "$text"
done
answers greeter-service greet '{"name": "world"}'
says stdout 'Hello, world!'

# The link logs in, and only once; nobody else is let in.
link=$(sed -n 's/^  \(http.*#code=.*\)/\1/p' "$T/first.out")
url=${link%/login*}
[ "$(sed -n 's/^  serve-api .* //p' "$T/first.out")" = "$url" ] || fail "the management API is not told: $link"
ask() {	# METHOD PATH [BODY [OPTION…]]: the status
	curl -s -o "$T/answer" -w '%{http_code}' -X "$1" "$url$2" -H 'Content-Type: application/json' -H "Origin: $url" ${3:+-d "$3"} "${@:4}"
}
ready() {
	[ "$(ask GET /readyz)" = 200 ]
}
until_true 10 ready
[ "$(ask GET /api/services)" = 401 ] || fail "somebody without a credential is let in"
[ "$(ask POST /api/session "{\"code\":\"${link#*code=}\"}" -c "$T/cookies")" = 200 ] || { cat "$T/answer"; fail "the link does not log in"; }
json 'v.role === "admin" && v.via === "cookie"' answer
[ "$(ask GET /api/services '' -b "$T/cookies")" = 200 ] || { cat "$T/answer"; fail "whoever logged in is not let in"; }
json 'v.length === 5' answer
[ "$(ask POST /api/session "{\"code\":\"${link#*code=}\"}")" = 401 ] || fail "the link logs in twice"

# A port that somebody has is said at once, with what to do.
code 5 "$AEGIS" dev --data-dir "$T/other" --nats-server "$NATS_SERVER" --port "${url##*:}"
says stderr "port ${url##*:} is taken"
says stderr '--port 0'

# Demo services call each other all the time, whoever watches.
served() {
	bus request '$SRV.STATS.pricing-service' '' | js '(m.json.endpoints.find((x) => x.name === "get_price") ?? { num_requests: 0 }).num_requests > 0' |
	    grep -q true
}
until_true 10 served

# A second one on the same data is refused.
code 5 "$AEGIS" dev --data-dir "$T/data" --nats-server "$NATS_SERVER" --port 0
says stderr "$T/data"
says stderr '--data-dir'

# The nats-server dies: the same address, the same data, the same services.
echo '{"service_name": "kept-service", "owner": "me", "description": "d", "version": "1.0.0"}' |
    "$AEGIS" registry put - >/dev/null
kill -9 "$(awk '$1 == "nats-server" { print $2 }' "$T/first.out")"
until_true 10 log_has first 'the nats-server died, starting it again'
until_true 10 answers order-service create_order '{"symbol": "AAPL", "quantity": 10}'
until_true 10 "$AEGIS" registry get kept-service
nine() {
	[ "$("$AEGIS" registry ls --instances --json | js m.length)" -eq 9 ]
}
until_true 10 nine

# Ctrl-C goes to the terminal's whole foreground group.
kill -INT -- "-$(cat "$T/first.pid")"
ended first
rc=0
wait "$(cat "$T/first.pid")" || rc=$?
[ "$rc" -eq 0 ] || fail "Ctrl-C: exit $rc"

# Started again, with its data.
start=$(now_ms)
dev second
took=$(($(now_ms) - start))
echo "second start in $took ms"
"$AEGIS" registry get kept-service >/dev/null || fail "the data is gone"
kill -9 "$(cat "$T/second.pid")"
ended second

dev third --reset
code 3 "$AEGIS" registry get kept-service
code 0 "$AEGIS" registry get order-service
end third
ended third

# A nats-server that cannot be started again is the end of it, and an error.
ln -s "$NATS_SERVER" "$T/own-nats"
there=$NATS_SERVER
NATS_SERVER=$T/own-nats
dev hapless
NATS_SERVER=$there
rm "$T/own-nats"
kill -9 "$(awk '$1 == "nats-server" { print $2 }' "$T/hapless.out")"
until_true 10 unmarked "dev-$$-hapless"
rc=0
wait "$(cat "$T/hapless.pid")" || rc=$?
[ "$rc" -gt 0 ] && [ "$rc" -lt 128 ] || fail "it ended with $rc"
grep -q '^aegis dev: the nats-server died and does not start again' "$T/hapless.log" || fail "it does not say why it ends"

# Somebody else's directory is not emptied.
mkdir "$T/foreign"
echo precious >"$T/foreign/file"
spawn fourth "$AEGIS" dev --data-dir "$T/foreign" --reset --nats-server "$NATS_SERVER" --port 0
until_true 20 bash -c "grep -q Ctrl-C '$T/fourth.out' || ! kill -0 $pid 2>/dev/null"
end fourth
[ "$(cat "$T/foreign/file")" = precious ] || fail "--reset removed what was not its own"
