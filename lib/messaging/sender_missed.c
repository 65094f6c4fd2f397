/* sender_missed.c - commands of sender_start that ended while nobody listened.
 *
 * Once the connection is back, and what was about to end has ended, one job on the pool asks the
 * queue for each that is under way.  One look per reconnection: later ends are heard. */
#include "messaging/sender_inner.h"

#include "base/magic.h"
#include "base/mem.h"
#include "nats/stream.h"
#include "sys/clock.h"

struct unheard {
	struct send_outcome out;	/* id and seq alone */
	bool missed;
	struct err why;
};

static void look(void *sender);

static void
work_look(struct pool_job *job)
{
	struct sender *s = CONTAINER_OF(job, struct sender, looking);

	for (size_t i = 0; i < s->nunheard && conn_state(s->conn) == CONN_UP; i++)
		s->unheard[i].missed = sender_missed(s, &s->unheard[i].out, &s->unheard[i].why);
}

static void
look_done(struct pool_job *job)
{
	struct sender *s = CONTAINER_OF(job, struct sender, looking);

	MAGIC_CHECK(s, SENDER_MAGIC);
	for (size_t i = 0; i < s->nunheard; i++)
		if (s->unheard[i].missed)
			sender_end_posting(s, &s->unheard[i].out, &s->unheard[i].why);
	mem_free(s->unheard);
	s->unheard = NULL;
	s->is_looking = false;
}

static void
look(void *sender)
{
	struct sender *s = sender;

	MAGIC_CHECK(s, SENDER_MAGIC);
	if (s->is_looking) {
		loop_timer_set(s->loop, &s->missed, mono_after(loop_now(s->loop), SENDER_MISSED_NS), look, s);
		return;
	}
	struct send_outcome *v = sender_stored_postings(s, &s->nunheard);
	if (s->nunheard == 0)
		return;
	s->unheard = mem_new(s->nunheard * sizeof *s->unheard);
	for (size_t i = 0; i < s->nunheard; i++)
		s->unheard[i].out = v[i];
	mem_free(v);
	s->looking = (struct pool_job){ .work = work_look, .done = look_done };
	s->is_looking = true;
	if (pool_run(s->pool, &s->looking) == ERR_OK)
		return;
	s->is_looking = false;
	mem_free(s->unheard);
	s->unheard = NULL;
	loop_timer_set(s->loop, &s->missed, mono_after(loop_now(s->loop), SENDER_MISSED_NS), look, s);
}

static void
news_deliver(struct mail *m)
{
	struct sender *s = CONTAINER_OF(m, struct sender, news);

	MAGIC_CHECK(s, SENDER_MAGIC);
	pthread_mutex_lock(&s->lock);
	s->has_news = false;
	pthread_mutex_unlock(&s->lock);
	loop_timer_set(s->loop, &s->missed, mono_after(loop_now(s->loop), SENDER_MISSED_NS), look, s);
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
