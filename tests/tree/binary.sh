# build/aegis is one static, hardened file of at most 9 MB that runs in an empty chroot.
. "$(dirname "$0")/../support/lib.sh"
bin=build/aegis
ldd $bin >"$T/ldd" 2>&1 || :
grep -qE 'statically linked|not a dynamic executable' "$T/ldd" || fail "ldd says: $(cat "$T/ldd")"
readelf -hW $bin | grep 'DYN (' >/dev/null || fail "it is not position-independent"
readelf -lW $bin >"$T/segments"
! grep -q INTERP "$T/segments" || fail "it asks for an interpreter"
grep GNU_STACK "$T/segments" | grep 'RW ' >/dev/null || fail "its stack is executable"
grep -q GNU_RELRO "$T/segments" || fail "it has no RELRO"
readelf -dW $bin | grep 'BIND_NOW\|FLAGS.*NOW' >/dev/null || fail "it binds lazily"
nm $bin >"$T/symbols"
grep -q __stack_chk_fail "$T/symbols" || fail "it has no stack protector"
grep -q __memcpy_chk "$T/symbols" || fail "it is not fortified"

strip -o "$T/aegis" $bin
size=$(stat -c %s "$T/aegis")
echo "stripped: $size bytes"
[ "$size" -le $((9 * 1024 * 1024)) ] || fail "stripped it has $size bytes, more than 9 MB"

mkdir "$T/empty"
cp "$T/aegis" "$T/empty/aegis"
code 0 chroot "$T/empty" /aegis version
says stdout "nats.c 3."
code 0 chroot "$T/empty" /aegis version --licenses
for part in NATS OpenSSL yyjson msgpack sodium protobuf hdr http-parser glibc aegis; do
	grep -qi -- "$part" "$T/stdout" || fail "no notice of $part"
done

# What bookworm's ld would break (it is not used, but somebody may change that).
readelf -rW build/root/usr/lib/x86_64-linux-gnu/*.a 2>/dev/null | grep R_X86_64_GOTPCRELX >"$T/got" || :
! grep -v stanProcessPubAck "$T/got" | head -3 | grep . || fail "a new relocation that ld 2.40 miscompiles; see scripts/libaegis"
