/* conn_options.c - what we ask of nats.c for every connection, and the user's part of it. */
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "nats/conn_inner.h"
#include "nats/nkey.h"
#include "nats/tls.h"

/* Dead peers are noticed after two missed pings (election.md §13, data connections). */
#define PING_MS 2000
#define PINGS_OUT 2
#define RECONNECT_WAIT_MS 50
#define RECONNECT_JITTER_MS 200
#define WRITE_DEADLINE_MS 1000
#define BUFFER_BYTES (1 << 20)
#define SERVERS_MAX 64
#define BACKGROUND_CONNECT_MS 1000	/* of one attempt that nobody waits for */

/* The same of pinned connections (the lease column there). */
#define PINNED_PING_MS 500

/* A step that sets options; the ladder of set_options stops at the first that fails. */
#define TRY(what, call) \
	do { \
		natsStatus s_ = (call); \
		if (s_ != NATS_OK) \
			return refused(s_, (what), err); \
	} while (0)

/* refused: nothing was asked of a server yet, so whatever is wrong is what was configured. */
static enum err_code
refused(natsStatus s, const char *what, struct err *err)
{
	conn_fail(s, 0, err, "nats: %s", what);
	if (err != NULL)
		err->code = ERR_CONFIG;
	return ERR_CONFIG;
}

/* set_servers: *is_tls when one of them says so by its scheme. */
static enum err_code
set_servers(struct conn *c, const char *servers, bool *is_tls, struct err *err)
{
	char *copy = mem_text(servers), *rest = copy;
	const char *list[SERVERS_MAX];
	enum err_code code = ERR_OK;
	size_t n = 0;

	*is_tls = false;
	for (char *one; (one = strsep(&rest, ",")) != NULL;) {
		one += strspn(one, " ");
		if (*one == '\0')
			continue;
		*is_tls = *is_tls || strncmp(one, "tls://", 6) == 0;
		if (n < SERVERS_MAX)
			list[n] = one;
		n++;
	}
	/* c->servers is what may be shown of the list. */
	if (n > SERVERS_MAX)
		code = err_set(err, ERR_CONFIG, "nats: %zu servers are listed, at most %d can be; the list begins with '%.*s'",
		    n, SERVERS_MAX, (int)strcspn(c->servers, ","), c->servers);
	else if (n == 0 || natsOptions_SetServers(c->opts, list, (int)n) != NATS_OK)
		code = err_set(err, ERR_CONFIG,
		    "nats: server list '%s' is not readable; write nats://HOST:PORT, several separated by commas",
		    c->servers);
	mem_free(copy);
	return code;
}

static enum err_code
readable(const char *what, const char *path, struct err *err)
{
	FILE *f = path != NULL ? fopen(path, "re") : NULL;

	if (path != NULL && f == NULL)
		return err_set(err, ERR_CONFIG, "nats: %s file '%s' cannot be read: %m", what, path);
	if (f != NULL)
		fclose(f);
	return ERR_OK;
}

static enum err_code
set_credentials(natsOptions *n, const struct conn_opts *o, struct err *err)
{
	char public[NKEY_PUBLIC_MAX];
	enum err_code code;

	if ((code = readable("credentials", o->creds_file, err)) != ERR_OK)
		return code;
	if (o->creds_file != NULL)
		TRY("credentials", natsOptions_SetUserCredentialsFromFiles(n, o->creds_file, NULL));
	if (o->nkey_file != NULL) {
		if ((code = nkey_public(o->nkey_file, public, err)) != ERR_OK)
			return code;
		TRY("nkey", natsOptions_SetNKeyFromSeed(n, public, o->nkey_file));
	}
	if (o->user != NULL)
		TRY("user", natsOptions_SetUserInfo(n, o->user, o->password != NULL ? o->password : ""));
	if (o->token != NULL)
		TRY("token", natsOptions_SetToken(n, o->token));
	return ERR_OK;
}

static enum err_code
set_tls(natsOptions *n, const struct conn_opts *o, bool is_tls, struct err *err)
{
	enum err_code code;

	if ((code = readable("CA", o->tls_ca, err)) != ERR_OK ||
	    (code = readable("certificate", o->tls_cert, err)) != ERR_OK ||
	    (code = readable("key", o->tls_key, err)) != ERR_OK)
		return code;
	if ((o->tls_cert == NULL) != (o->tls_key == NULL))
		return err_set(err, ERR_CONFIG, "nats: --tls-cert and --tls-key belong together; give both");
	if (!is_tls && o->tls_ca == NULL && o->tls_cert == NULL)
		return ERR_OK;
	TRY("TLS", natsOptions_SetSecure(n, true));
	if (o->tls_ca != NULL)
		TRY("CA", natsOptions_LoadCATrustedCertificates(n, o->tls_ca));
	if (o->tls_cert != NULL)
		TRY("client certificate", natsOptions_LoadCertificatesChain(n, o->tls_cert, o->tls_key));
	return ERR_OK;
}

enum err_code
conn_set_access(struct conn *c, const struct conn_opts *o, struct err *err)
{
	enum err_code code;
	bool is_tls;

	/* First of all: a tls:// URL in the list of servers makes the TLS context already. */
	tls_trust_system(o->tls_ca == NULL);
	if ((code = set_servers(c, o->servers, &is_tls, err)) != ERR_OK ||
	    (code = set_credentials(c->opts, o, err)) != ERR_OK || (code = set_tls(c->opts, o, is_tls, err)) != ERR_OK)
		return code;
	if (o->inbox_prefix != NULL)
		TRY("inbox prefix", natsOptions_SetCustomInboxPrefix(c->opts, o->inbox_prefix));
	return ERR_OK;
}

/* set_pinned: one server, one link.  What is sent is sent now or never. */
static enum err_code
set_pinned(natsOptions *n, struct err *err)
{
	TRY("pinned", natsOptions_SetAllowReconnect(n, false));
	TRY("pinned", natsOptions_SetIgnoreDiscoveredServers(n, true));
	TRY("pinned", natsOptions_SetSendAsap(n, true));
	TRY("ping", natsOptions_SetPingInterval(n, PINNED_PING_MS));
	return ERR_OK;
}

static enum err_code
set_reconnecting(natsOptions *n, struct err *err)
{
	TRY("reconnect", natsOptions_SetMaxReconnect(n, -1));
	TRY("reconnect", natsOptions_SetReconnectWait(n, RECONNECT_WAIT_MS));
	TRY("reconnect", natsOptions_SetReconnectJitter(n, RECONNECT_JITTER_MS, RECONNECT_JITTER_MS));
	TRY("reconnect", natsOptions_SetReconnectBufSize(n, BUFFER_BYTES));
	TRY("reconnect", natsOptions_SetReconnectOnProtocolError(n, true));
	TRY("reconnect", natsOptions_SetIgnoreAuthErrorAbort(n, true));
	TRY("ping", natsOptions_SetPingInterval(n, PING_MS));
	TRY("delivery", natsOptions_UseGlobalMessageDelivery(n, true));
	return ERR_OK;
}

enum err_code
conn_set_options(struct conn *c, const struct conn_opts *o, struct err *err)
{
	natsOptions *n = c->opts;
	enum err_code code = conn_set_access(c, o, err);

	if (code != ERR_OK)
		return code;
	if (o->name != NULL)
		TRY("name", natsOptions_SetName(n, o->name));
	TRY("time-out", natsOptions_SetTimeout(n, o->wait ? BACKGROUND_CONNECT_MS : c->timeout_ns / NS_PER_MS));
	if ((code = o->pinned ? set_pinned(n, err) : set_reconnecting(n, err)) != ERR_OK)
		return code;
	TRY("ping", natsOptions_SetMaxPingsOut(n, PINGS_OUT));
	TRY("deadline", natsOptions_SetWriteDeadline(n, o->write_deadline_ns > 0 ? o->write_deadline_ns / NS_PER_MS
										 : WRITE_DEADLINE_MS));
	TRY("requests", natsOptions_SetFailRequestsOnDisconnect(n, true));
	if (o->flusher_wait_us > 0)
		TRY("flusher", natsOptions_SetFlusherWaitMicros(n, o->flusher_wait_us));
	TRY("callbacks", natsOptions_SetErrorHandler(n, conn_on_error, c));
	TRY("callbacks", natsOptions_SetDisconnectedCB(n, conn_on_disconnected, c));
	TRY("callbacks", natsOptions_SetReconnectedCB(n, conn_on_reconnected, c));
	TRY("callbacks", natsOptions_SetClosedCB(n, conn_on_closed, c));
	if (o->wait)
		TRY("retry", natsOptions_SetRetryOnFailedConnect(n, true, conn_on_connected, c));
	return ERR_OK;
}

/* --- a copy of one's own ------------------------------------------------------------------ */

static const size_t texts[] = {
#define AT(field) offsetof(struct conn_opts, field)
	AT(servers), AT(name), AT(user), AT(password), AT(token), AT(nkey_file), AT(creds_file), AT(tls_ca), AT(tls_cert),
	AT(tls_key), AT(js_domain), AT(js_api_prefix), AT(inbox_prefix),
#undef AT
};

static const char **
text_at(struct conn_opts *o, size_t i)
{
	return (const char **)(void *)((char *)o + texts[i]);
}

void
conn_opts_keep(struct conn_opts *o)
{
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		*text_at(o, i) = mem_text(*text_at(o, i));
}

void
conn_opts_drop(struct conn_opts *o)
{
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		mem_free((void *)(uintptr_t)*text_at(o, i));
		*text_at(o, i) = NULL;
	}
}
