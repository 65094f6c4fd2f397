#!/bin/bash
# Two builds of one tree in two directories, whose names differ in length, give equal bytes:
# the program, stripped and not, its man pages, and the library.
set -eu
cd "$(dirname "$0")/../.."
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
start=$(date +%s)
unset MAKEFLAGS MFLAGS MAKELEVEL
b=$t/another-directory-with-a-longer-name
mkdir -p "$t/a/build" "$b"
tests/support/files | tar -cf - -T - | tar -xf - -C "$t/a"
cp -a build/root build/src "$t/a/build"
[ ! -d .git ] || cp -a .git "$t/a/.git"		# the version is that of the commit
cp -a "$t/a/." "$b"
build() {
	make -s -C "$1" -j"$(nproc)" all man build/libaegis.a >"$1/make.log" 2>&1 || { cat "$1/make.log"; exit 1; }
}
build "$t/a"
build "$b"
cmp "$t/a/build/aegis" "$b/build/aegis"
cmp "$t/a/build/libaegis.a" "$b/build/libaegis.a"
for d in "$t/a" "$b"; do strip -o "$d/stripped" "$d/build/aegis"; done
cmp "$t/a/stripped" "$b/stripped"
diff -r "$t/a/build/man" "$b/build/man"
if grep -aqF "$t" "$b/build/aegis"; then echo "the directory of the build stands in the program"; exit 1; fi
if grep -aqF "$PWD/" build/aegis; then echo "this directory stands in the program"; exit 1; fi
echo "$(($(date +%s) - start)) s"
