# Every relative link in the documents leads somewhere, every command is documented, and
# every state machine has its DESIGN beside it.
. "$(dirname "$0")/../support/lib.sh"
git ls-files -- '*.md' | while read -r f; do
	{ grep -oE '\]\([^)#: ]+\)' "$f" || :; } | sed 's/^](\(.*\))$/\1/' | while read -r to; do
		[ -e "$(dirname "$f")/$to" ] || { echo "$f: no such file: $to"; exit 1; }
	done
done
"$AEGIS" help --json >"$T/tree.json"
node -e '
	const t = JSON.parse(require("fs").readFileSync(process.argv[1]));
	const flat = JSON.stringify(t);
	for (const c of ["registry", "run-service", "elect", "call", "dev", "demo-service", "version", "completion", "help"])
		if (!flat.includes(JSON.stringify(c))) throw new Error("help --json lacks " + c);
' "$T/tree.json"
for d in runner member messaging discovery registry; do
	[ -s lib/$d/DESIGN.md ] || fail "lib/$d has no DESIGN.md"
done
# The floors of the tour are the folders that exist.
for d in lib/*/; do
	grep -q "| \`$(basename "$d")\` |" lib/README.md || fail "lib/README.md does not mention $d"
done
