/* context.h - the connection settings that the `nats` tool keeps, read and never written. */
#ifndef NATS_CONTEXT_H
#define NATS_CONTEXT_H

#include "base/err.h"

/* What a context file may say of a connection; each NULL when it does not. */
struct nats_context {
	char *name, *url;
	char *user, *password, *token;
	char *creds, *nkey;
	char *cert, *key, *ca;
	char *js_domain, *js_api_prefix, *inbox_prefix;
};

/* nats_context_load(name, out, err): $XDG_CONFIG_HOME/nats/context/{name}.json.  ERR_CONFIG
 * when it is missing (the sentence lists those that exist) or unreadable. */
enum err_code nats_context_load(const char *name, struct nats_context *out, struct err *err);

/* nats_context_selected(): the name of the user's selected context (context.txt), or NULL;
 * the caller's (mem_free). */
char *nats_context_selected(void);

void nats_context_release(struct nats_context *c);

#endif
