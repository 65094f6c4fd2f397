/* tls.c - two corrections to how nats.c uses OpenSSL.
 *
 * The linker replaces nats.c's call of SSL_CTX_set_default_verify_paths by ours
 * (-Wl,--wrap, see the Makefile).  Whether the call goes through is a property of the
 * thread: nats.c makes the context inside natsOptions_SetSecure, on the caller's thread. */
#include "nats/tls.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>

int __real_SSL_CTX_set_default_verify_paths(SSL_CTX *ctx);
int __wrap_SSL_CTX_set_default_verify_paths(SSL_CTX *ctx);

static _Thread_local bool trust_system;

void
tls_init(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}

void
tls_trust_system(bool yes)
{
	trust_system = yes;
}

int
__wrap_SSL_CTX_set_default_verify_paths(SSL_CTX *ctx)
{
	return trust_system ? __real_SSL_CTX_set_default_verify_paths(ctx) : 1;
}

const char *
tls_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}
