#!/bin/bash
# The program is one static file that runs where there is nothing else, hardened as promised
# and small; and the linker was given nothing that it miscompiles.
set -eu
cd "$(dirname "$0")/../.."
b=build/aegis
lib=build/root/usr/lib/x86_64-linux-gnu
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
wrong() { echo "$*"; exit 1; }

ldd $b >"$t/ldd" 2>&1 || :
grep -Eq 'statically linked|not a dynamic executable' "$t/ldd" || wrong "$(cat "$t/ldd")"
if command -v file >/dev/null; then
	file $b | grep -q 'static-pie linked' || wrong "$(file $b)"
fi
readelf -lW $b >"$t/segments"
if grep -q INTERP "$t/segments"; then wrong "it names an interpreter"; fi
readelf -hW $b | grep -q 'DYN (' || wrong "it is not position-independent"
grep 'GNU_STACK' "$t/segments" | grep -q ' RW ' || wrong "the stack is executable"
grep -q 'GNU_RELRO' "$t/segments" || wrong "no RELRO"
if grep -E 'LOAD.* RWE ' "$t/segments"; then wrong "a segment is writable and executable"; fi
readelf -dW $b | grep -Eq 'BIND_NOW|FLAGS_1.*NOW' || wrong "symbols are not bound at once"
nm $b | grep -q ' __stack_chk_fail' || wrong "no stack protector"
nm $b | grep -q '__snprintf_chk\|__memcpy_chk' || wrong "no _FORTIFY_SOURCE"

# The broken variants of the election exist in their own simulation only.
nm $b >"$t/names"
if grep -q 'lease_mutant' "$t/names" || grep -aq AEGIS_MUTANT $b; then wrong "it holds the broken variants of the election"; fi
nm build/sim/lease-mutants | grep -q ' lease_mutant$' || wrong "the guard against mutants proves nothing"

strip -o "$t/aegis" $b
size=$(stat -c %s "$t/aegis")
[ "$size" -le 9000000 ] || wrong "stripped it has $size bytes"

# An empty root: no libraries, no /etc, no /proc.
mkdir "$t/root"
cp "$t/aegis" "$t/root/aegis"
if [ "$(id -u)" -eq 0 ]; then in_root() { chroot "$t/root" "$@"; }; else in_root() { unshare -rR "$t/root" "$@"; }; fi
in_root /aegis version | grep -q 'nats.c' || wrong "it does not run in an empty root"
in_root /aegis help registry >/dev/null
rc=0
in_root /aegis registry ls -s nats://127.0.0.1:9 --timeout 1s 2>"$t/err" || rc=$?
[ $rc -eq 6 ] || wrong "without NATS in an empty root: exit $rc: $(cat "$t/err")"

# What bookworm's ld would turn into a wrong call (a push of a function's address through the
# GOT).  lld does not, and this function of nats.c is the only known place.
readelf -rW $lib/*.a 2>/dev/null | grep 'R_X86_64_GOTPCRELX' | awk '{ print $5 }' | sort -u >"$t/got"
grep -q . "$t/got" || wrong "the guard finds nothing at all, so it proves nothing"
for a in nats_static ssl crypto sodium protobuf-c msgpackc http_parser hdr_histogram_static; do
	[ -e "$lib/lib$a.a" ] || wrong "lib$a.a is not there"
done
grep -v '^stanProcessPubAck$' "$t/got" >"$t/other" || :
[ ! -s "$t/other" ] || wrong "new places that ld would miscompile: $(tr '\n' ' ' <"$t/other")"
readelf -p .comment $b | grep -q 'LLD' || wrong "it was not linked by lld"
echo "$size bytes stripped"
