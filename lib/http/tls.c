/* tls.c - TLS for civetweb's threads.  A handshake waits in poll, never spins, and has one deadline from
 * its begin; whoever is silent costs a thread that waits, and only so long. */
#include "http/tls.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "http/seam.h"
#include "http/server_inner.h"
#include "sys/clock.h"

/* What was loaded at one time; goes with its last connection. */
struct tls_set {
	atomic_uint refs;
	mbedtls_ssl_config conf;
	mbedtls_x509_crt cert, ca;
	mbedtls_pk_context key;
};

struct tls {
	char *cert, *key, *client_ca;
	int64_t handshake_ns;
	pthread_mutex_t lock;		/* of set */
	struct tls_set *set;
	atomic_ullong refused;
};

struct tls_link {
	mbedtls_ssl_context ssl;
	struct tls_set *set;
	int fd;
};

static enum err_code
fail(struct err *err, const char *path, int why)
{
	char words[200];

	mbedtls_strerror(why, words, sizeof words);
	return err_set(err, ERR_CONFIG, "http: TLS: %s: %s", path, words);
}

/* random_bytes: the system's, which any thread may ask for. */
static int
random_bytes(void *arg, unsigned char *out, size_t n)
{
	(void)arg;
	while (n > 0) {
		ssize_t got = getrandom(out, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
		out += got;
		n -= (size_t)got;
	}
	return 0;
}

/* --- what is loaded ---------------------------------------------------------------------- */

static void
set_unref(struct tls_set *s)
{
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	mbedtls_ssl_config_free(&s->conf);
	mbedtls_pk_free(&s->key);
	mbedtls_x509_crt_free(&s->cert);
	mbedtls_x509_crt_free(&s->ca);
	mem_free(s);
}

/* load_certs: every certificate of a file; one that cannot be read spoils it. */
static enum err_code
load_certs(mbedtls_x509_crt *out, const char *path, struct err *err)
{
	int n = mbedtls_x509_crt_parse_file(out, path);

	if (n < 0)
		return fail(err, path, n);
	return n == 0 ? ERR_OK : err_set(err, ERR_CONFIG, "http: TLS: %s: %d of its certificates cannot be read", path, n);
}

static enum err_code
load(struct tls_set *s, const struct tls *t, struct err *err)
{
	const char *key = t->key != NULL ? t->key : t->cert;
	enum err_code code;
	int rc;

	if ((code = load_certs(&s->cert, t->cert, err)) != ERR_OK)
		return code;
	if ((rc = mbedtls_pk_parse_keyfile(&s->key, key, NULL, random_bytes, NULL)) != 0)
		return fail(err, key, rc);
	if (mbedtls_pk_check_pair(&s->cert.pk, &s->key, random_bytes, NULL) != 0)
		return err_set(err, ERR_CONFIG, "http: TLS: the key in %s is not that of the certificate in %s", key, t->cert);
	if (t->client_ca != NULL && (code = load_certs(&s->ca, t->client_ca, err)) != ERR_OK)
		return code;
	if (mbedtls_x509_time_is_past(&s->cert.valid_to) || mbedtls_x509_time_is_future(&s->cert.valid_from))
		log_warning(EV_HTTP_CERTIFICATE, LOG_F(LOG_S("file", t->cert)), "the certificate is not valid today; clients will refuse it");
	rc = mbedtls_ssl_config_defaults(&s->conf, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
	if (rc == 0)
		rc = mbedtls_ssl_conf_own_cert(&s->conf, &s->cert, &s->key);
	if (rc != 0)
		return fail(err, t->cert, rc);
	mbedtls_ssl_conf_min_tls_version(&s->conf, MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_rng(&s->conf, random_bytes, NULL);
	mbedtls_ssl_conf_authmode(&s->conf, t->client_ca != NULL ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_NONE);
	if (t->client_ca != NULL)
		mbedtls_ssl_conf_ca_chain(&s->conf, &s->ca, NULL);
	return ERR_OK;
}

static struct tls_set *
set_new(const struct tls *t, struct err *err)
{
	struct tls_set *s = mem_new(sizeof *s);

	atomic_store(&s->refs, 1);
	mbedtls_ssl_config_init(&s->conf);
	mbedtls_x509_crt_init(&s->cert);
	mbedtls_x509_crt_init(&s->ca);
	mbedtls_pk_init(&s->key);
	if (load(s, t, err) == ERR_OK)
		return s;
	set_unref(s);
	return NULL;
}

struct tls *
tls_new(const struct tls_files *f, int64_t handshake_ns, struct err *err)
{
	struct tls *t = mem_new(sizeof *t);

	pthread_mutex_init(&t->lock, NULL);
	t->cert = mem_text(f->cert);
	t->key = mem_text(f->key);
	t->client_ca = mem_text(f->client_ca);
	t->handshake_ns = handshake_ns;
	if (psa_crypto_init() != PSA_SUCCESS)
		err_set(err, ERR_SYSTEM, "http: TLS: there is no source of randomness");
	else if ((t->set = set_new(t, err)) != NULL)
		return t;
	tls_free(t);
	return NULL;
}

enum err_code
tls_reload(struct tls *t, struct err *err)
{
	struct tls_set *fresh = set_new(t, err), *old;

	if (fresh == NULL)
		return ERR_CONFIG;
	pthread_mutex_lock(&t->lock);
	old = t->set;
	t->set = fresh;
	pthread_mutex_unlock(&t->lock);
	set_unref(old);
	return ERR_OK;
}

uint64_t
tls_refused(struct tls *t)
{
	return t != NULL ? atomic_load(&t->refused) : 0;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	set_unref(t->set);
	pthread_mutex_destroy(&t->lock);
	mem_free(t->cert);
	mem_free(t->key);
	mem_free(t->client_ca);
	mem_free(t);
}

/* --- one connection ---------------------------------------------------------------------- */

static int
sent(void *arg, const unsigned char *p, size_t n)
{
	const struct tls_link *l = arg;
	ssize_t done = send(l->fd, p, n, MSG_NOSIGNAL);

	if (done >= 0)
		return (int)done;
	return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_NET_SEND_FAILED;
}

static int
received(void *arg, unsigned char *p, size_t n)
{
	const struct tls_link *l = arg;
	ssize_t done = recv(l->fd, p, n, 0);

	if (done >= 0)
		return (int)done;
	return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_NET_RECV_FAILED;
}

static bool
waits(int rc)
{
	return rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* shake: until it is done, refused, or late.  The wait is cut in pieces so that an end of the server is
 * noticed. */
static int
shake(struct tls_link *l, const struct web_server *s, int64_t limit_ns)
{
	struct mono now = clock_mono(clock_system()), end = mono_after(now, limit_ns);
	int rc;

	while (waits(rc = mbedtls_ssl_handshake(&l->ssl))) {
		now = clock_mono(clock_system());
		if (mono_reached(now, end) || atomic_load(&((struct web_server *)(uintptr_t)s)->stopping))
			return MBEDTLS_ERR_SSL_TIMEOUT;
		int64_t left_ms = mono_since(end, now) / NS_PER_MS + 1;
		struct pollfd p = { l->fd, rc == MBEDTLS_ERR_SSL_WANT_READ ? POLLIN : POLLOUT, 0 };
		poll(&p, 1, left_ms < 200 ? (int)left_ms : 200);
	}
	return rc;
}

static void
link_free(struct tls_link *l)
{
	mbedtls_ssl_free(&l->ssl);
	set_unref(l->set);
	mem_free(l);
}

int
mbed_ssl_accept(SSL **link, SSL_CTX *none, int *sock, struct mg_context *ctx)
{
	struct web_server *s = mg_get_user_data(ctx);
	struct tls_link *l = mem_new(sizeof *l);

	(void)none;
	MAGIC_CHECK(s, WEB_MAGIC);
	*link = NULL;
	l->fd = *sock;
	pthread_mutex_lock(&s->tls->lock);
	l->set = s->tls->set;
	atomic_fetch_add(&l->set->refs, 1);
	pthread_mutex_unlock(&s->tls->lock);
	mbedtls_ssl_init(&l->ssl);
	int rc = mbedtls_ssl_setup(&l->ssl, &l->set->conf);
	mbedtls_ssl_set_bio(&l->ssl, l, sent, received, NULL);
	if (rc == 0)
		rc = shake(l, s, s->tls->handshake_ns);
	if (rc == 0) {
		*link = l;
		return 0;
	}
	char words[120];
	mbedtls_strerror(rc, words, sizeof words);
	log_debug(EV_HTTP_NOTE, LOG_NONE, "a TLS handshake failed: %s", words);
	atomic_fetch_add(&s->tls->refused, 1);
	link_free(l);
	return -1;
}

int
mbed_ssl_read(SSL *link, unsigned char *buf, int len)
{
	return mbedtls_ssl_read(&link->ssl, buf, (size_t)len);
}

int
mbed_ssl_write(SSL *link, const unsigned char *buf, int len)
{
	return mbedtls_ssl_write(&link->ssl, buf, (size_t)len);
}

void
mbed_ssl_close(SSL *link)
{
	mbedtls_ssl_close_notify(&link->ssl);
	link_free(link);
}

size_t
seam_tls_ready(const SSL *link)
{
	return mbedtls_ssl_get_bytes_avail(&link->ssl);
}
