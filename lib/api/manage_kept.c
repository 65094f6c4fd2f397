/* manage_kept.c - one answer for each list, replaced by a newer one; readers hold a reference while they send. */
#include "api/manage_kept.h"

#include <pthread.h>
#include <stdio.h>

#include "api/manage_inner.h"
#include "base/magic.h"
#include "base/mem.h"
#include "sys/snapshot.h"

struct answer {
	struct snapshot snapshot;	/* first: how it is shared */
	uint64_t version;
	struct wall from, until;
	struct str text;
	char etag[24];
};

struct manage_kept {
	pthread_mutex_t lock;		/* leaf: the places, one publisher at a time */
	struct answer *place[KEPT_WHATS];
	_Atomic uint64_t made;
};

static void
answer_free(struct snapshot *s)
{
	struct answer *a = CONTAINER_OF(s, struct answer, snapshot);

	str_release(&a->text);
	mem_free(a);
}

struct manage_kept *
manage_kept_new(void)
{
	struct manage_kept *k = mem_new(sizeof *k);

	pthread_mutex_init(&k->lock, NULL);
	return k;
}

static void
drop(struct answer *a)
{
	if (a != NULL)
		snapshot_drop(&a->snapshot);
}

void
manage_kept_free(struct manage_kept *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < KEPT_WHATS; i++)
		drop(k->place[i]);
	pthread_mutex_destroy(&k->lock);
	mem_free(k);
}

uint64_t
manage_kept_made(const struct manage_kept *k)
{
	return atomic_load(&((struct manage_kept *)(uintptr_t)k)->made);
}

/* is_for_all: whether everybody who asks so gets the same. */
static bool
is_for_all(struct web_request *r)
{
	const char *query = web_query_text(r);

	return (query == NULL || query[0] == '\0') && manage_bound(r) == NULL;
}

bool
manage_kept_reply(struct web_request *r, const struct manage_keep *w)
{
	struct answer *a;

	if (w->kept == NULL || !is_for_all(r))
		return false;
	pthread_mutex_lock(&w->kept->lock);
	a = w->kept->place[w->what];
	/* A clock that went back may make stale what was fresh, too. */
	if (a != NULL && (a->version != w->version || w->now.ns < a->from.ns || w->now.ns >= a->until.ns))
		a = NULL;
	if (a != NULL)
		atomic_fetch_add(&a->snapshot.refs, 1);
	pthread_mutex_unlock(&w->kept->lock);
	if (a == NULL)
		return false;
	web_reply_etag(r, 200, "application/json", (struct text){ str_text(&a->text), a->text.len }, a->etag);
	drop(a);
	return true;
}

void
manage_kept_put(struct web_request *r, const struct manage_keep *w, const struct str *text, const char *etag)
{
	if (w == NULL || w->kept == NULL || !is_for_all(r))
		return;
	struct answer *a = mem_new(sizeof *a), *old;
	snapshot_init(&a->snapshot, answer_free);
	a->version = w->version;
	a->from = w->now;
	a->until = w->until;
	str_add(&a->text, str_text(text), text->len);
	snprintf(a->etag, sizeof a->etag, "%s", etag);
	pthread_mutex_lock(&w->kept->lock);
	old = w->kept->place[w->what];
	w->kept->place[w->what] = a;
	pthread_mutex_unlock(&w->kept->lock);
	atomic_fetch_add(&w->kept->made, 1);
	drop(old);
}
