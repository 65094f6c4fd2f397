/* mailbox.c - a list under one leaf lock, and an eventfd that mirrors "not empty".
 *
 * The eventfd is written when the first mail arrives and read when the last one leaves,
 * both under the lock: a poster that finds mails waiting makes no system call, and once
 * mailbox_post has returned nothing of it touches the box any more.  Depth and refusals
 * are atomic only so that counters can be read without the lock. */
#include "sys/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"

struct mailbox {
	pthread_mutex_t lock;		/* locks.def: mailbox */
	struct mail *first, **end;	/* oldest mail; where the next one is linked */
	struct mail *delivering;	/* taken out, not delivered yet; the loop's thread only */
	size_t cap;
	int fd;
	atomic_size_t depth;
	atomic_uint_fast64_t refused;
};

struct mailbox *
mailbox_new(size_t cap, struct err *err)
{
	struct mailbox *b;
	int fd;

	MUST(cap > 0);
	if ((fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1) {
		err_errno(err, ERR_SYSTEM, errno, "mailbox: no eventfd");
		return NULL;
	}
	b = mem_new(sizeof *b);
	MUST(pthread_mutex_init(&b->lock, NULL) == 0);
	b->end = &b->first;
	b->cap = cap;
	b->fd = fd;
	return b;
}

/* silence: under the lock, after mails were taken out: nothing is left, nothing is to be read. */
static void
silence(struct mailbox *b)
{
	uint64_t ignored;

	if (b->first != NULL)
		return;
	b->end = &b->first;
	ssize_t got = read(b->fd, &ignored, sizeof ignored);
	MUST(got == sizeof ignored || errno == EAGAIN);
}

/* detach: the oldest mails, at most max, as a list of their own.  When nothing is left
 * the descriptor is silenced, in the same breath, so that no wake-up can be lost. */
static struct mail *
detach(struct mailbox *b, size_t max)
{
	struct mail *list, **cut = &b->first;
	size_t n = 0;

	pthread_mutex_lock(&b->lock);
	for (; n < max && *cut != NULL; n++)
		cut = &(*cut)->next;
	list = n > 0 ? b->first : NULL;
	if (n > 0) {
		b->first = *cut;
		*cut = NULL;
	}
	silence(b);
	atomic_fetch_sub_explicit(&b->depth, n, memory_order_relaxed);
	pthread_mutex_unlock(&b->lock);
	return list;
}

void
mailbox_free(struct mailbox *b)
{
	struct mail *m, *next;

	if (b == NULL)
		return;
	/* A discarded mail may make its owner post once more; until nothing comes. */
	while ((m = detach(b, SIZE_MAX)) != NULL) {
		for (; m != NULL; m = next) {
			next = m->next;
			if (m->discard != NULL)
				m->discard(m);
		}
	}
	close(b->fd);
	pthread_mutex_destroy(&b->lock);
	mem_free(b);
}

int
mailbox_fd(const struct mailbox *b)
{
	return b->fd;
}

enum err_code
mailbox_post(struct mailbox *b, struct mail *m)
{
	static const uint64_t one = 1;

	pthread_mutex_lock(&b->lock);
	if (!m->vital && atomic_load_explicit(&b->depth, memory_order_relaxed) >= b->cap) {
		pthread_mutex_unlock(&b->lock);
		atomic_fetch_add_explicit(&b->refused, 1, memory_order_relaxed);
		return ERR_BUSY;
	}
	m->next = NULL;
	*b->end = m;
	b->end = &m->next;
	atomic_fetch_add_explicit(&b->depth, 1, memory_order_relaxed);
	/* The counter of the eventfd is 0 here, so the write can neither fail nor block. */
	if (b->first == m)
		MUST(write(b->fd, &one, sizeof one) == sizeof one);
	pthread_mutex_unlock(&b->lock);
	return ERR_OK;
}

void
mailbox_deliver(struct mailbox *b, size_t max)
{
	struct mail *m;

	b->delivering = detach(b, max);
	while ((m = b->delivering) != NULL) {
		b->delivering = m->next;	/* deliver may free the mail */
		m->deliver(m);
	}
}

/* unlink_from: false when m is not in the list. */
static bool
unlink_from(struct mail **list, const struct mail *m)
{
	while (*list != NULL && *list != m)
		list = &(*list)->next;
	if (*list == NULL)
		return false;
	*list = m->next;
	return true;
}

bool
mailbox_take(struct mailbox *b, struct mail *m)
{
	if (unlink_from(&b->delivering, m))
		return true;
	pthread_mutex_lock(&b->lock);
	bool found = unlink_from(&b->first, m);
	if (found) {
		for (b->end = &b->first; *b->end != NULL; b->end = &(*b->end)->next)
			continue;
		atomic_fetch_sub_explicit(&b->depth, 1, memory_order_relaxed);
		silence(b);
	}
	pthread_mutex_unlock(&b->lock);
	return found;
}

/* pick_from: moves the mails of one kind behind the end of `out`; how many. */
static size_t
pick_from(struct mail **list, void (*deliver)(struct mail *m), struct mail ***out)
{
	size_t n = 0;

	while (*list != NULL) {
		struct mail *m = *list;
		if (m->deliver != deliver) {
			list = &m->next;
			continue;
		}
		*list = m->next;
		m->next = NULL;
		**out = m;
		*out = &m->next;
		n++;
	}
	return n;
}

void
mailbox_discard(struct mailbox *b, void (*deliver)(struct mail *m))
{
	struct mail *list = NULL, **end = &list, *next;

	pick_from(&b->delivering, deliver, &end);
	pthread_mutex_lock(&b->lock);
	size_t n = pick_from(&b->first, deliver, &end);
	if (n > 0) {
		for (b->end = &b->first; *b->end != NULL; b->end = &(*b->end)->next)
			continue;
		atomic_fetch_sub_explicit(&b->depth, n, memory_order_relaxed);
		silence(b);
	}
	pthread_mutex_unlock(&b->lock);
	for (struct mail *m = list; m != NULL; m = next) {
		next = m->next;
		m->discard(m);
	}
}

size_t
mailbox_depth(const struct mailbox *b)
{
	return atomic_load_explicit(&b->depth, memory_order_relaxed);
}

uint64_t
mailbox_refused(const struct mailbox *b)
{
	return atomic_load_explicit(&b->refused, memory_order_relaxed);
}
