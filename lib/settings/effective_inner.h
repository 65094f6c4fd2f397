/* effective_inner.h - inside lib/settings: the values that effective.c keeps and effective_write.c tells. */
#ifndef SETTINGS_EFFECTIVE_INNER_H
#define SETTINGS_EFFECTIVE_INNER_H

#include "settings/effective.h"

/* One set of values. */
struct values {
	struct opts o;
	void *target;
};

struct effective {
	struct settings_rules rules;
	const struct opts *base;
	struct values running, wanted;
	bool *changed;			/* of each row, by the last take */
	char *workload;
	bool workload_changed;
	uint64_t revision, applied;
	char *refused;
};

/* effective_is_pending(e, i): what runs in the i-th row is not what is wanted. */
bool effective_is_pending(const struct effective *e, size_t i);

#endif
