# Completion scripts are good shell, complete commands, options, values and live names, and are
# silent and quick when NATS is not there; man pages say what the help says and format cleanly.
. "$(dirname "$0")/../support/lib.sh"
nats_start
js bucket service_registry
js instance order-service order-service-1
js instance order-service order-service-2
js instance pay-service pay-1
echo '{"service_name":"only-defined","owner":"team-a","description":"described","version":"1.0.0"}' >"$T/d.json"
code 0 "$AEGIS" registry put "$T/d.json"

for shell in bash zsh fish; do
	code 0 "$AEGIS" completion $shell
	silent stderr
	cp "$T/stdout" "$T/completion.$shell"
	case $shell in
	bash) bash -n "$T/completion.bash" && shellcheck -s bash -e SC2207 "$T/completion.bash" ;;
	*) ! command -v $shell >/dev/null || $shell -n "$T/completion.$shell" ;;
	esac || fail "the $shell script is not good"
done

# What bash offers for a line; the words are split as bash does it.
cat >"$T/ask.bash" <<-'B'
	. "$1/completion.bash"
	aegis() { "$AEGIS" "$@"; }
	COMP_WORDS=("${@:2}")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMP_WORDS[0]=$AEGIS
	_aegis
	printf '%s\n' "${COMPREPLY[@]}"
B
offers() {		# WORDS… : in $T/stdout, sorted
	bash "$T/ask.bash" "$T" "$@" 2>"$T/stderr" | sort >"$T/stdout"
	silent stderr
}
only() {		# EXPECTED… for what was asked
	printf '%s\n' "$@" | sort | diff "$T/stdout" - || fail "other candidates"
}
offers aegis reg
only registry
offers aegis registry ""
only get history init ls put rm watch
offers aegis registry l
only ls
offers aegis registry ls --stale
only --stale-threshold
offers aegis registry ls --output ""
only json ndjson table
offers aegis registry ls --output = n
only ndjson
offers aegis completion ""
only bash fish zsh
offers aegis help registry h
only history
# Names that are asked for, which nobody waits for longer than half a second.
names() {		# EXPECTED -- WORDS…
	offers aegis "${@:3}"
	[ "$(tr '\n' ' ' <"$T/stdout")" = "$1 " ]
}
until_true 10 names 'only-defined order-service pay-service' -- call ""
until_true 10 names order-service -- call ord
until_true 10 names 'order-service-1 order-service-2' -- call order-service greet --instance ""
until_true 10 names pay-service -- registry get pay
until_true 10 names 'only-defined order-service pay-service' -- registry ls --service ""
: >"$T/a-file.json"
cd "$T" || exit
offers aegis registry put a-fi
only a-file.json
offers aegis run-service --name x -- bas
grep -qx bash "$T/stdout" || fail "no commands to wrap"
meant() {
	"$AEGIS" __complete -- call o >"$T/stdout" && grep -q "$(printf 'only-defined\tdescribed')" "$T/stdout"
}
until_true 10 meant

# No NATS, a NATS that hangs, wrong options: nothing is said, and nobody waits as long as for an answer (5 s for each server).
quick() {
	start=$(date +%s%N)
	code 0 "$@"
	took=$((($(date +%s%N) - start) / 1000000))
	silent stderr
	[ "$took" -lt $((5000 * AEGIS_TEST_SLOW)) ] || fail "$took ms: $*"
}
quick env NATS_URL=nats://127.0.0.1:9 "$AEGIS" __complete -- call ""
silent stdout
one=$NATS_URL
nats_start second
two=$NATS_URL
nats_start third
for s in nats second third; do kill -STOP "$(cat "$T/$s.pid")"; done
quick env NATS_URL="$one,$two,$NATS_URL" "$AEGIS" __complete -- call ""
for s in nats second third; do kill -CONT "$(cat "$T/$s.pid")"; done
quick "$AEGIS" __complete -- call --creds /nowhere ""
quick "$AEGIS" __complete -- nonsense ""
quick "$AEGIS" __complete

# Man pages.
code 0 "$AEGIS" help --pages
cp "$T/stdout" "$T/pages"
grep -qx aegis-registry "$T/pages" || fail "no page about registry"
while read -r page; do
	code 0 "$AEGIS" help --man "$page"
	cp "$T/stdout" "$T/$page.1"
	head -n 5 "$T/$page.1" | grep -q '^\.TH ' || fail "$page has no title"
	grep -q '^\.SH NAME' "$T/$page.1" || fail "$page has no section NAME"
	grep -Eq '^\.SH ("[a-z-]+ [a-z-]+"|SYNOPSIS)' "$T/$page.1" || fail "$page does not say how it is called"
	if command -v groff >/dev/null; then
		groff -man -Tutf8 -ww -z "$T/$page.1" >"$T/groff" 2>&1 || fail "groff fails on $page"
		silent groff
		groff -man -Tascii "$T/$page.1" | sed 's/.\x08//g; s/\x1b\[[0-9;]*m//g' >"$T/$page.txt"
		grep -q 'NAME' "$T/$page.txt" || fail "$page shows nothing"
	fi
done <"$T/pages"
code 2 "$AEGIS" help --man aegis-nothing
# Every option of the help stands in the page.
tr -d '\\' <"$T/aegis-registry.1" >"$T/page"
"$AEGIS" help registry put | grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' | grep -oE '\-\-[a-z-]+' | sort -u |
    while read -r o; do
	grep -q -- "$o" "$T/page" || fail "the page lacks $o"
done
