#!/bin/bash
# The pure cores link with base/ and model/ alone, and call nothing that asks the world:
# no clock, no randomness, no I/O, no thread.
set -eu
cd "$(dirname "$0")/../.."
cores=$(sed -n '/^CORES/,/[^\\]$/p' Makefile | tr -d '\\\n' | sed 's/^CORES *:=//')
lib=build/root/usr/lib/x86_64-linux-gnu
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
objects=()
for c in $cores; do
	objects+=("build/obj/${c%.c}.o")
done
make -s "${objects[@]}"
ar rcs "$t/low.a" build/obj/lib/base/*.o build/obj/lib/model/*.o
echo 'int main(void) { return 0; }' >"$t/main.c"
link() { gcc -fuse-ld=lld -pie -o "$t/pure" "$t/main.c" "$@" "$t/low.a" -L$lib -lhdr_histogram_static -lm 2>"$t/ld.log"; }
link "${objects[@]}" || { cat "$t/ld.log"; echo "the cores need more than base and model"; exit 1; }
# A shell among them must be noticed.
if link "${objects[@]}" build/obj/lib/discovery/discovery.o; then echo "this link proves nothing"; exit 1; fi

world='^(.*clock.*|time|gettimeofday|.*rand.*|getenv|secure_getenv|open.*|read|write|f?printf|fopen.*|poll|epoll.*|socket|send.*|recv.*|pthread_.*|malloc|calloc|realloc|kill|fork|posix_spawn.*|sleep|usleep|nanosleep|id_.*|log_.*)$'
if nm -u "${objects[@]}" | awk '{ print $2 }' | grep -E "$world"; then
	echo "a pure core asks the world by these"
	exit 1
fi
nm -u build/obj/lib/base/id.o | awk '{ print $2 }' | grep -Eq "$world" || { echo "the list of calls proves nothing"; exit 1; }
echo "${#objects[@]} cores"
