#!/bin/bash
# Every shell script of the tree is clean in shellcheck's eyes; tests, which hold much text of
# other languages in single quotes, as far as warnings go.
set -eu
cd "$(dirname "$0")/../.."
mapfile -t files < <(tests/support/files | while read -r f; do
	case $f in
	*.sh) echo "$f" ;;
	*) ! head -c 64 "$f" | head -n 1 | grep -aEq '^#!.*[/ ](ba|da)?sh$' || echo "$f" ;;
	esac
done)
[ "${#files[@]}" -gt 10 ] || { echo "found only ${#files[@]} scripts"; exit 1; }
tests=() others=()
for f in "${files[@]}"; do
	case $f in tests/*) tests+=("$f") ;; *) others+=("$f") ;; esac
done
# Scenarios get functions and variables from tests/support, and give some back.
shellcheck -x -s bash -S warning -e SC1091,SC2154,SC2034 "${tests[@]}"
shellcheck -x -e SC2013,SC2016 "${others[@]}"		# both are meant as they stand
echo "${#files[@]} scripts"
