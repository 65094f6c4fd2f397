/* audit.h - the trail of changes made through the management API: who, what, before, after.
 *
 * The stream AEGIS_AUDIT keeps 90 days of it; each record is one JSON message on aegis.audit.SERVICE
 * ("_" for what concerns no service) with a Nats-Msg-Id, so that one that is sent twice is stored once.
 * Any thread but the core loop. */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/value.h"

struct audit;
struct codec;
struct conn;
struct loop;

struct audit_opts {
	struct conn *conn;		/* both outlive it */
	struct loop *loop;		/* must run while records are written */
	int64_t wait_ns;		/* how long a write may take; 0: AUDIT_WAIT_NS */
};

/* audit_new(o, err): asks nobody; a write that misses the stream makes it.  audit_open(a, err): makes it now, so that
 * those who change something by other doors find it (audit_once).  audit_free: on the loop's thread, or when the
 * loop does not run.  NULL is fine. */
struct audit *audit_new(const struct audit_opts *o, struct err *err);
enum err_code audit_open(struct audit *a, struct err *err);
void audit_free(struct audit *a);

/* One change.  Texts and documents are read during the call only. */
struct audit_entry {
	const char *actor_id, *actor_name, *actor_role;
	const char *action;		/* "definition.update" */
	const char *target;		/* "order-service": what was changed */
	const char *service;		/* that it concerns; NULL: none, or all */
	uint64_t before_revision, after_revision;	/* 0: there is none */
	struct data before, after;	/* documents, without secrets; absent: there is none */
	const char *request_id, *peer;
	const char *traceparent;	/* W3C, valid: goes along as a header; NULL: none */
};

#define AUDIT_DOCUMENT_MAX (256 * 1024)	/* of both together; beyond it they are left out, and the record says so */
#define AUDIT_WAIT_NS NS_PER_S

/* audit_write(a, e, err): returns when the record is stored, or after wait_ns.  A failure is logged
 * and counted here; the change was made all the same, and who asked for it is to be told. */
enum err_code audit_write(struct audit *a, const struct audit_entry *e, struct err *err);

/* audit_once(conn, e, make, err): as audit_write, for a process that writes one record and has no loop; it waits as
 * long as its connection waits for answers, and nothing is logged or counted.  make: the stream, too, when it is missing; else ERR_NOT_FOUND. */
enum err_code audit_once(struct conn *conn, const struct audit_entry *e, bool make, struct err *err);

/* What to read: newest first. */
struct audit_query {
	uint64_t before;		/* sequences below this one; 0: all */
	const char *service;		/* NULL: of all */
	const char *actor;		/* an id or a name; NULL: anybody's */
	size_t limit;			/* so many at most */
};

#define AUDIT_READ 128			/* records that are fetched, and lie in memory, at once */
#define AUDIT_LOOKS 2048		/* records looked at in one call, whether or not they match */

/* audit_read(a, q, each, arg, next, err): calls each(arg, seq, record) for what matches; record is a map as
 * it was written, and lives during the call.  *next is where to go on (as q->before), 0 when there is no
 * more; there may be more although fewer than q->limit were told.  A stream that is missing is an empty
 * one.  Blocks for a few round trips per AUDIT_READ records. */
enum err_code audit_read(struct audit *a, const struct audit_query *q,
    void (*each)(void *arg, uint64_t seq, const struct value *record), void *arg, uint64_t *next, struct err *err);

/* audit_failing(a): the last write failed, and none succeeded since. */
bool audit_failing(const struct audit *a);

struct audit_counters {
	uint64_t written, failed;
};
struct audit_counters audit_counters(const struct audit *a);

#endif
