# Nothing unfinished, generated or third-party is committed, and the top level holds what the
# project's card says.
. "$(dirname "$0")/../support/lib.sh"
tests/support/files >"$T/files"
words='\b(TO''DO|FIX''ME|XX''X|HA''CK)\b'
! grep -v '^tests/fuzz/corpus/' "$T/files" | tr '\n' '\0' | xargs -0 grep -nIE "$words" || fail "unfinished work"
! grep -E '(^|/)(node_modules|build)/|\.(o|a|so|deb|tgz)$' "$T/files" || fail "something generated or third-party is committed"
top=$(sed 's|/.*||' "$T/files" | sort -u |
    grep -vE '^(Makefile|cmd|lib|assets|deploy|Containerfile|tests|benchmarks|scripts|LICENSE|README\.md|CHANGELOG\.md|\..*)$' || :)
[ -z "$top" ] || fail "not at the top level of this project: $top"
