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
for d in runner member messaging discovery registry election monitor settings auth http app; do
	[ -s lib/$d/DESIGN.md ] || fail "lib/$d has no DESIGN.md"
done
# The floors of the tour are the folders that exist, and what to look at first is there.
for d in lib/*/; do
	grep -q "| \`$(basename "$d")\` |" lib/README.md || fail "lib/README.md does not mention $d"
done
words() { { grep -oE '`[A-Za-z0-9_./]+`' || :; } | tr -d '`'; }
sed -n '/^## The floors/,/^## The data/s/^| `\([a-z]*\)` | .* | \(.*\) |$/\1 \2/p' lib/README.md | while read -r d row; do
	[ -d "lib/$d" ] || continue
	words <<<"$row" | while read -r file; do
		[ -e "lib/$d/$file" ] || [ -e "lib/$file" ] || { echo "lib/README.md: $d has no $file"; exit 1; }
	done
	[ ! -e "lib/$d/DESIGN.md" ] || grep -q DESIGN.md <<<"$row" || { echo "lib/README.md: $d has a DESIGN.md"; exit 1; }
done
# So are the tables of commands, tests and their helpers; none of them is left out.
grep '^| `' cmd/README.md | cut -d '|' -f 2 | words | grep '\.' | while read -r file; do
	[ -e "cmd/$file" ] || { echo "cmd/README.md: there is no $file"; exit 1; }
done
for f in cmd/*.[ch] cmd/*.def; do
	grep -qF "\`${f#cmd/}\`" cmd/README.md || fail "cmd/README.md does not mention $f"
done
grep -oE '`t_[a-z_]+`' tests/README.md | tr -d '`' | while read -r t; do
	[ -e "tests/unit/$t.c" ] || { echo "tests/README.md: there is no $t"; exit 1; }
done
for f in tests/support/*.h tests/support/*.sh tests/support/*.mjs; do
	grep -qF "${f#tests/support/}" tests/README.md || fail "tests/README.md does not mention $f"
done
# A DESIGN that lists the parts of its folder lists them all; rows of doctor go without.
for d in discovery election member monitor runner; do
	for f in lib/$d/*.c; do
		name=$(basename "$f" .c)
		case $name in *_check) continue ;; elector_*) name='elector\*' ;; esac
		grep -qE "\`([a-z]+/)?$name(\.[ch])?\`" lib/$d/DESIGN.md || fail "lib/$d/DESIGN.md does not mention $f"
	done
done
# Every lock stands in the table, once, where it is.
sed -n 's/^LOCK( *"[^"]*", *"\([^,"]*\), \([^"]*\)".*/\1 \2/p' lib/sys/locks.def | sort >"$T/listed"
grep -HE '^(static|	) ?pthread_mutex_t [a-z_]+( =|;)' lib/*/*.[ch] cmd/*.[ch] |
    sed 's/^\([^:]*\):.*pthread_mutex_t \([a-z_]*\).*/\1 \2/' | sort >"$T/there"
sed 's/ .*[. ]\([a-z_]*\)$/ \1/' "$T/listed" | diff - "$T/there" || fail "lib/sys/locks.def and the locks (>) differ"
