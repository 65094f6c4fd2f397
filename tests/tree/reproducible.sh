#!/bin/bash
# What stands in build/, made bit by bit, and a build from nothing in a directory whose name has
# another length are equal bytes: the program, stripped and not, its man pages, the library.
set -eu
cd "$(dirname "$0")/../.."
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
start=$(date +%s)
unset MAKEFLAGS MFLAGS MAKELEVEL
b=$t/a-directory-whose-name-is-much-longer-than-that-of-this-one
mkdir -p "$b/build"
make -s all man build/libaegis.a >"$t/make.log" 2>&1 || { cat "$t/make.log"; exit 1; }
tests/support/files | tar -cf - -T - | tar -xf - -C "$b"
cp -a build/root build/src build/.ui-npm "$b/build"
[ ! -d build/node ] || cp -a build/node "$b/build"
cp -a assets/ui/node_modules "$b/assets/ui"
[ ! -e .git ] || cp -a .git "$b/.git"		# the version is that of the commit; in a worktree this is a file
make -s -C "$b" -j"$(nproc)" all man build/libaegis.a >"$t/make.log" 2>&1 || { cat "$t/make.log"; exit 1; }
cmp build/aegis "$b/build/aegis"
cmp build/libaegis.a "$b/build/libaegis.a"
strip -o "$t/here" build/aegis
strip -o "$t/there" "$b/build/aegis"
cmp "$t/here" "$t/there"
diff -r build/man "$b/build/man"
if grep -aqF "$t" "$b/build/aegis"; then echo "the directory of the build stands in the program"; exit 1; fi
if grep -aqF "$PWD/" build/aegis; then echo "this directory stands in the program"; exit 1; fi
echo "$(($(date +%s) - start)) s"
