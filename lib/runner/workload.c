/* workload.c - admission, queue and end of calls; how they travel is in workload_http.c
 * and workload_stdio.c.
 *
 * A call is composed when it comes, because the request is the caller's only for that
 * moment, and sent when there is room.  Ended calls keep their memory for the next ones. */
#include "runner/workload.h"

#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "runner/workload_inner.h"
#include "sys/clock.h"

#define WORKLOAD_MAGIC 0x3043704du
#define CALL_MAGIC 0x3043704cu
#define FREE_MAX 128		/* ended calls kept for reuse */
#define KEEP_BYTES (64u << 10)	/* a larger buffer is not kept */

static const char *const outcome_names[] = {
	[WORKLOAD_OK] = "ok", [WORKLOAD_APP_ERROR] = "app_error", [WORKLOAD_BUSY] = "busy",
	[WORKLOAD_TIMEOUT] = "timeout", [WORKLOAD_DOWN] = "down", [WORKLOAD_BAD_ANSWER] = "bad_answer",
};

const char *
workload_outcome_name(enum workload_outcome o)
{
	return outcome_names[o];
}

/* --- lists ----------------------------------------------------------------------------- */

static void
list_add(struct call_list *l, struct call *c)
{
	c->next = NULL;
	c->prev = l->last;
	*(l->last != NULL ? &l->last->next : &l->first) = c;
	l->last = c;
	l->n++;
}

static void
list_remove(struct call_list *l, struct call *c)
{
	*(c->prev != NULL ? &c->prev->next : &l->first) = c->next;
	*(c->next != NULL ? &c->next->prev : &l->last) = c->prev;
	l->n--;
}

static struct call *
call_new(struct workload *w)
{
	struct call *c = w->free;

	if (c != NULL) {
		w->free = c->next;
		w->nfree--;
		return c;
	}
	c = mem_new(sizeof *c);
	c->magic = CALL_MAGIC;
	c->w = w;
	return c;
}

static void
call_free(struct call *c)
{
	str_release(&c->bytes);
	MAGIC_WIPE(c);
	mem_free(c);
}

static void
call_put_back(struct call *c)
{
	struct workload *w = c->w;

	c->state = CALL_FREE;
	c->lane = NULL;
	mem_free(c->id);
	mem_free(c->name);
	c->id = c->name = NULL;
	c->progress = NULL;
	c->may = NULL;
	c->done = NULL;
	if (w->nfree >= FREE_MAX) {
		call_free(c);
		return;
	}
	if (c->bytes.cap > KEEP_BYTES)
		str_release(&c->bytes);
	else
		str_clear(&c->bytes);
	c->next = w->free;
	w->free = c;
	w->nfree++;
}

/* --- the end of a call ----------------------------------------------------------------- */

static void
count_outcome(struct workload *w, enum workload_outcome o)
{
	switch (o) {
	case WORKLOAD_OK:
		w->counters.ok++;
		break;
	case WORKLOAD_APP_ERROR:
		w->counters.app_errors++;
		break;
	case WORKLOAD_BUSY:
		w->counters.busy++;
		break;
	case WORKLOAD_TIMEOUT:
		w->counters.timeouts++;
		break;
	case WORKLOAD_DOWN:
		w->counters.down++;
		break;
	case WORKLOAD_BAD_ANSWER:
		w->counters.bad_answers++;
		break;
	}
}

/* wait_begin, wait_end: a call's stay in the queue, seen by whoever counts it. */
static void
wait_begin(struct workload *w, struct call *c)
{
	c->state = CALL_WAITING;
	list_add(&w->waiting, c);
	if (c->waiting_gauge != NULL)
		atomic_fetch_add(c->waiting_gauge, 1);
}

static void
wait_end(struct workload *w, struct call *c)
{
	list_remove(&w->waiting, c);
	if (c->waiting_gauge != NULL)
		atomic_fetch_sub(c->waiting_gauge, 1);
}

static void pump(struct workload *w);

void
workload_finish(struct call *c, const struct workload_result *res)
{
	struct workload *w = c->w;
	void (*done)(void *, const struct workload_result *) = c->done;
	void *arg = c->arg;

	MAGIC_CHECK(c, CALL_MAGIC);
	MUST(c->state != CALL_FREE);
	if (c->state == CALL_RUNNING)
		list_remove(&w->running, c);
	else
		wait_end(w, c);
	loop_timer_cancel(w->loop, &c->timer);
	count_outcome(w, res->outcome);
	if (res->outcome == WORKLOAD_BAD_ANSWER)
		log_warning(EV_WORKLOAD_ERROR, LOG_F(LOG_S("workload", w->name)), "a call into %s ended badly: %.*s",
		    w->name, (int)res->text.n, res->text.p);
	call_put_back(c);
	done(arg, res);
	pump(w);
}

void
workload_fail(struct call *c, enum workload_outcome o, const char *why, bool maybe_executed)
{
	struct workload_result r = {
		.outcome = o, .text = { why, strlen(why) }, .maybe_executed = maybe_executed,
	};

	workload_finish(c, &r);
}

/* refuse: an end without ever having been a call. */
static void
refuse(struct workload *w, enum workload_outcome o, const char *why,
    void (*done)(void *arg, const struct workload_result *res), void *arg)
{
	struct workload_result r = { .outcome = o, .text = { why, strlen(why) } };

	count_outcome(w, o);
	done(arg, &r);
}

static void
drop(struct call *c)
{
	struct workload *w = c->w;

	if (c->state != CALL_RUNNING)
		return;
	if (w->http != NULL)
		workload_http_drop(c);
	else
		stdio_drop(w->stdio, c);
}

int64_t
workload_left_ms(const struct call *c)
{
	int64_t left = mono_since(c->deadline, clock_mono(loop_clock(c->w->loop))) / NS_PER_MS;

	return left > 0 ? left : 0;
}

static void
on_deadline(void *arg)
{
	struct call *c = arg;

	MAGIC_CHECK(c, CALL_MAGIC);
	bool was_sent = c->state == CALL_RUNNING && (c->lane == NULL || http_written(c->lane));
	drop(c);
	workload_fail(c, WORKLOAD_TIMEOUT, was_sent ? "the program did not answer in time"
	    : "the call waited for the program until its deadline", was_sent);
}

/* --- the way of a call ----------------------------------------------------------------- */

static void
send_call(struct call *c)
{
	struct workload *w = c->w;

	list_add(&w->running, c);
	c->state = CALL_RUNNING;
	if (c->may != NULL && !c->may(c->arg)) {
		workload_fail(c, WORKLOAD_BUSY, "the program may not have it any more", false);
		return;
	}
	enum err_code rc = w->http != NULL ? workload_http_send(c) : stdio_send(w->stdio, c);
	if (rc == ERR_CLOSED)
		workload_fail(c, WORKLOAD_DOWN, "the program has closed its standard input or output", false);
	else if (rc != ERR_OK)
		workload_fail(c, WORKLOAD_BUSY, "the program does not take in what it was sent already", false);
}

/* pump: sends what waits while there is room.  Ends of calls come back here, and done may
 * call again, so the outermost one does it all. */
static void
pump(struct workload *w)
{
	struct call *c;

	if (w->is_pumping)
		return;
	w->is_pumping = true;
	while (w->is_up && w->running.n < w->opts.max_inflight && (c = w->waiting.first) != NULL) {
		wait_end(w, c);
		send_call(c);
	}
	w->is_pumping = false;
}

void
workload_limit(struct workload *w, unsigned max_inflight, unsigned max_queue)
{
	MAGIC_CHECK(w, WORKLOAD_MAGIC);
	w->opts.max_inflight = max_inflight > 0 ? max_inflight : WORKLOAD_INFLIGHT;
	w->opts.max_queue = max_queue > 0 ? max_queue : WORKLOAD_QUEUE;
	if (w->http != NULL)
		http_limit(w->http, w->opts.max_inflight + WORKLOAD_CANCEL_CONNS);
	pump(w);
}

void
workload_call(struct workload *w, const struct workload_request *q,
    void (*done)(void *arg, const struct workload_result *res), void *arg)
{
	struct call *c;

	MAGIC_CHECK(w, WORKLOAD_MAGIC);
	w->counters.calls++;
	if (!w->is_up) {
		refuse(w, WORKLOAD_DOWN, "the program is not ready", done, arg);
		return;
	}
	if (mono_reached(loop_now(w->loop), q->deadline)) {
		refuse(w, WORKLOAD_TIMEOUT, "the deadline had passed before the call could be made", done, arg);
		return;
	}
	bool has_room = w->running.n < w->opts.max_inflight && w->waiting.n == 0;
	if (!has_room && w->waiting.n >= w->opts.max_queue) {
		log_warning(EV_RPC_REFUSED, LOG_F(LOG_S("workload", w->name)),
		    "%u calls into %s run and %u wait, more are refused", w->running.n, w->name, w->waiting.n);
		refuse(w, WORKLOAD_BUSY, "too many calls wait for the program already", done, arg);
		return;
	}
	c = call_new(w);
	if ((w->http != NULL ? workload_http_compose(c, q) : stdio_compose(w->stdio, c, q)) != ERR_OK) {
		call_put_back(c);
		refuse(w, WORKLOAD_BAD_ANSWER, "the parameters are not JSON", done, arg);
		return;
	}
	c->done = done;
	c->arg = arg;
	c->deadline = q->deadline;
	c->waiting_gauge = q->waiting;
	c->progress = q->progress;
	c->may = q->may;
	c->any_body = q->type == WORKLOAD_EVENT;
	if (q->type == WORKLOAD_COMMAND)
		c->name = mem_text(q->method);
	loop_timer_set(w->loop, &c->timer, q->deadline, on_deadline, c);
	if (has_room) {
		send_call(c);
	} else {
		wait_begin(w, c);
	}
}

static struct call *
find_arg(const struct call_list *l, const void *arg)
{
	struct call *c = l->first;

	while (c != NULL && c->arg != arg)
		c = c->next;
	return c;
}

void
workload_cancel(struct workload *w, const void *arg)
{
	struct call *c;

	MAGIC_CHECK(w, WORKLOAD_MAGIC);
	if ((c = find_arg(&w->waiting, arg)) != NULL) {
		workload_fail(c, WORKLOAD_BUSY, "it was cancelled before the program saw it", false);
		return;
	}
	c = find_arg(&w->running, arg);
	if (c == NULL || c->name == NULL)
		return;
	if (w->http != NULL)
		workload_http_cancel(c);
	else
		stdio_cancel(w->stdio, c);
}

void
workload_role(struct workload *w, const char *name, uint64_t epoch)
{
	MAGIC_CHECK(w, WORKLOAD_MAGIC);
	if (w->stdio != NULL)
		stdio_role(w->stdio, name, epoch);
}

/* --- what the runner says -------------------------------------------------------------- */

void
workload_attach(struct workload *w, int to_child, int from_child)
{
	MAGIC_CHECK(w, WORKLOAD_MAGIC);
	MUST(w->stdio != NULL);
	stdio_attach(w->stdio, to_child, from_child);
}

void
workload_up(struct workload *w)
{
	MAGIC_CHECK(w, WORKLOAD_MAGIC);
	w->is_up = w->http != NULL || w->stdio != NULL;
}

void
workload_down(struct workload *w)
{
	struct call *c;

	MAGIC_CHECK(w, WORKLOAD_MAGIC);
	/* Answers written with the last breath still count. */
	if (w->stdio != NULL)
		stdio_detach(w->stdio);
	w->is_up = false;
	while ((c = w->running.first) != NULL) {
		bool was_sent = c->lane == NULL || http_written(c->lane);
		drop(c);
		workload_fail(c, WORKLOAD_DOWN, "the program ended before it answered", was_sent);
	}
	while ((c = w->waiting.first) != NULL)
		workload_fail(c, WORKLOAD_DOWN, "the program ended before the call was made", false);
	if (w->http != NULL)
		http_reset(w->http);
}

void
workload_yield(struct workload *w)
{
	MAGIC_CHECK(w, WORKLOAD_MAGIC);
	if (w->http != NULL)
		http_yield(w->http);
}

/* --- the rest -------------------------------------------------------------------------- */

struct text
workload_clean(struct workload *w, struct text t)
{
	size_t good, n = t.n;

	if (t.p == NULL || (good = utf8_valid(t.p, n)) == n)
		return t;
	str_clear(&w->scratch);
	for (const char *p = t.p; n > 0; n -= good, p += good) {
		good = utf8_valid(p, n);
		str_add(&w->scratch, p, good);
		if (good == n)
			break;
		str_putc(&w->scratch, '?');
		good++;
	}
	return (struct text){ str_text(&w->scratch), w->scratch.len };
}

static enum err_code
open_way(struct workload *w, struct err *err)
{
	struct http_opts h = { .max_conns = w->opts.max_inflight + WORKLOAD_CANCEL_CONNS, .max_body = WORKLOAD_ANSWER_MAX };
	enum err_code rc;

	switch (w->opts.kind) {
	case WORKLOAD_NONE:
		return ERR_OK;
	case WORKLOAD_STDIO:
		w->stdio = stdio_new(w);
		return ERR_OK;
	case WORKLOAD_PORT:
		dial_port(w->opts.port, &h.target);
		break;
	case WORKLOAD_SOCKET:
		if ((rc = dial_unix(w->opts.socket, &h.target, err)) != ERR_OK)
			return rc;
		break;
	}
	w->http = http_new(w->loop, &h);
	return ERR_OK;
}

struct workload *
workload_new(struct loop *loop, const struct workload_opts *o, struct err *err)
{
	struct workload *w = mem_new(sizeof *w);

	*w = (struct workload){ .magic = WORKLOAD_MAGIC, .loop = loop, .opts = *o };
	if (w->opts.max_inflight == 0)
		w->opts.max_inflight = WORKLOAD_INFLIGHT;
	if (w->opts.max_queue == 0)
		w->opts.max_queue = WORKLOAD_QUEUE;
	w->name = mem_text(o->name != NULL ? o->name : "the program");
	w->codec = codec_new();
	if (open_way(w, err) != ERR_OK) {
		workload_free(w);
		return NULL;
	}
	w->opts.socket = w->opts.name = NULL;	/* the caller's memory */
	return w;
}

void
workload_free(struct workload *w)
{
	struct call *c;

	if (w == NULL)
		return;
	workload_down(w);
	http_free(w->http);
	stdio_free(w->stdio);
	while ((c = w->free) != NULL) {
		w->free = c->next;
		call_free(c);
	}
	codec_free(w->codec);
	str_release(&w->scratch);
	mem_free(w->name);
	MAGIC_WIPE(w);
	mem_free(w);
}

void
workload_count(const struct workload *w, struct workload_counters *out)
{
	*out = w->counters;
	out->inflight = w->running.n;
	out->waiting = w->waiting.n;
}
