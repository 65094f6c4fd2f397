/* changes.h - what happened to one instance: its last 50 changes.  Pure. */
#ifndef MONITOR_CHANGES_H
#define MONITOR_CHANGES_H

#include <stddef.h>

#include "base/instant.h"

#define CHANGES_MAX 50

#define CHANGE_KINDS(X) \
	X(APPEARED, "appeared", "the instance registered") \
	X(STATUS, "status", "its status changed") \
	X(ROLE, "role", "its role in its group changed") \
	X(EPOCH, "epoch", "it leads under another epoch") \
	X(VERSION, "version", "its version changed") \
	X(STALE, "stale", "its heartbeats failed to come, or came again") \
	X(DEPARTED, "departed", "it left") \
	X(RESTARTED, "restarted", "its process began anew")
#define X(id, name, text) CHANGE_##id,
enum change_kind { CHANGE_KINDS(X) CHANGE_KIND_COUNT };
#undef X

const char *change_kind_name(enum change_kind k);
const char *change_kind_text(enum change_kind k);

/* from and to: names of states, cut at 31 bytes; "" when there is none. */
struct change_note {
	struct wall at;
	enum change_kind kind;
	char from[32], to[32];
};

struct changes;			/* NULL is empty */

void changes_add(struct changes **c, struct wall at, enum change_kind kind, const char *from, const char *to);
void changes_free(struct changes *c);
size_t changes_count(const struct changes *c);
const struct change_note *changes_at(const struct changes *c, size_t i);	/* newest first */

#endif
