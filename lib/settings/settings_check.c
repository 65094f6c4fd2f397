/* settings_check.c - rows about central settings: their bucket, which tells its writes, and what is in it. */
#include "settings/settings_check.h"

#include <stdio.h>
#include <string.h>

#include "codec/subject.h"
#include "nats/stream.h"
#include "settings/settings.h"

static enum err_code
make(struct conn *c, struct err *err)
{
	return settings_make(c, err);
}

const struct store settings_stores[] = {
	{ .stream = "KV_" CONFIG_BUCKET, .purpose = "central settings", .subjects = "$KV." CONFIG_BUCKET ".>", .history = 10,
	    .direct = STORE_ON, .republish = SUBJECT_CONFIGS, .markers = true, .missing = FINDING_NOTE,
	    .without = "no service has central settings", .make = make },
	{ .stream = NULL },
};

static void
check_stores(struct checkup *c)
{
	for (const struct store *s = settings_stores; s->stream != NULL; s++)
		store_check(c, s);
}

static void
each_document(void *arg, const struct settings_document *d)
{
	struct checkup *c = arg;
	char remedy[256];

	if (d->why == NULL)
		return;
	snprintf(remedy, sizeof remedy, "aegis config rm --service %s --yes", d->service);
	findings_add(c->out, FINDING_WARNING, ERR_CORRUPT, remedy,
	    "the central settings of %s cannot be read (%s); its instances go on with what they had", d->service, d->why);
}

static void
check_documents(struct checkup *c)
{
	static const struct settings_rules none;	/* what one may say is judged where it is obeyed */
	struct err err;
	struct settings *s = settings_new(&(struct settings_opts){ .conn = c->conn, .rules = &none }, &err);

	if (s == NULL || settings_list(s, each_document, c, &err) != ERR_OK)
		checkup_failed(c, &err);
	settings_free(s);
}

static const char *const documents_asks[] = {
	"$JS.API.STREAM.INFO.KV_" CONFIG_BUCKET, "$JS.API.CONSUMER.CREATE.KV_" CONFIG_BUCKET, NULL
};

const struct check settings_checks[] = {
	{ "settings.streams", "the bucket of central settings", NEEDS_JETSTREAM, check_stores, NULL },
	{ "settings.documents", "central settings that cannot be read", NEEDS_JETSTREAM, check_documents, documents_asks },
	{ NULL, NULL, NEEDS_NATS, NULL, NULL },
};
