/* tls.h - what nats.c's TLS needs from OpenSSL besides the nats.c options; the only file
 * of ours that includes an OpenSSL header is tls.c. */
#ifndef NATS_TLS_H
#define NATS_TLS_H

#include <stdbool.h>

/* tls_init(): keeps OpenSSL from reading the machine's openssl.cnf.  Must run before
 * anything else touches OpenSSL: first statement of main, and of aegis_connect. */
void tls_init(void);

/* tls_trust_system(yes): whether contexts made by this thread from now on trust the
 * system's roots.  nats.c loads them first and adds a configured CA to them, so that with
 * the wrong private CA configured and the right one in the system store a connection
 * would be accepted; a configured CA must be the only one.  Default: no. */
void tls_trust_system(bool yes);

const char *tls_version(void);		/* "OpenSSL 3.0.22 …" */

#endif
