# The README's C example, built with plain gcc and Debian's own ld against the installed
# library through pkg-config, runs; and a wrong CA is refused by a program that is linked
# that way, although the system trusts the right one.
. "$(dirname "$0")/../support/lib.sh"
[ -f build/libaegis.a ] || fail "build/libaegis.a is not there; make check builds it"

make -s install-library DESTDIR="$T/inst" PREFIX=/usr
flags="-I$T/inst/usr/include -L$T/inst/usr/lib"
grep -q -- '-laegis -lm -lpthread' "$T/inst/usr/lib/pkgconfig/aegis.pc" || fail "aegis.pc does not say how to link"

# The example as it stands in the README: from its first include to the closing brace.
awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' README.md >"$T/hello.c"
# shellcheck disable=SC2086
gcc -Wall -Wextra -Werror -fuse-ld=bfd $flags "$T/hello.c" -o "$T/hello" -laegis -lm -lpthread

nats_start
code 0 "$T/hello"
[ "$(cat "$T/stdout")" = '{"greeting":"you"}' ] || fail "the example printed $(cat "$T/stdout")"

# The example of a leader: it hands out numbers, is told of its lead, and gives it to the next one at its end.
# shellcheck disable=SC2086
gcc -Wall -Wextra -Werror -fuse-ld=bfd $flags deploy/examples/leader.c -o "$T/leader" -laegis -lm -lpthread
spawn one "$T/leader"
until_true 20 grep -q '^active' "$T/one.out"
# Its leases are short: on a busy machine it may lead more than once, each time under another epoch.
numbered() {
	"$AEGIS" call --sticky number-service next --json --timeout 1m >"$T/stdout"
	epoch=$(sed -n 's/^active //p' "$T/one.out" | tail -n 1)
	grep -qE "\"epoch\":$epoch,\"number\":[1-9]" "$T/stdout"
}
until_true 20 numbered
spawn two "$T/leader"
until_true 20 bash -c "[ \"\$('$AEGIS' registry ls --instances --service number-service --json | grep -o STANDBY | wc -l)\" -ge 1 ]"
end one
[ "$rc" -eq 0 ] || fail "it ends with $rc"
grep -q "^standby $epoch" "$T/one.out" || fail "it was not told that its lead is over"
until_true 20 grep -q '^active' "$T/two.out"
[ "$(sed -n 's/^active //p' "$T/two.out" | head -n 1)" -gt "$epoch" ] || fail "the epoch does not grow"
end two

# Nothing but aegis_* is to be seen, so that no name of ours meets one of the program's.
seen=$(nm -g --defined-only "$T/inst/usr/lib/libaegis.a" | awk 'NF == 3 && $3 !~ /^(aegis_|OPENSSL_ia32cap_P$)/ { print $3 }')
[ -z "$seen" ] || fail "the library exports $seen"

# TLS: two authorities; the server's certificate is from the first.
for ca in right wrong; do
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$ca" \
	    -keyout "$T/$ca.key" -out "$T/$ca.pem" 2>/dev/null
done
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=nats -keyout "$T/srv.key" -out "$T/srv.csr" 2>/dev/null
openssl x509 -req -in "$T/srv.csr" -CA "$T/right.pem" -CAkey "$T/right.key" -CAcreateserial -days 2 -out "$T/srv.pem" \
    -extfile <(echo subjectAltName=IP:127.0.0.1,DNS:localhost) 2>/dev/null
nats_start tls "$NATS_SERVER" "tls { cert_file: \"$T/srv.pem\", key_file: \"$T/srv.key\" }"
cat >"$T/tls.c" <<'C'
#include <aegis.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
	aegis_error e;
	aegis *a = aegis_connect(&(aegis_options){ .servers = argv[1], .tls_ca = argv[2], .timeout_ms = 60000 }, &e);

	(void)argc;
	puts(a != NULL ? "connected" : e.text);
	aegis_close(a);
	return a == NULL;
}
C
# shellcheck disable=SC2086
gcc -fuse-ld=bfd $flags "$T/tls.c" -o "$T/tls-client" -laegis -lm -lpthread
code 0 "$T/tls-client" "$NATS_URL" "$T/right.pem"
code 1 "$T/tls-client" "$NATS_URL" "$T/wrong.pem"
SSL_CERT_FILE=$T/right.pem code 1 "$T/tls-client" "$NATS_URL" "$T/wrong.pem"
says stdout "certificate"
