/* auth_check.c - rows about credentials. */
#include "auth/auth_check.h"

#include "auth/store.h"

static enum err_code
make(struct conn *c, struct err *err)
{
	struct auth_store *s = auth_store_new(c, true);
	enum err_code code = auth_store_ready(s, err);

	auth_store_free(s);
	return code;
}

const struct store auth_stores[] = {
	{ .stream = "KV_" AUTH_BUCKET, .purpose = "credentials of the management API", .subjects = "$KV." AUTH_BUCKET ".>", .history = 1,
	    .ttl = true, .direct = STORE_ON, .markers = true, .missing = FINDING_NOTE, .without = "nobody can log in yet", .make = make },
	{ .stream = NULL },
};

static void
check_stores(struct checkup *c)
{
	for (const struct store *s = auth_stores; s->stream != NULL; s++)
		store_check(c, s);
}

const struct check auth_checks[] = {
	{ "auth.streams", "the bucket of credentials", NEEDS_JETSTREAM, check_stores, NULL },
	{ NULL, NULL, NEEDS_NATS, NULL, NULL },
};
