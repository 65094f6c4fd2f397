/* inner.h - the state of struct auth, for the files that work on it. */
#ifndef AUTH_INNER_H
#define AUTH_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "auth/auth.h"
#include "auth/record.h"
#include "auth/table.h"
#include "auth/throttle.h"
#include "nats/watch.h"

#define AUTH_MAGIC 0xa0170001u
#define AUTH_STALE_NS (2 * NS_PER_S)	/* a picture that nobody confirmed for so long is told as old */
#define AUTH_ABSENT 256		/* ids that the store did not have a moment ago */

struct auth {
	unsigned magic;
	struct conn *conn;
	struct auth_store *store;
	struct watch *watch;
	pthread_t keeper;

	pthread_mutex_t lock;		/* leaf: everything below */
	pthread_cond_t changed;
	bool stop;
	struct auth_table *table;
	struct throttle throttle;
	uint64_t seen;			/* newest revision that the watch or a listing told */
	uint64_t events;		/* changes that were applied */
	uint64_t removals;		/* of those: what went */
	struct mono confirmed;		/* when the picture was last known to be complete */
	bool ever;			/* it was, once */
	bool stale;			/* as it was last logged */
	struct mono asking;		/* questions to the store are paid for up to then */
	struct auth_absent { char id[AUTH_ID_MAX]; struct mono until; } absent[AUTH_ABSENT];
	struct auth_state counted;
};

/* What an answer of the store may change: taken before asking. */
struct auth_moment { uint64_t removals; };

/* auth_apply_token(a, m, t), auth_apply_session: into the table, unless something was removed since the
 * moment (it may have been this very record). */
void auth_apply_token(struct auth *a, struct auth_moment m, const struct auth_token *t);
void auth_apply_session(struct auth *a, struct auth_moment m, const struct auth_session *x);
struct auth_moment auth_now(struct auth *a);

/* The keeper's thread (keeper.c), and the watch's handler. */
void *auth_keep(void *arg);
void auth_on_watch(void *arg, const struct watch_event *ev);

#endif
