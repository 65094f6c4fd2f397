/* messaging_check.c - rows about the streams of messages and who reads them. */
#include "messaging/messaging_check.h"

#include <stdio.h>
#include <string.h>

#define MAKE(id) \
	static enum err_code \
	make_##id(struct conn *c, struct err *err) \
	{ \
		return stream_ensure(c, STREAM_##id, 0, NULL, err); \
	}
MAKE(EVENTS)
MAKE(COMMANDS)
MAKE(EVENTS_DLQ)
MAKE(COMMANDS_DLQ)

const struct store messaging_stores[] = {
	{ .stream = "EVENTS", .purpose = "events", .subjects = "events.>", .history = -1, .max_age_ns = STORE_ANY, .markers = true,
	    .missing = FINDING_NOTE, .without = "no event was ever published", .make = make_EVENTS },
	{ .stream = "COMMANDS", .purpose = "commands", .subjects = "commands.>", .history = -1, .workqueue = true, .markers = true,
	    .missing = FINDING_NOTE, .without = "no command was ever sent", .make = make_COMMANDS },
	{ .stream = "EVENTS_DLQ", .purpose = "dead letters of events", .subjects = "dlq.events.>", .history = -1,
	    .max_age_ns = STORE_ANY, .direct = STORE_ON, .markers = true, .missing = FINDING_NOTE,
	    .without = "no event was ever given up", .make = make_EVENTS_DLQ },
	{ .stream = "COMMANDS_DLQ", .purpose = "dead letters of commands", .subjects = "dlq.commands.>", .history = -1,
	    .max_age_ns = STORE_ANY, .direct = STORE_ON, .markers = true, .missing = FINDING_NOTE,
	    .without = "no command was ever given up", .make = make_COMMANDS_DLQ },
	{ .stream = NULL },
};

static void
check_stores(struct checkup *c)
{
	for (const struct store *s = messaging_stores; s->stream != NULL; s++)
		store_check(c, s);
}

/* --- who reads events ----------------------------------------------------------------------- */

bool
event_durable_read(const char *durable, char service[130], char pattern[256])
{
	const char *p = strstr(durable, "__");
	size_t n = 0;

	if (p == NULL || (size_t)(p - durable) >= 130 || strncmp(p + 2, "events", 6) != 0 || strstr(p, "==") != NULL)
		return false;
	snprintf(service, 130, "%.*s", (int)(p - durable), durable);
	for (p += 2; *p != '\0' && n < 255; p++) {
		bool two = p[0] == '+' && p[1] == '+';
		pattern[n++] = two ? '>' : *p == '+' ? '*' : *p == '=' ? '.' : *p;
		p += two;
	}
	pattern[n] = '\0';
	return *p == '\0';
}

struct readers {
	struct checkup *checkup;
	int64_t max_messages;
};

static void
each_reader(void *arg, const struct stream_reader *r)
{
	struct readers *all = arg;
	char service[130], pattern[256], remedy[512] = "";
	uint64_t behind = r->pending + r->unacked;

	if (behind * 100 < (uint64_t)all->max_messages * STORE_FULL_PERCENT)
		return;
	if (event_durable_read(r->name, service, pattern))
		snprintf(remedy, sizeof remedy, "aegis event subscribe '%s' --service %s --count %llu", pattern, service,
		    (unsigned long long)behind);
	else
		snprintf(remedy, sizeof remedy, "nats consumer rm EVENTS %s -f", r->name);
	findings_add(all->checkup->out, FINDING_WARNING, ERR_BUSY, remedy,
	    "%s is %llu events behind, of %lld that the stream EVENTS keeps: soon it loses the oldest; %s", r->name,
	    (unsigned long long)behind, (long long)all->max_messages,
	    r->listened ? "its handlers are too slow, start more instances" : "nobody reads it, start its service");
}

static void
check_readers(struct checkup *c)
{
	struct readers all = { .checkup = c };
	struct stream_state s;
	struct err err;
	enum err_code code = stream_look(c->conn, "EVENTS", &s, &err);

	/* check_stores tells when it is missing.  Nobody is further behind than there are messages. */
	if (code != ERR_OK || s.max_messages <= 0 ||
	    s.messages * 100 < (uint64_t)s.max_messages * STORE_FULL_PERCENT)
		return;
	all.max_messages = s.max_messages;
	if (stream_readers(c->conn, "EVENTS", each_reader, &all, &err) != ERR_OK)
		checkup_failed(c, &err);
}

/* --- dead letters --------------------------------------------------------------------------- */

static void
check_dead_letters(struct checkup *c)
{
	static const struct { const char *stream, *noun; } letters[] = { { "EVENTS_DLQ", "event" }, { "COMMANDS_DLQ", "command" } };
	struct stream_state s;
	char remedy[64];

	for (size_t i = 0; i < 2; i++) {
		if (stream_look(c->conn, letters[i].stream, &s, NULL) != ERR_OK || s.messages == 0)
			continue;
		snprintf(remedy, sizeof remedy, "aegis %s dlq ls", letters[i].noun);
		findings_add(c->out, FINDING_NOTE, ERR_HANDLER, remedy, "%llu %s%s failed for good and wait among the dead letters",
		    (unsigned long long)s.messages, letters[i].noun, s.messages == 1 ? "" : "s");
	}
}

static const char *const readers_asks[] = { "$JS.API.STREAM.INFO.EVENTS", "$JS.API.CONSUMER.LIST.EVENTS", NULL };
static const char *const letters_asks[] = { "$JS.API.STREAM.INFO.EVENTS_DLQ", "$JS.API.STREAM.INFO.COMMANDS_DLQ", NULL };

const struct check messaging_checks[] = {
	{ "messaging.streams", "the streams of events and commands", NEEDS_JETSTREAM, check_stores, NULL },
	{ "messaging.readers", "subscribers that are about to lose events", NEEDS_JETSTREAM, check_readers, readers_asks },
	{ "messaging.dead_letters", "messages that nobody could handle", NEEDS_JETSTREAM, check_dead_letters, letters_asks },
	{ NULL, NULL, NEEDS_NATS, NULL, NULL },
};
