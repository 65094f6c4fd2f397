# No file of the project names a machine, a registry host or unfinished work; nothing
# generated or third-party is committed.
. "$(dirname "$0")/../support/lib.sh"
hosts='deb\.debian\.org|registry\.npmjs|security\.debian\.org|snapshot\.debian'
! git grep -nIE "$hosts" -- . ':!tests/tree/clean-words.sh' || fail "a host name of a package archive"
! git grep -nIE '\b(TODO|FIXME|XXX|HACK)\b' -- . ':!tests/tree/clean-words.sh' ':!tests/fuzz/corpus' || fail "unfinished work"
! git grep -nIF "$PWD/" -- . || fail "the path of this checkout"
! git grep -nI '"resolved"' -- '*package-lock.json' || fail "a lock file that names where packages come from"
! git ls-files | grep -E '(^|/)(node_modules|build)/|\.(o|a|so|deb|tgz|png\.orig)$' || fail "something generated is committed"
top=$(git ls-files | sed 's|/.*||' | sort -u | grep -vE '^(Makefile|cmd|lib|assets|deploy|Containerfile|tests|benchmarks|scripts|LICENSE|README\.md|CHANGELOG\.md|\..*)$' || :)
[ -z "$top" ] || fail "not at the top level of this project: $top"
