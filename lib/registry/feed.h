/* feed.h - the registry's changes as they happen, decoded.
 *
 * A supervised watch (nats/watch.h) whose entries are model nouns.  The handler runs on the
 * watch's own thread and may block; records that cannot be read are left out, logged and
 * told as gone, so that nobody keeps calling a previous, better version of them. */
#ifndef REGISTRY_FEED_H
#define REGISTRY_FEED_H

#include "base/err.h"
#include "model/definition.h"
#include "model/instance.h"

struct conn;
struct feed;

enum feed_what { FEED_SYNC_BEGIN, FEED_INSTANCE, FEED_DEFINITION, FEED_GONE, FEED_SYNC_END, FEED_LOST };

struct feed_event {
	enum feed_what what;
	const char *key;		/* of the entry */
	struct instance *instance;	/* FEED_INSTANCE: the handler's to keep (instance_free) */
	struct definition *definition;	/* FEED_DEFINITION: the handler's to keep (definition_free) */
	uint64_t revision;
	const char *reason;		/* FEED_SYNC_BEGIN: "start", "reconnect", "gap", "retry" */
};

struct feed *feed_new(struct conn *conn, void (*handler)(void *arg, struct feed_event *ev), void *arg,
    struct err *err);
void feed_free(struct feed *f);		/* not from the handler; NULL is fine */

#endif
