#!/bin/bash
# The folders are floors: includes go down only, without cycles and without a sideways edge
# that the design does not list.  The checker itself is checked: it must find each kind of
# mistake.
set -eu
cd "$(dirname "$0")/../.."
cores=$(sed -n '/^CORES/,/[^\\]$/p' Makefile | tr -d '\\\n' | sed 's/^CORES *:=//')
[ -n "$cores" ] || { echo "no CORES in the Makefile"; exit 1; }
# shellcheck disable=SC2086
scripts/floors . $cores

t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
finds() {	# TEXT FILE INCLUDE
	rm -rf "${t:?}/lib" "${t:?}/cmd"
	mkdir -p "$t/cmd" "$t/$(dirname "$2")"
	printf '#include %s\n' "$3" >"$t/$2"
	printf '#include "base/err.h"\n' >"$t/cmd/main.c"
	if scripts/floors "$t" "$2" >"$t/out"; then echo "not found: $2 includes $3"; exit 1; fi
	grep -q "$1" "$t/out" || { cat "$t/out"; echo "found, but not as '$1'"; exit 1; }
}
finds "goes up" lib/base/x.c '"sys/loop.h"'
finds "goes up" lib/nats/x.c '"registry/registry.h"'
finds "goes up" lib/app/x.c '"cmd/cmd.h"'
finds "goes sideways" lib/runner/x.c '"member/member.h"'
finds "goes sideways" lib/nats/x.c '"net/http.h"'
finds "goes sideways" lib/registry/x.c '"discovery/table.h"'
finds "pure core" lib/runner/supervisor.c '"sys/clock.h"'
finds "door" lib/registry/x.c '<nats.h>'
finds "door" lib/net/x.c '<openssl/ssl.h>'
finds "door" lib/auth/x.c '<mbedtls/sha256.h>'
finds "no floor" lib/base/x.c '"other/thing.h"'
finds "stands on no floor" lib/other/x.c '"base/err.h"'
mkdir -p "$t/lib/discovery" "$t/lib/registry"
rm -f "$t"/lib/*/*
printf '#include "registry/registry.h"\n' >"$t/lib/discovery/x.c"
printf '#include "discovery/table.h"\n' >"$t/lib/registry/x.c"
if scripts/floors "$t" >"$t/out"; then echo "a cycle is not found"; exit 1; fi
grep -q "a cycle" "$t/out" || { cat "$t/out"; exit 1; }
