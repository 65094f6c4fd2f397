/* watch.h - a watch on a bucket that cannot go silently dead.
 *
 * One thread per watch reads the bucket's changes and hands each to the handler, on that
 * thread, which may block (that is the back-pressure).  Whatever could have cost a change
 * (reconnect, missed heartbeat, slow consumer) ends the underlying watcher; a new one is
 * opened and the whole content is told again between SYNC_BEGIN and SYNC_END, so that the
 * owner can compare: keys not named in between are gone. */
#ifndef NATS_WATCH_H
#define NATS_WATCH_H

#include "base/err.h"
#include "nats/kv.h"

enum watch_what {
	WATCH_SYNC_BEGIN,	/* reason is set */
	WATCH_ENTRY,		/* entry is set; entry->gone for deletes and expiries */
	WATCH_SYNC_END,
	WATCH_LOST,		/* from now on the picture ages; the watch goes on trying */
	WATCH_ABSENT,		/* a try found that there is no such bucket; may be told again and again */
};

struct watch_event {
	enum watch_what what;
	const struct kv_entry *entry;	/* valid during the call */
	const char *reason;		/* "start", "reconnect", "gap", "retry" */
};

struct watch;

/* watch_new(conn, bucket, handler, arg, err): starts at once; a bucket that does not exist
 * is waited for.  conn must outlive the watch.  Fails only when no thread can be made. */
struct watch *watch_new(struct conn *conn, const char *bucket,
    void (*handler)(void *arg, const struct watch_event *ev), void *arg, struct err *err);

/* watch_new_key: the same for one key of the bucket, which is copied: nothing else travels. */
struct watch *watch_new_key(struct conn *conn, const char *bucket, const char *key,
    void (*handler)(void *arg, const struct watch_event *ev), void *arg, struct err *err);

/* watch_free(w): ends it and waits for a running handler; not from the handler.  NULL is fine. */
void watch_free(struct watch *w);

#endif
