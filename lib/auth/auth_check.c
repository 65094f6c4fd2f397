/* auth_check.c - rows about credentials. */
#include "auth/auth_check.h"

#include <stdio.h>

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

/* A bucket without an administrator is no fault, but nobody can make tokens through the API or read the trail. */
static void
check_tokens(struct checkup *c)
{
	struct auth_store *s = auth_store_new(c->conn, false);
	struct auth_tokens all = { .n = 0 };
	struct wall now = checkup_now(c);
	size_t admins = 0, over = 0, gone = 0;
	char remedy[80] = "";
	struct err err;
	bool there = auth_store_ready(s, &err) == ERR_OK;

	if (there && auth_store_tokens(s, &all, &err) != ERR_OK) {
		checkup_failed(c, &err);
		there = false;
	}
	for (size_t i = 0; i < all.n; i++) {
		bool is_over = auth_is_over(all.v[i].expires, now);
		admins += !is_over && all.v[i].role == AUTH_ADMIN;
		over += is_over;
		if (is_over && gone++ == 0)
			snprintf(remedy, sizeof remedy, "aegis token revoke %s --yes", all.v[i].id);
	}
	if (there && admins == 0)
		findings_add(c->out, FINDING_NOTE, ERR_CONFIG, "aegis token create --role admin --name NAME",
		    "no token has the role admin: nobody can make tokens through the management API, or read its audit trail");
	if (over > 0)
		findings_add(c->out, FINDING_NOTE, ERR_CONFIG, remedy, "%zu token%s of the management API %s expired and let%s nobody in any more",
		    over, over == 1 ? "" : "s", over == 1 ? "has" : "have", over == 1 ? "s" : "");
	if (all.unreadable > 0)
		findings_add(c->out, FINDING_WARNING, ERR_CORRUPT, "aegis token ls", "%zu record%s of tokens cannot be read and let%s nobody in",
		    all.unreadable, all.unreadable == 1 ? "" : "s", all.unreadable == 1 ? "s" : "");
	auth_tokens_release(&all);
	auth_store_free(s);
}

static const char *const tokens_asks[] = {
	"$JS.API.STREAM.INFO.KV_" AUTH_BUCKET, "$JS.API.CONSUMER.CREATE.KV_" AUTH_BUCKET, NULL
};

const struct check auth_checks[] = {
	{ "auth.streams", "the bucket of credentials", NEEDS_JETSTREAM, check_stores, NULL },
	{ "auth.tokens", "tokens of the management API", NEEDS_JETSTREAM, check_tokens, tokens_asks },
	{ NULL, NULL, NEEDS_NATS, NULL, NULL },
};
