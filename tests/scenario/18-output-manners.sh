# What comes out, where, and in which shape: answers on stdout, everything else on stderr; a
# reader that leaves is no error, a full disk is one; colour only where it is wanted; help is
# an answer, misuse is not; and links named after commands are commands.
. "$(dirname "$0")/../support/lib.sh"
nats_start
js bucket service_registry
js many many-service 3000
echo '{"service_name":"order-service","owner":"team-a","description":"d","version":"1.0.0"}' >"$T/order.json"
code 0 "$AEGIS" registry put "$T/order.json"

# A reader that has enough.
for o in table json ndjson; do
	rc=0
	"$AEGIS" registry ls -o $o 2>"$T/stderr" | head -n 2 >"$T/stdout" || rc=$?
	[ $rc -eq 0 ] || fail "| head ended with $rc for $o"
	silent stderr
done
rc=0
timeout $((120 * AEGIS_TEST_SLOW)) "$AEGIS" registry watch -o ndjson 2>"$T/stderr" | head -n 2 >"$T/stdout" || rc=$?
[ $rc -eq 0 ] || fail "watch | head ended with $rc"
silent stderr

# A full disk, and no stdout at all.
full() { "$@" >/dev/full; }
for c in "registry ls" "registry ls --json" "registry ls -o ndjson" "registry get order-service" "help" \
    "help --json" "version" "completion bash" "registry history order-service"; do
	# shellcheck disable=SC2086
	code 1 full "$AEGIS" $c
	says stderr "standard output"
	says stderr "No space left"
done
closed() { "$@" >&-; }
code 1 closed "$AEGIS" registry ls
says stderr "standard output"

# Every verb in every format: JSON that parses, and one object per line where that was asked.
mkdir "$T/answers"
n=0
verbs() {
	n=$((n + 1))
	for o in json ndjson; do
		code 0 "$AEGIS" "$@" -o $o
		cp "$T/stdout" "$T/answers/$n.$o"
	done
	code 0 "$AEGIS" "$@" --json
	cp "$T/stdout" "$T/answers/$n-short.json"
	code 0 "$AEGIS" "$@"
	[ -s "$T/stdout" ] || fail "no table: $*"
}
verbs registry ls --definitions
verbs registry get order-service
verbs registry get many-service/many-service-000001
verbs registry put "$T/order.json"
verbs registry put "$T/order.json" --dry-run
verbs registry history order-service
verbs registry rm many-service/many-service-000001 --dry-run
verbs version
node -e '
	const { readdirSync, readFileSync } = require("fs");
	const object = (v) => typeof v === "object" && v !== null;
	for (const f of readdirSync(process.argv[1])) {
		const text = readFileSync(`${process.argv[1]}/${f}`, "utf8");
		if (f.endsWith(".json") ? !object(JSON.parse(text)) : text === "" ||
		    !text.trimEnd().split("\n").every(l => object(JSON.parse(l)) && !Array.isArray(JSON.parse(l))))
			throw new Error(f + text);
	}' "$T/answers" || fail "an answer is not what was asked for"

# Colour: never in a pipe, always when asked, not against NO_COLOR.
esc=$(printf '\033')
plain() { if grep -q "$esc" "$T/stdout" "$T/stderr"; then fail "colour: $*"; fi; }
unset NO_COLOR
export TERM=xterm
"$AEGIS" registry ls --definitions >"$T/stdout" 2>"$T/stderr"
plain pipe
code 0 "$AEGIS" registry ls --definitions --color=always
grep -q "$esc" "$T/stdout" || fail "--color=always gives no colour"
code 0 env FORCE_COLOR=1 "$AEGIS" registry ls --definitions
grep -q "$esc" "$T/stdout" || fail "FORCE_COLOR gives no colour"
on_terminal() { script -qec "$*" /dev/null; }
code 0 on_terminal "$AEGIS registry ls --definitions"
grep -q "$esc" "$T/stdout" || fail "no colour on a terminal"
for how in "env NO_COLOR=1 $AEGIS" "env TERM=dumb $AEGIS"; do
	code 0 on_terminal "$how registry ls --definitions"
	plain "$how"
done
code 0 on_terminal "$AEGIS registry ls --definitions --no-color"
plain --no-color
code 0 on_terminal "$AEGIS registry ls --definitions --color=never"
plain --color=never
# What others stored cannot drive the terminal.
js put service_registry evil-service '{"service_name":"evil-service","owner":"\u001b[2Jx","description":"\u001b]0;y\u0007","version":"1.0.0","created_at":"2025-08-08T09:00:00+08:00","updated_at":"2025-08-08T09:00:00+08:00"}' >/dev/null
code 0 "$AEGIS" registry ls --definitions
plain "a stored escape sequence"

# Help: every command, both ways, on stdout with exit 0; and as JSON for programs.
code 0 "$AEGIS" help --json
cp "$T/stdout" "$T/help.json"
node -e '
	const h = JSON.parse(require("fs").readFileSync(process.argv[1]));
	for (const c of h.commands) {
		const name = [c.noun, c.verb].filter(Boolean).join(" ");
		const bad = c.options.find(o => !o.name || !o.type || !o.help);
		if (bad || !["reads", "writes"].includes(c.access))
			throw new Error(JSON.stringify(bad ?? c));
		for (const o of c.options) console.log(`${name}\t--${o.name}`);
	}' "$T/help.json" >"$T/all-options" || fail "help --json lacks something"
cut -f1 "$T/all-options" | uniq >"$T/commands"
[ "$(wc -l <"$T/commands")" -ge 13 ] || fail "help --json does not know all commands"
while read -r c; do
	# shellcheck disable=SC2086
	code 0 "$AEGIS" $c --help
	silent stderr
	cp "$T/stdout" "$T/long"
	says long "aegis $c - "
	says long "Usage:"
	says long "Examples:"
	# shellcheck disable=SC2086
	code 0 "$AEGIS" help $c
	cmp "$T/stdout" "$T/long" || fail "help $c differs from $c --help"
	# shellcheck disable=SC2086
	code 0 "$AEGIS" $c -h
	# shellcheck disable=SC2086
	code 2 "$AEGIS" $c --no-such-option
	silent stdout
	grep -q '^usage: aegis ' "$T/stderr" || fail "no line of usage"
	# Every option that help names is in the JSON, with what a tool needs to know.
	grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' "$T/long" | grep -oE '\-\-[a-z-]+' | sort -u >"$T/options"
	grep "^$c$(printf '\t')" "$T/all-options" | cut -f2 | sort -u | diff "$T/options" - ||
	    fail "help and help --json name other options of $c"
done <"$T/commands"
for c in "" "help" "--help" "-h" "registry" "registry --help" "help registry" "help exit-codes"; do
	# shellcheck disable=SC2086
	code 0 "$AEGIS" $c
	[ -s "$T/stdout" ] || fail "no help: aegis $c"
	silent stderr
done
for n in 0 1 2 3 4 5 6 7 8 9 125 126 127; do
	code 0 "$AEGIS" help exit-codes
	grep -Eq "^ +$n " "$T/stdout" || fail "exit code $n is not explained"
done
code 0 "$AEGIS" --version
says stdout "nats.c"

# --quiet: nothing on stderr but errors.
js put service_registry unreadable '{}' >/dev/null
code 0 "$AEGIS" registry ls
says stderr "unreadable"
code 0 "$AEGIS" registry ls --quiet
silent stderr

# Options stand where one likes; -- ends them; = and a blank are the same.
code 0 "$AEGIS" --json registry get order-service
json 'v.service_name === "order-service"'
code 0 "$AEGIS" registry --output=ndjson get order-service
code 0 "$AEGIS" registry get --output ndjson -- order-service
code 0 "$AEGIS" registry get order-service -ojson

# Busybox style.
ln -s "$AEGIS" "$T/registry"
ln -s "$AEGIS" "$T/aegis-call"
ln -s "$AEGIS" "$T/version"
ln -s "$AEGIS" "$T/other-name"
code 0 "$T/registry" get order-service --json
json 'v.service_name === "order-service"'
code 3 "$T/aegis-call" nobody-here greet
code 0 "$T/version"
code 0 "$T/other-name" registry get order-service
