/* tls.h - certificates, and who may connect with which; the only door to mbedTLS's server side.
 *
 * TLS 1.2 and 1.3.  With a CA for clients, who shows no certificate of it is refused in the handshake.
 * What was loaded is immutable: a reload makes another such, for the connections that come; those
 * that are there keep the old one.  civetweb reaches the connections by seam.h. */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include <stdint.h>

#include "base/err.h"

struct tls;

struct tls_files {
	const char *cert;		/* PEM: the certificate, and those between it and its root */
	const char *key;		/* PEM, not encrypted; NULL: in the same file as the certificate */
	const char *client_ca;		/* PEM; NULL: nobody is asked for a certificate */
};

/* tls_new(f, handshake_ns, err): ERR_CONFIG, with the file's name, for what cannot be read or does not
 * fit together.  The files' names are copied.  handshake_ns bounds a whole handshake. */
struct tls *tls_new(const struct tls_files *f, int64_t handshake_ns, struct err *err);

/* tls_reload(t, err): reads the same files again; on failure what was there stays.  Any thread. */
enum err_code tls_reload(struct tls *t, struct err *err);

/* tls_refused(t): handshakes that failed so far. */
uint64_t tls_refused(struct tls *t);

void tls_free(struct tls *t);		/* after its last connection has closed; NULL is fine */

#endif
