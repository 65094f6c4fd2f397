# The pure cores link with base and model alone: no socket, no thread, no clock.
. "$(dirname "$0")/../support/lib.sh"
cores=$(make -s print-CORES)
[ -n "$cores" ] || fail "the Makefile names no cores"
objs=
for c in $cores; do objs="$objs build/obj/${c%.c}.o"; done
echo 'int main(void) { return 0; }' >"$T/main.c"
# shellcheck disable=SC2086
gcc -pie -fuse-ld=lld -o "$T/cores" "$T/main.c" $objs build/obj/lib/model/*.o build/obj/lib/base/*.o \
    -Lbuild/root/usr/lib/x86_64-linux-gnu -lhdr_histogram_static -lm -lpthread
# shellcheck disable=SC2086
asks=$(nm -u $objs | awk '{ print $2 }' | grep -E '^(clock_gettime|time|poll|epoll_.*|socket|read|write|open|malloc|calloc|realloc|free|pthread_.*|getrandom|nanosleep)$' | sort -u | tr '\n' ' ' || :)
[ -z "$asks" ] || fail "a pure core asks the system for: $asks"
