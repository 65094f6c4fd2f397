/* handoff.c - one RPC call through the wrapper: delivering thread -> loop -> workload ->
 * loop -> reply.  The call travels as a mail; what the workload says decides the answer.
 * A command is on the loop already, and its worker decides what its end means. */
#include "app/handoff.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "app/lead.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "messaging/events.h"
#include "messaging/methods.h"
#include "messaging/server.h"
#include "messaging/trace.h"
#include "messaging/worker.h"
#include "runner/runner.h"
#include "runner/workload.h"

/* A call on its way to the workload, and while that has it. */
struct parcel {
	struct mail mail;
	struct handoff *h;
	struct rpc_call *call;
};

static void
parcel_refuse(struct mail *m)
{
	struct parcel *p = CONTAINER_OF(m, struct parcel, mail);

	rpc_refuse(p->call, ERR_BUSY, "the service is stopping");
	mem_free(p);
}

/* may_call: the gate once more: while the call waited its hold may have ended, and the program is then a standby's,
 * or another hold's. */
static bool
may_call(void *arg)
{
	const struct parcel *p = arg;

	return rpc_call_holds(p->call);
}

/* is_lapsed: it was not begun, and is not to be any more. */
static bool
is_lapsed(const struct rpc_call *call, const struct workload_result *res)
{
	return (res->outcome == WORKLOAD_BUSY || res->outcome == WORKLOAD_DOWN) && !res->maybe_executed && !rpc_call_holds(call);
}

/* answer: what each outcome means to the caller.  What was certainly not executed is
 * SERVICE_UNAVAILABLE and may be sent elsewhere; what perhaps was is OUTCOME_UNKNOWN. */
static void
answer(void *arg, const struct workload_result *res)
{
	struct parcel *p = arg;
	struct handoff *h = p->h;
	struct rpc_call *call = p->call;
	char text[512];

	mem_free(p);
	if (is_lapsed(call, res)) {
		lead_return(h->lead, call);
		return;
	}
	snprintf(text, sizeof text, "%.*s", (int)(res->text.p != NULL ? res->text.n : 0),
	    res->text.p != NULL ? res->text.p : "");
	if (res->outcome != WORKLOAD_OK && res->outcome != WORKLOAD_APP_ERROR)
		log_warning(EV_WORKLOAD_ERROR, LOG_F(LOG_S("method", rpc_call_method(call)),
		    LOG_S("outcome", workload_outcome_name(res->outcome)), LOG_S("trace_id", rpc_call_trace_id(call))),
		    "a call into the workload failed: %s", text);
	switch (res->outcome) {
	case WORKLOAD_OK:
		rpc_answer(call, (struct data){ DATA_JSON, res->text.p, res->text.n }, NULL);
		break;
	case WORKLOAD_APP_ERROR:
		rpc_refuse(call, ERR_HANDLER, text);
		break;
	case WORKLOAD_BUSY:
		rpc_refuse(call, ERR_BUSY, text);
		break;
	case WORKLOAD_TIMEOUT:
		rpc_refuse(call, ERR_TIMEOUT, text);
		break;
	case WORKLOAD_DOWN:
		rpc_refuse(call, res->maybe_executed ? ERR_OUTCOME_UNKNOWN : ERR_BUSY, text);
		break;
	case WORKLOAD_BAD_ANSWER:
		rpc_refuse(call, ERR_CORRUPT, text);
		break;
	}
}

/* What every message tells the workload besides its content (design.md §7).  A header more is
 * one line in head_fill. */
struct head {
	struct workload_header v[6];
	size_t n;
	char made[TRACE_PARENT_MAX], count[24], epoch[24];
};

struct head_facts {
	const char *message_id, *trace_id;
	const char *source, *parent;	/* NULL when there is none; Python callers send no headers, and
					   their traces shall go on all the same */
	uint64_t deliveries;		/* 0: it is not delivered repeatedly */
	uint64_t epoch;			/* of the hold that it runs under; 0: of none */
};

/* head_fill(h, f): h keeps pointing into f's texts and into itself. */
static void
head_fill(struct head *h, const struct head_facts *f)
{
	const char *parent = trace_parent(f->parent, f->trace_id, h->made);

	h->n = 0;
	h->v[h->n++] = (struct workload_header){ "Aegis-Message-Id", text_of(f->message_id) };
	h->v[h->n++] = (struct workload_header){ "Aegis-Trace-Id", text_of(f->trace_id) };
	if (f->deliveries > 0) {
		snprintf(h->count, sizeof h->count, "%llu", (unsigned long long)f->deliveries);
		h->v[h->n++] = (struct workload_header){ "Aegis-Delivery", text_of(h->count) };
	}
	if (f->epoch > 0) {
		snprintf(h->epoch, sizeof h->epoch, "%llu", (unsigned long long)f->epoch);
		h->v[h->n++] = (struct workload_header){ "Aegis-Epoch", text_of(h->epoch) };
	}
	if (f->source != NULL)
		h->v[h->n++] = (struct workload_header){ "Aegis-Source", text_of(f->source) };
	if (parent != NULL)
		h->v[h->n++] = (struct workload_header){ "traceparent", text_of(parent) };
}

static void
parcel_deliver(struct mail *m)
{
	struct parcel *p = CONTAINER_OF(m, struct parcel, mail);
	struct rpc_call *call = p->call;
	struct head head;

	head_fill(&head, &(struct head_facts){
		.message_id = rpc_call_message_id(call), .trace_id = rpc_call_trace_id(call), .source = rpc_call_source(call),
		.parent = rpc_call_header(call, "traceparent"), .epoch = rpc_call_epoch(call),
	});
	workload_call(runner_workload(p->h->runner), &(struct workload_request){
		.method = rpc_call_method(call), .message_id = text_of(rpc_call_message_id(call)),
		.params = text_of(rpc_call_params_json(call)), .headers = head.v, .nheaders = head.n,
		.deadline = rpc_call_deadline(call), .waiting = &rpc_call_stats(call)->waiting, .may = may_call,
	}, answer, p);
}

void
handoff_call(struct handoff *h, struct rpc_call *call)
{
	struct parcel *p = mem_new(sizeof *p);

	p->mail = (struct mail){ .deliver = parcel_deliver, .discard = parcel_refuse };
	p->h = h;
	p->call = call;
	rpc_call_params_json(call);	/* while the envelope is there */
	if (loop_post(h->loop, &p->mail) == ERR_OK)
		return;
	mem_free(p);
	rpc_refuse(call, ERR_BUSY, "too many calls wait for the wrapper");
}

/* --- commands ---------------------------------------------------------------------------- */

/* The worker's own time-out comes first, so that it is told as one and not as a silent program. */
#define JOB_GRACE_NS (1 * NS_PER_S)

/* A command that the workload has, in a list, so that its progress can be told by its id. */
struct open_job {
	struct open_job *next, **at;
	struct job *job;
};

static struct open_job *
open_job(struct handoff *h, struct job *job)
{
	struct open_job *o = mem_new(sizeof *o);

	*o = (struct open_job){ .next = h->jobs, .at = &h->jobs, .job = job };
	if (h->jobs != NULL)
		h->jobs->at = &o->next;
	h->jobs = o;
	job_set_user(job, o);
	return o;
}

/* close_job: takes it out and frees it; its command is still to be answered. */
static struct job *
close_job(struct open_job *o)
{
	struct job *job = o->job;

	*o->at = o->next;
	if (o->next != NULL)
		o->next->at = o->at;
	job_set_user(job, NULL);
	mem_free(o);
	return job;
}

bool
handoff_progress(struct handoff *h, const char *id, double percent, const char *status)
{
	struct open_job *o = h->jobs;

	while (o != NULL && strcmp(job_id(o->job), id) != 0)
		o = o->next;
	if (o != NULL)
		job_progress(o->job, percent, status);
	return o != NULL;
}

static void
end_job(void *arg, const struct workload_result *res)
{
	struct job *job = close_job(arg);
	char text[1024];

	snprintf(text, sizeof text, "%.*s", (int)res->text.n, res->text.p);
	switch (res->outcome) {
	case WORKLOAD_OK:
		job_done(job, (struct data){ DATA_JSON, res->text.p, res->text.n });
		break;
	case WORKLOAD_APP_ERROR:
	case WORKLOAD_TIMEOUT:
	case WORKLOAD_BAD_ANSWER:
		job_fail(job, text);
		break;
	case WORKLOAD_BUSY:
		job_bounce(job);
		break;
	case WORKLOAD_DOWN:
		if (res->maybe_executed)
			job_died(job, text);
		else
			job_bounce(job);
		break;
	}
}

static void
pass_progress(void *arg, double percent, struct text status)
{
	const struct open_job *o = arg;
	char *text = status.p != NULL ? mem_text_n(status.p, status.n) : NULL;

	job_progress(o->job, percent, text);
	mem_free(text);
}

void
handoff_job(struct handoff *h, struct job *job)
{
	struct head head;

	head_fill(&head, &(struct head_facts){
		.message_id = job_id(job), .trace_id = job_trace_id(job), .source = job_source(job),
		.parent = job_header(job, "traceparent"), .deliveries = job_deliveries(job),
	});
	workload_call(runner_workload(h->runner), &(struct workload_request){
		.type = WORKLOAD_COMMAND, .method = job_command(job), .message_id = text_of(job_id(job)),
		.params = text_of(job_payload_json(job)), .headers = head.v, .nheaders = head.n,
		.deadline = mono_after(job_deadline(job), JOB_GRACE_NS), .progress = pass_progress,
	}, end_job, open_job(h, job));
}

void
handoff_stop(struct handoff *h, struct job *job)
{
	if (job_user(job) != NULL)
		workload_cancel(runner_workload(h->runner), job_user(job));
}

/* --- events ------------------------------------------------------------------------------ */

struct event_parcel {
	struct mail mail;
	struct handoff *h;
	struct event *event;
};

static void
end_event(void *arg, const struct workload_result *res)
{
	struct event *e = arg;
	char text[1024];

	snprintf(text, sizeof text, "%.*s", (int)res->text.n, res->text.p);
	if (res->outcome == WORKLOAD_OK)
		event_done(e);
	else if (res->outcome == WORKLOAD_BUSY || (res->outcome == WORKLOAD_DOWN && !res->maybe_executed))
		event_refuse(e);
	else
		event_fail(e, text);
}

static void
event_parcel_refuse(struct mail *m)
{
	struct event_parcel *p = CONTAINER_OF(m, struct event_parcel, mail);

	event_refuse(p->event);
	mem_free(p);
}

static void
event_parcel_deliver(struct mail *m)
{
	struct event_parcel *p = CONTAINER_OF(m, struct event_parcel, mail);
	struct event *e = p->event;
	struct head head;

	head_fill(&head, &(struct head_facts){
		.message_id = event_message_id(e), .trace_id = event_trace_id(e), .source = event_source(e),
		.parent = event_header(e, "traceparent"), .deliveries = event_deliveries(e),
	});
	struct workload *w = runner_workload(p->h->runner);
	mem_free(p);
	char *name = mem_printf("%s.%s", event_domain(e), event_type(e));
	workload_call(w, &(struct workload_request){
		.type = WORKLOAD_EVENT, .method = name, .message_id = text_of(event_message_id(e)),
		.params = text_of(event_payload_json(e)), .headers = head.v, .nheaders = head.n, .deadline = event_deadline(e),
	}, end_event, e);
	mem_free(name);
}

void
handoff_event(struct handoff *h, struct event *e)
{
	struct event_parcel *p = mem_new(sizeof *p);

	p->mail = (struct mail){ .deliver = event_parcel_deliver, .discard = event_parcel_refuse };
	p->h = h;
	p->event = e;
	event_payload_json(e);		/* while the envelope is there */
	if (loop_post(h->loop, &p->mail) == ERR_OK)
		return;
	mem_free(p);
	event_refuse(e);
}

void
handoff_close(struct handoff *h)
{
	if (h->loop == NULL)
		return;
	loop_discard(h->loop, parcel_deliver);
	loop_discard(h->loop, event_parcel_deliver);
}
