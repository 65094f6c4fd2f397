/* store.h - a bucket or stream of ours as it should be: looked at, made, and brought back.
 *
 * A row for each lies with the domain whose it is (registry_stores, messaging_stores, …).  Streams are
 * never altered silently: only `aegis registry init --upgrade` calls store_mend. */
#ifndef NATS_STORE_H
#define NATS_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/finding.h"
#include "nats/conn.h"

struct checkup;

#define STORE_ANY INT64_C(-2)
enum store_switch { STORE_WHATEVER, STORE_ON, STORE_OFF };

struct store {
	const char *stream;		/* "KV_service_registry", "EVENTS"; NULL ends a list */
	const char *purpose;		/* "definitions and instances" */
	const char *subjects;		/* its only subject pattern */
	int64_t history;		/* messages per subject; -1: no limit */
	int64_t max_age_ns;		/* 0: nothing expires; STORE_ANY: as its owner likes */
	bool workqueue;			/* else a log with limits */
	bool ttl;			/* single messages expire, where the server can */
	enum store_switch direct;	/* direct reads */
	const char *republish;		/* where each write is told, too; NULL: wherever its owner likes */
	bool markers;			/* deletions may leave markers that expire (else wire.md §8.1 forbids them) */
	enum finding_severity missing;	/* how bad it is without it */
	const char *without;		/* what follows then */
	enum err_code (*make)(struct conn *c, struct err *err);	/* NULL: members make it by themselves */
};

#define STORE_CONSUMERS_WARN 800	/* of the server's 1,000 (wire.md §8.1) */
#define STORE_FULL_PERCENT 80

/* store_check(c, s): findings for what it lacks. */
void store_check(struct checkup *c, const struct store *s);

/* store_look(c, s, there, err): whether it exists; blocks. */
enum err_code store_look(struct conn *c, const struct store *s, bool *there, struct err *err);

/* What was, or would be, done to a store. */
struct store_change {
	bool made;
	bool absent;			/* and made by members alone */
	char mended[400];		/* "replicas 1 -> 3, max_age 60s -> 0"; "" when there was nothing to mend */
	char left[400];			/* what no update can change; "" otherwise */
};

/* store_mend(c, s, replicas, upgrade, dry_run, out, err): makes it when it is missing; with upgrade brings back what
 * can be brought back.  ERR_STORE with the server's words when it refuses. */
enum err_code store_mend(struct conn *c, const struct store *s, int replicas, bool upgrade, bool dry_run,
    struct store_change *out, struct err *err);

#endif
