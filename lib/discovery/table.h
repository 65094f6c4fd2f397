/* table.h - the registry's content as its owner keeps it, and groups made from it.  Pure.
 *
 * Fed with what a feed tells; between table_sync_begin and table_sync_end everything is
 * told again, and what was not is gone.  Groups are built when asked for, only those that
 * changed, and shared with readers by reference.  Belongs to one thread. */
#ifndef DISCOVERY_TABLE_H
#define DISCOVERY_TABLE_H

#include <stdbool.h>

#include "discovery/pick.h"
#include "model/definition.h"

struct table;

struct table *table_new(void);
void table_free(struct table *t);

void table_sync_begin(struct table *t);
void table_sync_end(struct table *t);

/* table_instance(t, key, i, revision): takes i over.  Within one sync an older revision than
 * the known one is ignored: changes may arrive twice, never backwards.  A new sync may name
 * any revision, as a bucket that was made again counts anew.  table_definition: the same for d. */
void table_instance(struct table *t, const char *key, struct instance *i, uint64_t revision);
void table_definition(struct table *t, const char *name, struct definition *d, uint64_t revision);
void table_gone(struct table *t, const char *key, uint64_t revision);

/* table_forget(t, oldest): drops instances that were last heard of before `oldest`.  The store
 * tells nobody when a record expires, and ids are new at every start: without this the
 * table would keep everybody who ever was. */
void table_forget(struct table *t, struct wall oldest);

bool table_changed(const struct table *t);	/* since the last table_groups */
size_t table_instances(const struct table *t);

/* table_groups(t, out): all groups, ordered by name, each with a reference for the caller
 * (group_unref); *out is the caller's array.  Returns their number. */
size_t table_groups(struct table *t, struct service_group ***out);

/* table_defined(t, out): what is defined, ordered by name, each with a reference for the caller
 * (defined_unref); *out is the caller's array. */
size_t table_defined(const struct table *t, struct defined **out[]);

void group_unref(struct service_group *g);
void defined_unref(struct defined *d);

/* What changed, as it changes: the table is already as `now` says. */
enum table_why {
	TABLE_TOLD,		/* the store said so */
	TABLE_UNTOLD,		/* a sync did not mention it */
	TABLE_SILENT,		/* table_forget */
};
struct table_news {
	const char *key;
	const struct member_entry *before, *now;	/* an instance; before NULL: new; now NULL: gone */
	const struct defined *undefined, *defined;	/* the same for a definition */
	uint64_t revision;				/* of the change; 0: only TABLE_TOLD knows it */
	enum table_why why;
};

/* table_listen(t, fn, arg): fn hears all news from now on; entries may be kept by a reference
 * (atomic_fetch_add of refs, entry_unref).  It must not change the table. */
void table_listen(struct table *t, void (*fn)(void *arg, const struct table_news *n), void *arg);
void entry_unref(struct member_entry *e);

#endif
