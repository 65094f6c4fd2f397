/* fuzz_jetstream - what comes from the server and from strangers on our inboxes: acknowledgements,
 * reply subjects, answers about consumers; and event patterns as people write them. */
#include "fuzz.h"

#include "base/mem.h"

#include "model/pattern.h"
#include "nats/consumer_wire.h"
#include "nats/jetack.h"

static void
replies(const uint8_t *data, size_t size)
{
	struct consumer_opts o = consumer_defaults(&(struct consumer_opts){ .stream = "S", .durable = "D", .filter = "f" });
	struct consumer_answer a;
	struct pub_ack ack;
	struct err err;
	char drift[64];

	if (pub_reply_parse(data, size, &ack, &err) == PUB_STORED)
		MUST(ack.seq > 0 && strlen(ack.stream) < sizeof ack.stream);
	if (consumer_read(data, size, &a, &err) == ERR_OK && a.error == 0) {
		consumer_compare(&o, &a, drift, sizeof drift);
		MUST(strlen(drift) < sizeof drift);
		MUST(a.push == (a.deliver_subject[0] != '\0'));
	}
}

/* texts: only what begins as an acknowledgement is one; a pattern without wildcards matches itself and
 * no other text. */
static void
texts(const char *text)
{
	struct ack_facts f;

	if (ack_facts_parse(text, &f))
		MUST(strncmp(text, "$JS.ACK.", 8) == 0);
	if (pattern_check(text, NULL) == ERR_OK) {
		MUST(strlen(text) <= PATTERN_MAX);
		MUST(!pattern_is_exact(text) || pattern_matches(text, text));
		MUST(pattern_matches("events.>", text));
	}
	pattern_matches(text, "events.order.created");
	pattern_matches("events.*.created", text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_text_n((const char *)data, size);

	replies(data, size);
	texts(text);
	mem_free(text);
	return 0;
}
