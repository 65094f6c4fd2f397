/* model/envelope.c - the defaults of a message, and the words of a priority. */
#include "model/envelope.h"

#include "base/magic.h"

void
envelope_init(struct envelope *e, enum envelope_kind kind)
{
	*e = (struct envelope){
		.kind = kind,
		.payload.type = kind == ENVELOPE_RESPONSE ? VALUE_NULL : VALUE_MAP,
		.version = kind == ENVELOPE_EVENT ? text_of("1.0") : (struct text){ NULL, 0 },
		.timeout_s = kind == ENVELOPE_REQUEST ? 5.0 : kind == ENVELOPE_COMMAND ? 300.0 : 0,
		.max_retries = kind == ENVELOPE_COMMAND ? 3 : 0,
		.priority = PRIORITY_NORMAL,
		.success = kind == ENVELOPE_RESPONSE,
	};
}

static const char *const priorities[] = {
	[PRIORITY_LOW] = "low",
	[PRIORITY_NORMAL] = "normal",
	[PRIORITY_HIGH] = "high",
	[PRIORITY_CRITICAL] = "critical",
};

const char *
priority_name(enum priority p)
{
	return priorities[p];
}

bool
priority_parse(struct text t, enum priority *out)
{
	for (size_t i = 0; i < COUNT_OF(priorities); i++) {
		if (text_is(t, priorities[i])) {
			*out = (enum priority)i;
			return true;
		}
	}
	return false;
}
