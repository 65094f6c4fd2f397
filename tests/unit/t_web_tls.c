/* t_web_tls - HTTPS: which clients get in, who is refused, what silence costs, new certificates under way.
 * The other end is openssl's client and curl. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "sys/thread.h"
#include "talk.h"

#define RECEIVE_NS (120 * NS_PER_S)	/* nobody is too slow for it … */
#define HASTY_NS (2 * NS_PER_S)		/* … but whoever a test means to be */

static char dir[] = "/tmp/t_web_tls.XXXXXX";
static char out[65536];			/* what the last command said */

/* sh: runs a line with $D, $S and $P (folder, port of HTTPS, of HTTP); its exit code, its words in out. */
static int __attribute__((format(printf, 1, 2)))
sh(const char *fmt, ...)
{
	char *line = NULL, *command;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&line, fmt, ap) > 0);
	va_end(ap);
	const char *s = server != NULL ? strrchr(web_server_address(server, 0), ':') + 1 : "";
	const char *p = server != NULL ? strrchr(web_server_address(server, 1), ':') + 1 : "";
	assert_true(asprintf(&command, "D=%s S=%s P=%s; { %s; } 2>&1", dir, s, p, line) > 0);
	FILE *f = popen(command, "re");
	assert_non_null(f);
	size_t n = fread(out, 1, sizeof out - 1, f);
	out[n] = '\0';
	free(line);
	free(command);
	return pclose(f);
}

static bool
told(const char *text)
{
	return strstr(out, text) != NULL;
}

static enum err_code
secure(void *arg, struct web_request *r, struct err *err)
{
	(void)arg;
	(void)err;
	web_reply(r, 200, "text/plain", text_of(web_secure(r) ? "secure" : "plain"));
	return ERR_OK;
}

/* large: more than goes into one record, and into the buffers between. */
static enum err_code
large(void *arg, struct web_request *r, struct err *err)
{
	size_t n = (size_t)4 << 20;
	char *p = mem_new(n);

	(void)arg;
	(void)err;
	memset(p, 'x', n);
	web_reply(r, 200, "text/plain", (struct text){ p, n });
	mem_free(p);
	return ERR_OK;
}

static enum err_code
length(void *arg, struct web_request *r, struct err *err)
{
	char text[32];

	(void)arg;
	(void)err;
	snprintf(text, sizeof text, "%zu bytes", web_body(r).n);
	web_reply(r, 200, "text/plain", text_of(text));
	return ERR_OK;
}

static const struct web_route routes[] = {
	{ "GET", "/", WEB_QUICK, .handler = secure },
	{ "GET", "/large", WEB_WAITS, .handler = large },
	{ "POST", "/length", WEB_WAITS, 2000000, length, .takes = "application/octet-stream" },
};

static struct web_server *
serve(const char *cert, const char *key, const char *ca, int64_t receive_ns, struct err *err)
{
	static const char *const listen[] = { "https://127.0.0.1:0", "http://127.0.0.1:0" };
	char path[3][64];
	const char *name[] = { cert, key, ca };

	for (size_t i = 0; i < 3; i++)
		snprintf(path[i], sizeof path[i], "%s/%s", dir, name[i] != NULL ? name[i] : "");
	return web_server_new(&(struct web_server_opts){ .listen = listen, .nlisten = 2, .routes = routes, .nroutes = COUNT_OF(routes),
	    .tls_cert = path[0], .tls_key = key != NULL ? path[1] : NULL, .tls_client_ca = ca != NULL ? path[2] : NULL,
	    .receive_ns = receive_ns }, err);
}

static int
begin_all(void **state)
{
	static const char make[] =
	    "set -e; cd $D; new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';"
	    "for ca in right wrong; do openssl req -x509 $new -days 2 -subj /CN=$ca -keyout $ca.key -out $ca.pem; done;"
	    "cert() { openssl req $new -subj /CN=$1 -keyout $1.key -out $1.csr; echo subjectAltName=$3 >$1.ext;"
	    " openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days 2 -extfile $1.ext -out $1.pem; };"
	    "cert first right IP:127.0.0.1; cert second right IP:127.0.0.1; cert client right DNS:client; cert foreign wrong DNS:client;"
	    "cat first.pem first.key >both.pem; cp first.pem now.pem; cp first.key now.key; echo nonsense >bad.pem;"
	    "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=rsa -addext subjectAltName=IP:127.0.0.1 -keyout rsa.key -out rsa.pem";

	(void)state;
	if (mkdtemp(dir) == NULL || sh("%s", make) != 0) {
		print_error("%s\n", out);
		return 1;
	}
	return 0;
}

static int
end_all(void **state)
{
	(void)state;
	return sh("rm -rf \"$D\"");
}

static int
end(void **state)
{
	(void)state;
	web_server_free(server);
	server = NULL;
	return 0;
}

static void
start_with(const char *cert, const char *key, const char *ca, int64_t receive_ns)
{
	struct err err = { ERR_OK, "" };

	server = serve(cert, key, ca, receive_ns, &err);
	if (server == NULL)
		fail_msg("%s", err.text);
}

static void
start(const char *cert, const char *key, const char *ca)
{
	start_with(cert, key, ca, RECEIVE_NS);
}

#define CURL "timeout 100 curl -sS --cacert $D/right.pem "
#define CLIENT "timeout 100 openssl s_client -CAfile $D/right.pem -connect 127.0.0.1:$S "

/* --- tests ------------------------------------------------------------------------------- */

static void
speaks_tls(void **state)
{
	(void)state;
	start("first.pem", "first.key", NULL);
	assert_non_null(strstr(web_server_address(server, 0), "https://127.0.0.1:"));
	assert_int_equal(sh(CURL "https://127.0.0.1:$S/"), 0);
	assert_string_equal(out, "secure");
	assert_int_equal(sh(CURL "http://127.0.0.1:$P/"), 0);
	assert_string_equal(out, "plain");
	assert_int_equal(sh(CURL "-v --tlsv1.3 https://127.0.0.1:$S/"), 0);
	assert_true(told("TLSv1.3"));
	assert_int_equal(sh(CURL "-v --tls-max 1.2 https://127.0.0.1:$S/"), 0);
	assert_true(told("TLSv1.2"));
	assert_int_equal(sh(CURL "https://127.0.0.1:$S/large | wc -c"), 0);
	assert_int_equal(strtol(out, NULL, 10), 4 << 20);
	assert_int_equal(sh("head -c 1500000 /dev/zero | " CURL "--data-binary @- -H 'Content-Type: application/octet-stream' "
	    "https://127.0.0.1:$S/length"), 0);
	assert_string_equal(out, "1500000 bytes");
	/* Many requests on one connection. */
	assert_int_equal(sh(CURL "-v \"https://127.0.0.1:$S/?[1-20]\""), 0);
	assert_true(told("Re-using existing connection"));
	assert_int_equal(web_counters(server).insecure, 0);
}

static void
refuses_what_is_old_or_none(void **state)
{
	(void)state;
	start("both.pem", NULL, NULL);
	assert_int_equal(sh(CURL "https://127.0.0.1:$S/"), 0);

	assert_int_not_equal(sh(CLIENT "-tls1_1 -cipher ALL:@SECLEVEL=0 </dev/null"), 0);
	assert_true(told("alert protocol version"));	/* it was the server who said so */
	assert_int_equal(sh(CLIENT "-tls1_2 </dev/null"), 0);
	assert_int_not_equal(sh("timeout 100 curl -sS http://127.0.0.1:$S/"), 0);
	assert_int_not_equal(sh("timeout 100 curl -sS --cacert $D/wrong.pem https://127.0.0.1:$S/"), 0);
	WAIT_FOR(web_counters(server).insecure >= 3);
	assert_int_equal(sh(CURL "https://127.0.0.1:$S/"), 0);
}

static void
asks_for_certificates(void **state)
{
	(void)state;
	start("rsa.pem", "rsa.key", "right.pem");
#define ASK "timeout 100 curl -sS --cacert $D/rsa.pem https://127.0.0.1:$S/ "
	for (int v = 2; v <= 3; v++) {
		assert_int_equal(sh(ASK "--tlsv1.%d --tls-max 1.%d --cert $D/client.pem --key $D/client.key", v, v), 0);
		assert_string_equal(out, "secure");
		assert_int_not_equal(sh(ASK "--tlsv1.%d --tls-max 1.%d", v, v), 0);
		assert_false(told("secure"));
		assert_int_not_equal(sh(ASK "--tlsv1.%d --tls-max 1.%d --cert $D/foreign.pem --key $D/foreign.key", v, v), 0);
		assert_false(told("secure"));
	}
	WAIT_FOR(web_counters(server).insecure == 4);
	assert_int_equal(sh(CURL "http://127.0.0.1:$P/"), 0);		/* plain beside it, where nobody is asked */
}

static int64_t
cpu_ns(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * NS_PER_S + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * NS_PER_US;
}

/* Silent from the first byte on, or after the first of a handshake: each costs no time, and is let go. */
static void
silence_burns_nothing(void **state)
{
	static const char hello[] = "\x16\x03\x01\x02\x00\x01";
	int fd[20];

	(void)state;
	start_with("first.pem", "first.key", NULL, HASTY_NS);
	int64_t began = cpu_ns();
	for (size_t i = 0; i < COUNT_OF(fd); i++) {
		fd[i] = dial(server);
		if (i % 2 == 0)
			assert_int_equal(send(fd[i], hello, sizeof hello - 1, MSG_NOSIGNAL), sizeof hello - 1);
	}
	for (size_t i = 0; i < COUNT_OF(fd); i++) {
		assert_int_equal(hear(fd[i]), 0);
		close(fd[i]);
	}
	WAIT_FOR(web_counters(server).connections == 0);
	assert_int_equal(web_counters(server).insecure, COUNT_OF(fd) / 2);
	assert_int_equal(web_counters(server).late, COUNT_OF(fd) / 2);
	assert_in_range(cpu_ns() - began, 0, 400 * NS_PER_MS);		/* 20 of them, 2 s each */
}

static void
waits_for_others_meanwhile(void **state)
{
	int fd[40];

	(void)state;
	start("first.pem", "first.key", NULL);
	for (size_t i = 0; i < COUNT_OF(fd); i++) {
		fd[i] = dial(server);
		say(fd[i], "\x16\x03");
	}
	assert_int_equal(sh(CURL "https://127.0.0.1:$S/"), 0);
	for (size_t i = 0; i < COUNT_OF(fd); i++)
		close(fd[i]);
}

static void
takes_new_certificates(void **state)
{
	struct err err = { ERR_OK, "" };
	struct stat st;
	char path[64];

	(void)state;
	start("now.pem", "now.key", NULL);
#define SUBJECT CLIENT "</dev/null 2>/dev/null | openssl x509 -noout -subject"
	assert_int_equal(sh(SUBJECT), 0);
	assert_true(told("first"));
	/* One that is there all the while: says something until there is a file, or its folder is none; then it leaves. */
	assert_int_equal(sh("{ (say() { printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'; }; say;"
	    " while [ ! -e $D/go ] && [ -e $D/right.pem ]; do sleep 0.02; say; done;"
	    " printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n') |"
	    " timeout 170 openssl s_client -CAfile $D/right.pem -connect 127.0.0.1:$S -quiet >$D/stays; } >/dev/null 2>&1 & true"), 0);
	snprintf(path, sizeof path, "%s/stays", dir);
	WAIT_FOR(stat(path, &st) == 0 && st.st_size > 0 && web_counters(server).requests > 0);
	/* What is bad changes nothing, and is told by name. */
	assert_int_equal(sh("cp $D/bad.pem $D/now.pem"), 0);
	assert_int_equal(web_server_reload(server, &err), ERR_CONFIG);
	assert_non_null(strstr(err.text, "now.pem"));
	assert_int_equal(sh("cp $D/second.pem $D/now.pem"), 0);
	assert_int_equal(web_server_reload(server, &err), ERR_CONFIG);	/* its key is another's */
	assert_non_null(strstr(err.text, "now.key"));
	assert_int_equal(sh(SUBJECT), 0);
	assert_true(told("first"));
	assert_int_equal(sh("cp $D/second.key $D/now.key"), 0);
	assert_int_equal(web_server_reload(server, &err), ERR_OK);
	assert_int_equal(sh(SUBJECT), 0);
	assert_true(told("second"));
	uint64_t before = web_counters(server).requests;
	WAIT_FOR(web_counters(server).requests > before);	/* of the one that stays */
	assert_int_equal(sh("touch $D/go; " CURL "https://127.0.0.1:$S/"), 0);
	WAIT_FOR(web_counters(server).connections == 0);
	assert_int_equal(sh("grep -c 'HTTP/1.1 200' $D/stays"), 0);
	assert_int_not_equal(sh("grep -q 'HTTP/1.1 [345]' $D/stays"), 0);
	assert_int_equal(sh("cp $D/first.pem $D/now.pem; cp $D/first.key $D/now.key; rm $D/go $D/stays"), 0);
}

static void
says_which_file_is_bad(void **state)
{
	static const struct { const char *cert, *key, *ca, *says; } rows[] = {
		{ "none.pem", NULL, NULL, "none.pem" }, { "bad.pem", NULL, NULL, "bad.pem" }, { "first.pem", "none.key", NULL, "none.key" },
		{ "first.pem", NULL, NULL, "first.pem" }, { "first.pem", "second.key", NULL, "second.key" },
		{ "first.pem", "first.key", "bad.pem", "bad.pem" }, { "first.pem", "first.key", "none.pem", "none.pem" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct err err = { ERR_OK, "" };
		assert_null(serve(rows[i].cert, rows[i].key, rows[i].ca, RECEIVE_NS, &err));
		assert_int_equal(err.code, ERR_CONFIG);
		if (strstr(err.text, rows[i].says) == NULL)
			fail_msg("row %zu: %s", i, err.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(speaks_tls, end),
		cmocka_unit_test_teardown(refuses_what_is_old_or_none, end),
		cmocka_unit_test_teardown(asks_for_certificates, end),
		cmocka_unit_test_teardown(silence_burns_nothing, end),
		cmocka_unit_test_teardown(waits_for_others_meanwhile, end),
		cmocka_unit_test_teardown(takes_new_certificates, end),
		cmocka_unit_test_teardown(says_which_file_is_bad, end),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, begin_all, end_all);
}
