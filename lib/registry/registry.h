/* registry.h - which services are defined, and which instances are alive (wire.md §8).
 *
 * Holds no state of its own but what the bucket can do: every call is one or two round
 * trips, and the bucket's revision settles races between processes as well as between
 * threads.  Any thread may call, except the core loop.  DESIGN.md tells why. */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/definition.h"
#include "model/instance.h"

struct conn;
struct registry;

struct registry_opts {
	struct conn *conn;		/* must outlive the registry */
	int replicas;			/* of the bucket, should it be made here; 0 = auto */
	bool create;			/* make the bucket when it is missing; readers do not */
	bool terse;			/* no suggestions for unknown names: each costs a listing */
};

/* registry_new(o, err): looks at the bucket, or makes it; says in the log what it lacks.
 * Without `create` a missing bucket is an empty registry.  ERR_UNAVAILABLE, ERR_NO_JETSTREAM. */
struct registry *registry_new(const struct registry_opts *o, struct err *err);
void registry_free(struct registry *r);		/* NULL is fine */

/* registry_has_ttl(r): records written here expire by themselves (server 2.11 and later). */
bool registry_has_ttl(const struct registry *r);

/* --- definitions ------------------------------------------------------------------------ */

#define REGISTRY_NEW 0			/* expect: the name must not exist yet */
#define REGISTRY_ANY UINT64_MAX		/* expect: whatever is there */

/* registry_put(r, def, expect, rev, err): writes def under its own name, as it is (the
 * caller sets the times).  If expect does not match, nothing is written and the code is
 * ERR_REVISION, or ERR_EXISTS for REGISTRY_NEW. */
enum err_code registry_put(struct registry *r, const struct definition *def, uint64_t expect,
    uint64_t *rev, struct err *err);

/* registry_put_once(r, def, expect, id, repeated, rev, err): as registry_put.  With an id (else
 * NULL) *repeated says that it was here before (kv_put): then nothing was written, whatever def
 * is, and rev is of what was written then. */
enum err_code registry_put_once(struct registry *r, const struct definition *def, uint64_t expect, const char *id,
    bool *repeated, uint64_t *rev, struct err *err);

/* registry_get(r, name, def, rev, err): ERR_SERVICE_UNKNOWN, with names that are near, when
 * there is none; ERR_CORRUPT when it cannot be read (*rev is set).  def owns its memory on success. */
enum err_code registry_get(struct registry *r, const char *name, struct definition *def,
    uint64_t *rev, struct err *err);

/* registry_remove: its history stays. */
enum err_code registry_remove(struct registry *r, const char *name, uint64_t expect, struct err *err);

/* --- instances -------------------------------------------------------------------------- */

/* registry_put_instance: with the record's TTL (whole seconds) where the bucket can, and
 * the roll-up that keeps older revisions from coming back.  expect as above. */
enum err_code registry_put_instance(struct registry *r, const struct instance *i, int64_t ttl_s,
    uint64_t expect, uint64_t *rev, struct err *err);

/* registry_get_instance: ERR_INSTANCE_UNKNOWN when there is no record; *rev is then the
 * revision of its marker, or 0.  ERR_CORRUPT when it cannot be read (*rev is set). */
enum err_code registry_get_instance(struct registry *r, const char *service, const char *id,
    struct instance *i, uint64_t *rev, struct err *err);

enum err_code registry_remove_instance(struct registry *r, const char *service, const char *id,
    uint64_t expect, struct err *err);

/* --- listings --------------------------------------------------------------------------- */

struct registry_item {
	struct definition *definition;	/* one of the two is set; neither for a deletion */
	struct instance *instance;
	uint64_t revision;
	struct wall at;			/* when the store took it */
	bool fresh;			/* instances: younger than the threshold of the call */
	bool deleted;			/* history only */
};

#define REGISTRY_NAMED 20

struct registry_list {
	struct registry_item *v;	/* definitions by name, then instances by service and id;
					   a history oldest first */
	size_t n;
	size_t unreadable;		/* records that were left out */
	char **named;			/* "KEY: why", of the first REGISTRY_NAMED of those */
};

struct registry_query {
	bool definitions, instances;	/* what to list */
	const char *service;		/* of this service only; NULL for all */
	bool stale;			/* also instances that fail the age check */
	int64_t stale_ns;		/* 0: STALE_AFTER_S */
};

/* registry_list(r, q, out, err): one listing; leaves no consumer behind.  Of a group only the highest epoch leads
 * (instance_demote). */
enum err_code registry_list(struct registry *r, const struct registry_query *q,
    struct registry_list *out, struct err *err);

/* registry_judge(r, i, err): makes of a single record what a listing would: a leader whose group has a later one is a standby.  One
 * listing, only of an i that says that it leads. */
enum err_code registry_judge(struct registry *r, struct instance *i, struct err *err);

/* registry_history(r, name, out, err): every kept revision of a definition, oldest first. */
enum err_code registry_history(struct registry *r, const char *name, struct registry_list *out,
    struct err *err);

void registry_list_release(struct registry_list *l);

#endif
