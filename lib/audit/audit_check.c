/* audit_check.c - rows about the trail of changes. */
#include "audit/audit_check.h"

static enum err_code
make(struct conn *c, struct err *err)
{
	return stream_ensure(c, STREAM_AUDIT, 0, NULL, err);
}

const struct store audit_stores[] = {
	{ .stream = "AEGIS_AUDIT", .purpose = "who changed what", .subjects = "aegis.audit.>", .history = -1, .max_age_ns = STORE_ANY,
	    .direct = STORE_ON, .markers = true, .missing = FINDING_NOTE, .without = "nothing was ever changed through the management API",
	    .make = make },
	{ .stream = NULL },
};

static void
check_stores(struct checkup *c)
{
	store_check(c, audit_stores);
}

const struct check audit_checks[] = {
	{ "audit.streams", "the stream of changes made through the management API", NEEDS_JETSTREAM, check_stores, NULL },
	{ NULL, NULL, NEEDS_NATS, NULL, NULL },
};
