# `make install` puts program, man pages, completions and library below DESTDIR and PREFIX and
# nowhere else, and what it installed works from there.
. "$(dirname "$0")/../support/lib.sh"
if [ "$AEGIS_TEST_SLOW" -ne 1 ]; then
	echo "only the release build is installed"
	exit 0
fi
d=$T/dest
make -s -C "$ROOT" install DESTDIR="$d" PREFIX=/opt/aegis >"$T/make.log" 2>&1 || fail "make install: $(cat "$T/make.log")"
[ "$(ls "$d")" = opt ] && [ "$(ls "$d/opt")" = aegis ] || fail "something lies outside the prefix: $(find "$d")"
p=$d/opt/aegis
for f in bin/aegis share/man/man1/aegis.1 share/man/man1/aegis-registry.1 share/man/man1/aegis-run-service.1 \
    share/bash-completion/completions/aegis share/zsh/site-functions/_aegis share/fish/vendor_completions.d/aegis.fish \
    lib/libaegis.a lib/pkgconfig/aegis.pc include/aegis.h include/aegis_codes.h; do
	[ -s "$p/$f" ] || fail "$f is not installed"
done
[ "$(stat -c %a "$p/bin/aegis")" = 755 ] || fail "the program's mode"
[ "$(stat -c %a "$p/share/man/man1/aegis.1")" = 644 ] || fail "a page's mode"
if find "$d" -perm /022 ! -type l | grep .; then fail "somebody else may write there"; fi
# Stripped, and still a whole program.
[ "$(stat -c %s "$p/bin/aegis")" -lt "$(stat -c %s "$ROOT/build/aegis")" ] || fail "it is not stripped"
nats_start
code 0 "$p/bin/aegis" registry ls --json
[ "$(cat "$T/stdout")" = "[]" ] || fail "the installed program does not work"
bash -n "$p/share/bash-completion/completions/aegis" || fail "the completion is no shell"
# A page for every page that help knows, and none besides.
"$p/bin/aegis" help --pages | sort >"$T/pages"
for f in "$p"/share/man/man1/*; do basename "$f" .1; done | sort | diff - "$T/pages" || fail "other man pages"
