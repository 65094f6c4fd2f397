/* seam.h - what civetweb calls of ours; its patched source includes this in place of its own use of
 * mbedTLS, which spins while a client is silent, verifies nobody and knows no versions.
 *
 * The names in mbed_* are civetweb's. */
#ifndef HTTP_SEAM_H
#define HTTP_SEAM_H

#include <stddef.h>
#include <stdint.h>

#include <mbedtls/ssl.h>

struct mg_context;
struct mg_connection;

typedef struct tls_link SSL;		/* one connection's side of TLS */
typedef struct { int unused; } SSL_CTX;	/* certificates are tls.h's, not civetweb's */

/* mbed_ssl_accept: the handshake, blocking until its own deadline; 0, and *link set.  civetweb's thread of
 * that connection; ctx and none are not used. */
int mbed_ssl_accept(SSL **link, SSL_CTX *none, int *sock, struct mg_context *ctx);

/* As mbedtls_ssl_read and _write: a number of bytes, or MBEDTLS_ERR_SSL_WANT_…, or another negative value
 * when it is over. */
int mbed_ssl_read(SSL *link, unsigned char *buf, int len);
int mbed_ssl_write(SSL *link, const unsigned char *buf, int len);
void mbed_ssl_close(SSL *link);

/* What was decrypted already. */
size_t seam_tls_ready(const SSL *link);

/* civetweb has no certificates of its own. */
#define mbed_sslctx_init(ctx, path) (-1)
#define mbed_sslctx_uninit(ctx) ((void)(ctx))

/* seam_head_ok(p, n): whether a complete head may be parsed (head.h).  seam_write_ns(server, n): how long n
 * bytes may take to leave. */
int seam_head_ok(const char *p, size_t n);
uint64_t seam_write_ns(void *server, size_t n);

/* In civetweb's source by our patch.  mg_take_socket(ctx, sock, is_ssl, ticket): a thread of civetweb serves
 * the connection, and closes it; 0 when there is no room now, and it stays the caller's.  By
 * one thread at a time.  mg_get_ticket(conn): the ticket of the connection. */
int mg_take_socket(struct mg_context *ctx, int sock, int is_ssl, void *ticket);
void *mg_get_ticket(const struct mg_connection *conn);

#endif
