/* places.h - inside lib/messaging: where calls in flight stand, by number.
 *
 * A reply subject is {inbox}.{number}; the number is a place and how often that place was used, so
 * that a late reply to an earlier call cannot answer a later one.  It has 32 bits and always 8
 * digits, so that the subject is short and of one length; base/slots.h has numbers that never repeat
 * and keeps no memory of a place's own.  A place keeps its buffer: in the steady state a call
 * allocates nothing.  Not thread-safe: the caller's lock guards it. */
#ifndef MESSAGING_PLACES_H
#define MESSAGING_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"
#include "base/str.h"
#include "messaging/caller_inner.h"
#include "messaging/route.h"
#include "messaging/told.h"
#include "nats/conn.h"

struct place {
	uint32_t index, uses;
	uint32_t number;		/* of the call in it; 0 = free */
	struct place *next_free;
	struct mono started, deadline;
	struct caller_end end;
	const struct gate *gate;	/* as of call_spec, with pass */
	uint64_t pass;
	struct route route;
	struct str request;		/* kept while a fall-back is possible, … */
	struct told told;		/* … with its headers */
};

struct places {			/* zeroed at first */
	struct place *at[CALLER_MAX_INFLIGHT];
	uint32_t made;
	struct place *free;
	unsigned n;		/* taken */
};

/* places_take(t): a place with a new number; the rest is as it was.  NULL when all are taken. */
struct place *places_take(struct places *t);
void places_leave(struct places *t, struct place *p);

/* places_find(t, number): where a call is, NULL when it is over. */
struct place *places_find(const struct places *t, uint32_t number);
void places_release(struct places *t);

#define PLACES_SUBJECT_MAX (CONN_INBOX_MAX + 12)
void places_subject(const char *inbox, size_t ninbox, uint32_t number, char out[PLACES_SUBJECT_MAX]);

/* places_number(ninbox, subject): the reverse; 0, which is no call's, for anything else. */
uint32_t places_number(size_t ninbox, const char *subject);

#endif
