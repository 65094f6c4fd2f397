# Includes go down only, sideways only where design allows, and third-party headers come in
# through their one door; and the checker sees it when they do not.
. "$(dirname "$0")/../support/lib.sh"
scripts/floors

mkdir -p "$T/scripts" "$T/lib/base" "$T/lib/runner" "$T/lib/codec" "$T/cmd"
cp scripts/floors "$T/scripts"
echo '#include "base/err.h"' >"$T/lib/codec/fine.c"
(cd "$T" && scripts/floors) || fail "a downward include is refused"
for bad in 'lib/base/up.c "sys/loop.h"' 'lib/runner/side.c "registry/registry.h"' 'lib/codec/door.c <nats/nats.h>'; do
	echo "#include ${bad#* }" >"$T/${bad%% *}"
	if (cd "$T" && scripts/floors >"$T/said"); then fail "not noticed: $bad"; fi
	says said "${bad%% *}"
	rm "$T/${bad%% *}"
done
