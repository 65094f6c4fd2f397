# Two builds in two directories with names of different length give the same bytes.
. "$(dirname "$0")/../support/lib.sh"
build_in() {
	mkdir -p "$1/build"
	git ls-files -z | xargs -0 cp --parents -t "$1"
	cp -a build/root build/src "$1/build/"
	mkdir -p "$1/build/gen"
	cp build/gen/version.h "$1/build/gen/"
	# The commit is not part of the question: both get that of this tree.
	printf '#!/bin/sh\ncat %s\n' "$PWD/build/gen/version.h" >"$1/scripts/version"
	touch "$1/build/root/.stamp"
	make -s -C "$1" -j2 build/aegis >/dev/null
}
build_in "$T/a"
build_in "$T/a-directory-with-a-longer-name"
cmp "$T/a/build/aegis" "$T/a-directory-with-a-longer-name/build/aegis" || fail "the two builds differ"
