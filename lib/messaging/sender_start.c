/* sender_start.c - commands that nobody waits for in a call.
 *
 * A posting is the loop's: it finds room, is stored, hears, ends.  What other threads bring (the
 * stream's word, the worker's) is a mail; each of those, and the loop itself, has a
 * reference.  At most one question for room is out, and everything that came meanwhile waits
 * for its answer. */
#include "messaging/sender_inner.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "codec/subject.h"
#include "messaging/trace.h"
#include "messaging/traffic.h"
#include "nats/publisher.h"
#include "sys/clock.h"

#define POSTING_MAGIC 0x5e4d0003u

struct posting {
	unsigned magic;
	atomic_int refs;
	struct sender *sender;
	struct posting *next, *prev;
	struct send_spec spec;		/* service, command and traceparent are ours, other texts are in the body */
	char parent[TRACE_PARENT_MAX];
	struct str body;
	struct send_outcome out;
	sender_done *done;
	void *arg;
	struct mono began;
	bool waits, over;		/* waits: for room */
	struct sub *sub;
	struct loop_timer timer;

	struct mail begin, stored, word;
	bool has_word;			/* the mail is on its way; the sender's lock */
	struct heard heard;
	struct pub_ack ack;		/* the publisher's, until the mail; as the next */
	struct err refusal;
};

static void
posting_unref(struct posting *x)
{
	if (atomic_fetch_sub(&x->refs, 1) != 1)
		return;
	mem_free((char *)(uintptr_t)x->spec.service);
	mem_free((char *)(uintptr_t)x->spec.command);
	str_release(&x->body);
	send_outcome_release(&x->out);
	sender_forget(&x->heard);
	MAGIC_WIPE(x);
	mem_free(x);
}

/* finish: it ended, or nobody may wait any longer; the loop's reference goes. */
static void
finish(struct posting *x, struct err *err)
{
	struct sender *s = x->sender;

	x->over = true;
	loop_timer_cancel(s->loop, &x->timer);
	sub_free(x->sub);
	if (loop_take(s->loop, &x->word))
		posting_unref(x);
	*(x->prev != NULL ? &x->prev->next : &s->postings) = x->next;
	*(x->next != NULL ? &x->next->prev : &s->last) = x->prev;
	pthread_mutex_lock(&s->lock);
	s->posted--;
	pthread_mutex_unlock(&s->lock);
	if (err != NULL && err->code != ERR_HANDLER && err->code != ERR_CANCELLED)
		err_prefix(err, "command '%s' to '%s'", x->spec.command, x->spec.service);
	traffic_sent(s->traffic, x->spec.service, x->spec.command, mono_since(clock_mono(clock_system()), x->began));
	x->done(x->arg, &x->out, err);
	posting_unref(x);
}

/* --- following ---------------------------------------------------------------------------- */

static void
word_deliver(struct mail *m)
{
	struct posting *x = CONTAINER_OF(m, struct posting, word);
	struct msg *progress, *completion;
	struct err err;

	MAGIC_CHECK(x, POSTING_MAGIC);
	while (!x->over) {
		pthread_mutex_lock(&x->sender->lock);
		sender_heard(&x->heard, &progress, &completion);
		x->has_word = progress != NULL || completion != NULL;
		pthread_mutex_unlock(&x->sender->lock);
		if (progress != NULL)
			sender_pass_progress(&x->spec, progress);
		if (completion != NULL)
			finish(x, sender_judge(completion, &x->out, &err) == ERR_OK ? NULL : &err);
		msg_free(completion);
		if (progress == NULL)
			break;
	}
	posting_unref(x);
}

static void
word_discard(struct mail *m)
{
	posting_unref(CONTAINER_OF(m, struct posting, word));
}

/* on_word: on the delivering thread. */
static void
on_word(void *arg, struct msg *m)
{
	struct posting *x = arg;

	MAGIC_CHECK(x, POSTING_MAGIC);
	sender_hear(x->sender, &x->heard, m);
	pthread_mutex_lock(&x->sender->lock);
	bool post = !x->has_word;
	x->has_word = true;
	pthread_mutex_unlock(&x->sender->lock);
	if (!post)
		return;
	atomic_fetch_add(&x->refs, 1);
	x->word = (struct mail){ .deliver = word_deliver, .discard = word_discard, .vital = true };
	loop_post(x->sender->loop, &x->word);
}

static void
on_late(void *arg)
{
	struct posting *x = arg;
	struct err err;

	MAGIC_CHECK(x, POSTING_MAGIC);
	sender_say_late(&x->out, sender_wait_ns(&x->spec), &err);
	finish(x, &err);
}

/* --- storing ------------------------------------------------------------------------------ */

static void
stored_deliver(struct mail *m)
{
	struct posting *x = CONTAINER_OF(m, struct posting, stored);

	MAGIC_CHECK(x, POSTING_MAGIC);
	if (!x->over && x->refusal.code != ERR_OK) {
		finish(x, &x->refusal);
	} else if (!x->over) {
		x->out.seq = x->ack.seq;
		x->out.duplicate = x->ack.duplicate;
		if (!x->spec.track)
			finish(x, NULL);
	}
	posting_unref(x);
}

static void
stored_discard(struct mail *m)
{
	posting_unref(CONTAINER_OF(m, struct posting, stored));
}

static void
on_stored(void *arg, const struct pub_ack *ack, const struct err *err)
{
	struct posting *x = arg;

	if (err != NULL)
		x->refusal = *err;
	else
		x->ack = *ack;
	loop_post(x->sender->loop, &x->stored);
}

static enum err_code
follow(struct posting *x, struct err *err)
{
	struct sender *s = x->sender;
	char subject[SEND_ID_MAX + 16];

	if (!x->spec.track)
		return ERR_OK;
	snprintf(subject, sizeof subject, "commands.*.%s", x->out.id);
	x->sub = sub_new(&(struct sub_opts){ .conn = s->conn, .subject = subject, .handler = on_word, .arg = x }, err);
	if (x->sub == NULL)
		return ERR_UNAVAILABLE;
	loop_timer_set(s->loop, &x->timer, mono_after(loop_now(s->loop), sender_wait_ns(&x->spec)), on_late, x);
	return ERR_OK;
}

/* store: there is room.  x may be gone afterwards. */
static void
store(struct posting *x)
{
	struct sender *s = x->sender;
	struct conn_header headers[2];
	struct err err;

	x->waits = false;
	x->stored = (struct mail){ .deliver = stored_deliver, .discard = stored_discard, .vital = true };
	enum err_code code = follow(x, &err);
	atomic_fetch_add(&x->refs, 1);
	if (code == ERR_OK)
		code = publisher_send(s->publisher, &(struct publication){
			.subject = subject_command(x->spec.service, x->spec.command).s, .id = x->out.id,
			.headers = sender_headers(x->spec.traceparent, headers),
			.data = x->body.p, .n = x->body.len, .timeout_ns = conn_timeout_ns(s->conn), .gate = x->spec.gate, .pass = x->spec.pass,
		}, on_stored, x, &err);
	if (code == ERR_OK)
		return;
	posting_unref(x);
	finish(x, &err);
}

/* --- room --------------------------------------------------------------------------------- */

static void ask(struct sender *s);

/* let_in: those that wait, the first first, as far as there is room. */
static void
let_in(struct sender *s)
{
	for (struct posting *x = s->postings, *next; x != NULL; x = next) {
		next = x->next;
		if (!x->waits)
			continue;
		if (!sender_take_room(s)) {
			ask(s);
			return;
		}
		store(x);
	}
}

static void
refuse(struct sender *s, const struct err *why)
{
	for (struct posting *x = s->postings, *next; x != NULL; x = next) {
		struct err err = *why;	/* each gets words of its own before it */
		next = x->next;
		if (x->waits)
			finish(x, &err);
	}
}

static void
work_ask(struct pool_job *job)
{
	struct sender *s = CONTAINER_OF(job, struct sender, asking);

	s->found = sender_look(s, &s->why);
}

static void
ask_done(struct pool_job *job)
{
	struct sender *s = CONTAINER_OF(job, struct sender, asking);

	MAGIC_CHECK(s, SENDER_MAGIC);
	s->is_asking = false;
	if (s->found == ERR_OK)
		let_in(s);
	else
		refuse(s, &s->why);
}

static void
ask(struct sender *s)
{
	struct err err;

	if (s->is_asking)
		return;
	s->asking = (struct pool_job){ .work = work_ask, .done = ask_done };
	s->found = err_set(&s->why, ERR_CLOSED, "the handle is being closed");	/* unless it is worked on */
	s->is_asking = true;
	enum err_code code = pool_run(s->pool, &s->asking);
	if (code == ERR_OK)
		return;
	s->is_asking = false;
	err_set(&err, code, "too much asks the store already");
	refuse(s, &err);
}

static void
begin_deliver(struct mail *m)
{
	struct posting *x = CONTAINER_OF(m, struct posting, begin);
	struct sender *s = x->sender;

	MAGIC_CHECK(x, POSTING_MAGIC);
	x->prev = s->last;
	*(x->prev != NULL ? &x->prev->next : &s->postings) = x;
	s->last = x;
	x->waits = true;
	if (!s->is_asking && sender_take_room(s))
		store(x);
	else
		ask(s);
}

/* begin_discard: the loop ends before it got to it. */
static void
begin_discard(struct mail *m)
{
	struct posting *x = CONTAINER_OF(m, struct posting, begin);
	struct err err;

	err_set(&err, ERR_CLOSED, "command '%s' to '%s': the handle was closed before it was stored", x->spec.command,
	    x->spec.service);
	x->done(x->arg, &x->out, &err);
	posting_unref(x);
}

struct send_outcome *
sender_stored_postings(struct sender *s, size_t *n)
{
	struct send_outcome *v = NULL;
	size_t cap = 0;

	*n = 0;
	for (const struct posting *x = s->postings; x != NULL; x = x->next) {
		if (!x->spec.track || x->out.seq == 0)
			continue;
		if (*n == cap)
			v = mem_resize(v, cap = cap > 0 ? 2 * cap : 64, sizeof *v);
		send_outcome_init(&v[*n]);
		memcpy(v[*n].id, x->out.id, SEND_ID_MAX);
		v[(*n)++].seq = x->out.seq;
	}
	return v;
}

void
sender_end_posting(struct sender *s, const struct send_outcome *out, struct err *err)
{
	struct posting *x = s->postings;

	while (x != NULL && (x->out.seq != out->seq || strcmp(x->out.id, out->id) != 0))
		x = x->next;
	if (x != NULL)
		finish(x, err);
}

void
sender_end_postings(struct sender *s)
{
	loop_timer_cancel(s->loop, &s->missed);
	loop_take(s->loop, &s->news);
	loop_discard(s->loop, begin_deliver);
	while (s->postings != NULL) {
		struct err err;
		err_set(&err, ERR_CLOSED, "the handle was closed while the command was under way");
		finish(s->postings, &err);
	}
}

/* --- from outside ------------------------------------------------------------------------- */

static enum err_code
may_start(struct sender *s, struct err *err)
{
	pthread_mutex_lock(&s->lock);
	bool closed = s->stopped, full = s->posted == SENDER_POSTED_MAX;
	s->posted += !closed && !full;
	pthread_mutex_unlock(&s->lock);
	if (closed)
		return err_set(err, ERR_CLOSED, "the handle is being closed");
	if (full)
		return err_set(err, ERR_BUSY, "%d commands are under way already", SENDER_POSTED_MAX);
	return ERR_OK;
}

enum err_code
sender_start(struct sender *s, const struct send_spec *spec, sender_done *done, void *done_arg, char id[SEND_ID_MAX],
    struct err *err)
{
	struct posting *x = mem_new(sizeof *x);
	enum err_code code;

	MAGIC_CHECK(s, SENDER_MAGIC);
	*x = (struct posting){ .magic = POSTING_MAGIC, .sender = s, .spec = *spec, .done = done, .arg = done_arg };
	atomic_init(&x->refs, 1);
	x->began = clock_mono(clock_system());
	x->spec.service = mem_text(spec->service);
	x->spec.command = mem_text(spec->command);
	if ((code = sender_name(spec, &x->out, err)) != ERR_OK ||
	    (code = sender_encode(s, spec, x->out.id, &x->body, err)) != ERR_OK || (code = may_start(s, err)) != ERR_OK) {
		posting_unref(x);
		return code;
	}
	if (spec->traceparent != NULL)	/* which is as long as it is to be: it was checked */
		x->spec.traceparent = memcpy(x->parent, spec->traceparent, sizeof x->parent);
	if (id != NULL)
		memcpy(id, x->out.id, SEND_ID_MAX);
	x->begin = (struct mail){ .deliver = begin_deliver, .discard = begin_discard, .vital = true };
	loop_post(s->loop, &x->begin);
	return ERR_OK;
}
