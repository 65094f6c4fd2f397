/* instance.h - one running member of a service, as its registry record tells (wire.md §8.2). */
#ifndef MODEL_INSTANCE_H
#define MODEL_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"
#include "model/value.h"

enum instance_status { INSTANCE_ACTIVE, INSTANCE_STANDBY, INSTANCE_UNHEALTHY };
enum sticky_status { STICKY_NONE, STICKY_ACTIVE, STICKY_STANDBY, STICKY_ELECTING };

struct instance {
	char *service, *id, *version;
	enum instance_status status;
	struct wall last_heartbeat;
	char *group;			/* stickyActiveGroup; NULL = null */
	enum sticky_status sticky;
	char *metadata;			/* compact JSON text of a map, never NULL */

	/* What readers need of the metadata, taken out once at decoding. */
	char *nonce;			/* NULL when there is none (a Python record) */
	bool direct_rpc;
	uint64_t epoch;			/* 0 = none */
};

void instance_init(struct instance *i);
void instance_release(struct instance *i);
struct instance *instance_clone(const struct instance *i);	/* instance_free */
void instance_free(struct instance *i);

const char *instance_status_name(enum instance_status s);	/* "ACTIVE" */
bool instance_status_parse(struct text t, enum instance_status *out);
const char *sticky_status_name(enum sticky_status s);	/* NULL for STICKY_NONE */
bool sticky_status_parse(struct text t, enum sticky_status *out);

/* instance_is_fresh(i, now, threshold_ns): the age check that every reader applies (§8.2):
 * heard from within the threshold.  This compares the wall clocks of two machines, which
 * the wire format forces on us; a heartbeat from the future counts as fresh.  Nothing but
 * visibility is decided by it. */
bool instance_is_fresh(const struct instance *i, struct wall now, int64_t threshold_ns);

/* instance_is_usable(i): may be called: ACTIVE or STANDBY.  Freshness is a second question. */
bool instance_is_usable(const struct instance *i);

/* What a leader that died wrote stands for as long as its record lives, beside that of the next one.  Of a group the
 * highest epoch leads, all others stand by (§9): readers show it so.
 * instance_leads(i): its record says that it leads a group.  instance_is_overtaken(i, by): so does the one
 * of `by`, of the same group, with a higher epoch.  instance_demote(i): what a reader makes of it then;
 * metadata stays as it was written, and is shown by codec/record.h, which puts the role in. */
bool instance_leads(const struct instance *i);
bool instance_is_overtaken(const struct instance *i, const struct instance *by);
void instance_demote(struct instance *i);

#define STALE_AFTER_S 35	/* three missed heartbeats of 10 s, and their jitter (§8.2) */

#endif
