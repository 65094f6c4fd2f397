/* sender_missed.c - commands of sender_start that ended while nobody listened.
 *
 * Once the connection is back, and what was about to end has ended, a job on the pool asks the queue for
 * each that is under way; and again after growing pauses, because a queue that has just come back may
 * not answer yet, and a worker's connection may come back after ours.  Who was not there two times in
 * a row ended unheard: the first look may overtake a completion that is on its way. */
#include "messaging/sender_inner.h"

#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "nats/stream.h"
#include "sys/clock.h"

struct unheard {
	struct send_outcome out;	/* id and seq alone */
	bool gone;			/* it was not in the queue at the last look */
	bool missed;			/* nor at the one before */
	struct err why;
};

int64_t
sender_look_pause(unsigned looks)
{
	return looks < SENDER_LOOKS ? SENDER_MISSED_NS << looks : -1;
}

static void look(void *sender);

static void
look_later(struct sender *s)
{
	int64_t pause = sender_look_pause(s->looks);

	if (pause >= 0)
		loop_timer_set(s->loop, &s->missed, mono_after(loop_now(s->loop), pause), look, s);
}

static void
work_look(struct pool_job *job)
{
	struct sender *s = CONTAINER_OF(job, struct sender, looking);

	for (size_t i = 0; i < s->nunheard && conn_state(s->conn) == CONN_UP; i++) {
		struct unheard *u = &s->unheard[i];
		bool gone = sender_missed(s, &u->out, &u->why);
		u->missed = gone && u->gone;
		u->gone = gone;
	}
}

static void
look_done(struct pool_job *job)
{
	struct sender *s = CONTAINER_OF(job, struct sender, looking);

	MAGIC_CHECK(s, SENDER_MAGIC);
	s->is_looking = false;
	for (size_t i = 0; i < s->nunheard; i++)
		if (s->unheard[i].missed)
			sender_end_posting(s, &s->unheard[i].out, &s->unheard[i].why);
	look_later(s);
}

static void
forget(struct sender *s)
{
	mem_free(s->unheard);
	s->unheard = NULL;
	s->nunheard = 0;
}

/* ask_for: what is still under way; at the first look all of it, later what was asked for before: what was
 * sent since then is heard.  Both lists are in the order in which the commands were sent. */
static void
ask_for(struct sender *s)
{
	size_t n, kept = 0, from = 0, at;
	struct send_outcome *v = sender_stored_postings(s, &n);
	struct unheard *u = n > 0 ? mem_new(n * sizeof *u) : NULL;

	for (size_t i = 0; i < n; i++) {
		for (at = from; at < s->nunheard; at++)
			if (s->unheard[at].out.seq == v[i].seq && strcmp(s->unheard[at].out.id, v[i].id) == 0)
				break;
		bool known = at < s->nunheard;
		if (!known && s->looks > 0)
			continue;
		u[kept] = (struct unheard){ .out = v[i], .gone = known && s->unheard[at].gone };
		kept++;
		from = known ? at + 1 : from;
	}
	mem_free(v);
	forget(s);
	s->unheard = u;
	s->nunheard = kept;
}

static void
look(void *sender)
{
	struct sender *s = sender;

	MAGIC_CHECK(s, SENDER_MAGIC);
	if (s->is_looking)
		return;			/* look_done goes on */
	ask_for(s);
	if (s->nunheard == 0) {
		forget(s);
		return;
	}
	s->looking = (struct pool_job){ .work = work_look, .done = look_done };
	s->is_looking = true;
	if (pool_run(s->pool, &s->looking) == ERR_OK) {
		s->looks++;
		return;
	}
	s->is_looking = false;
	loop_timer_set(s->loop, &s->missed, mono_after(loop_now(s->loop), SENDER_MISSED_NS), look, s);
}

void
sender_forget_unheard(struct sender *s)
{
	if (!s->is_looking)
		forget(s);
}

static void
news_deliver(struct mail *m)
{
	struct sender *s = CONTAINER_OF(m, struct sender, news);

	MAGIC_CHECK(s, SENDER_MAGIC);
	pthread_mutex_lock(&s->lock);
	s->has_news = false;
	pthread_mutex_unlock(&s->lock);
	s->looks = 0;
	look_later(s);
}

void
sender_on_conn(void *arg, enum conn_event ev)
{
	struct sender *s = arg;

	MAGIC_CHECK(s, SENDER_MAGIC);
	if (ev != CONN_EVENT_UP)
		return;
	pthread_mutex_lock(&s->lock);
	s->links++;
	bool post = !s->has_news;
	s->has_news = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	if (!post)
		return;
	s->news = (struct mail){ .deliver = news_deliver, .vital = true };
	loop_post(s->loop, &s->news);
}
