#!/bin/bash
# Nothing of the machine that it was written on stands in the tree: no host that its package
# managers use, no path of a home or workspace, no lock file that tells where packages came
# from instead of what they are.
set -eu
cd "$(dirname "$0")/../.."
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
tests/support/files | grep -v '^tests/fuzz/corpus/' >"$t/files"
[ "$(wc -l <"$t/files")" -gt 100 ] || { echo "found too few files"; exit 1; }
failed=0
# none REASON PATTERN: no file matches; written so that this file does not either.
none() {
	if tr '\n' '\0' <"$t/files" | xargs -0 grep -InE -- "$2" >"$t/hits"; then
		echo "$1:"
		head -n 20 "$t/hits"
		failed=1
	fi
}
none "a path of the machine that it was written on" '(^|[^a-z0-9_.*$}/-])/(wor''k|hom''e)/[a-z]'
# The hosts that this machine is told to use.
{
	npm config get registry 2>/dev/null || :
	sed -n 's/^URIs:[[:space:]]*//p' /etc/apt/sources.list.d/*.sources 2>/dev/null || :
	sed -n 's/^deb[^h]*\(http[^ ]*\).*/\1/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || :
} | sed -n 's|.*://\([^/:]*@\)\{0,1\}\([^/:]*\).*|\2|p' | sort -u >"$t/hosts"
while read -r host; do
	none "the host $host" "$(printf '%s' "$host" | sed 's/\./\\./g')"
done <"$t/hosts"
# Not in build/, where others make and remove files meanwhile.
find . \( -path ./build -o -name node_modules \) -prune -o -name package-lock.json -print >"$t/locks"
while read -r lock; do
	if grep -nE '"resolved"|://' "$lock" | grep -v '"url"'; then
		echo "$lock tells where packages came from"
		failed=1
	fi
	grep -q '"integrity"' "$lock" || { echo "$lock has no checksums"; failed=1; }
	grep -q '^omit-lockfile-registry-resolved=true$' "$(dirname "$lock")/.npmrc" ||
	    { echo "$(dirname "$lock")/.npmrc does not keep addresses out of the lock file"; failed=1; }
done <"$t/locks"
# What must be found is found.
echo "x /wor""k/main y" >"$t/probe"
grep -qE '(^|[^a-z0-9_.*$}/-])/(wor''k|hom''e)/[a-z]' "$t/probe" || { echo "the pattern proves nothing"; exit 1; }
exit $failed
