/* monitor_check.c - rows about what the management service keeps. */
#include "monitor/monitor_check.h"

static enum err_code
make(struct conn *c, struct err *err)
{
	return stream_ensure(c, STREAM_DEPARTED, 0, NULL, err);
}

const struct store monitor_stores[] = {
	{ .stream = "AEGIS_DEPARTED", .purpose = "instances that left", .subjects = "aegis.departed.>", .history = -1,
	    .max_age_ns = STORE_ANY, .direct = STORE_ON, .markers = true, .missing = FINDING_NOTE,
	    .without = "no management service has seen an instance leave", .make = make },
	{ .stream = NULL },
};

static void
check_stores(struct checkup *c)
{
	store_check(c, monitor_stores);
}

const struct check monitor_checks[] = {
	{ "monitor.streams", "the stream of departed instances", NEEDS_JETSTREAM, check_stores, NULL },
	{ NULL, NULL, NEEDS_NATS, NULL, NULL },
};
