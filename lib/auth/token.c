/* token.c - ids are the beginnings of hashes: 104 bits, far more than ever meet by chance. */
#include "auth/token.h"

#include <string.h>

bool
auth_id_ok(const char *id)
{
	return strlen(id) == AUTH_ID_MAX - 1 && strspn(id, "0123456789abcdef") == AUTH_ID_MAX - 1;
}

void
auth_id_of(const struct digest *d, char out[AUTH_ID_MAX])
{
	char hex[DIGEST_HEX_MAX];

	digest_hex(d, hex);
	memcpy(out, hex, AUTH_ID_MAX - 1);
	out[AUTH_ID_MAX - 1] = '\0';
}

void
auth_token_who(const struct auth_token *t, bool cookie, struct auth_who *out)
{
	memset(out, 0, sizeof *out);
	memcpy(out->id, t->id, sizeof out->id);
	memcpy(out->name, t->name, sizeof out->name);
	memcpy(out->service, t->service, sizeof out->service);
	out->role = t->role;
	out->cookie = cookie;
	out->expires = t->expires;
}
