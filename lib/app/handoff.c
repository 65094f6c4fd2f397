/* handoff.c - one RPC call through the wrapper: delivering thread -> loop -> workload ->
 * loop -> reply.  The call travels as a mail; what the workload says decides the answer. */
#include "app/handoff.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "messaging/methods.h"
#include "messaging/server.h"
#include "runner/runner.h"
#include "runner/workload.h"

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

/* answer: what each outcome means to the caller.  What was certainly not executed is
 * SERVICE_UNAVAILABLE and may be sent elsewhere; what perhaps was is OUTCOME_UNKNOWN. */
static void
answer(void *arg, const struct workload_result *res)
{
	struct rpc_call *call = arg;
	char text[512];

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

/* trace_parent: the caller's header, or one made of the envelope's trace id where that is
 * a UUID: Python callers send no headers, and their traces shall go on all the same. */
#define PARENT_MAX 56		/* 00-, 32 digits, -, 16 digits, -01 */

static const char *
trace_parent(const struct rpc_call *call, char out[PARENT_MAX])
{
	const char *parent = rpc_call_header(call, "traceparent"), *id = rpc_call_trace_id(call);
	char digits[33], span[17];
	size_t n = 0;

	if (parent != NULL || id == NULL || strlen(id) != 36)
		return parent;
	for (size_t i = 0; i < 36; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (id[i] != '-')
				return NULL;
		} else if ((id[i] >= '0' && id[i] <= '9') || (id[i] >= 'a' && id[i] <= 'f')) {
			digits[n++] = id[i];
		} else {
			return NULL;
		}
	}
	digits[n] = '\0';
	id_hex(span, sizeof span - 1);
	snprintf(out, PARENT_MAX, "00-%s-%s-01", digits, span);
	return out;
}

static void
parcel_deliver(struct mail *m)
{
	struct parcel *p = CONTAINER_OF(m, struct parcel, mail);
	struct rpc_call *call = p->call;
	struct workload_header headers[4];
	char made[PARENT_MAX];
	const char *source = rpc_call_source(call), *parent = trace_parent(call, made);
	size_t n = 0;

	headers[n++] = (struct workload_header){ "Aegis-Message-Id", text_of(rpc_call_message_id(call)) };
	headers[n++] = (struct workload_header){ "Aegis-Trace-Id", text_of(rpc_call_trace_id(call)) };
	if (source != NULL)
		headers[n++] = (struct workload_header){ "Aegis-Source", text_of(source) };
	if (parent != NULL)
		headers[n++] = (struct workload_header){ "traceparent", text_of(parent) };
	struct workload *w = runner_workload(p->h->runner);
	mem_free(p);
	workload_call(w, &(struct workload_request){
		.method = rpc_call_method(call), .message_id = text_of(rpc_call_message_id(call)),
		.params = text_of(rpc_call_params_json(call)), .headers = headers, .nheaders = n,
		.deadline = rpc_call_deadline(call), .waiting = &rpc_call_stats(call)->waiting,
	}, answer, call);
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

void
handoff_close(struct handoff *h)
{
	if (h->loop != NULL)
		loop_discard(h->loop, parcel_deliver);
}
