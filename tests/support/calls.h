/* calls.h - what the tests of calls into programs share: a call that is awaited, and how it ended. */
#ifndef SUPPORT_CALLS_H
#define SUPPORT_CALLS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/magic.h"
#include "runner/workload.h"
#include "until.h"

static struct loop *loop;

struct result {
	unsigned done;
	enum workload_outcome outcome;
	char text[512];
	size_t ntext;
	int http_status;
	bool maybe_executed;
	unsigned order;			/* the how manieth end it was */
};

static unsigned ends;

static inline void
on_done(void *arg, const struct workload_result *res)
{
	struct result *r = arg;

	r->done++;
	r->outcome = res->outcome;
	r->http_status = res->http_status;
	r->maybe_executed = res->maybe_executed;
	r->order = ++ends;
	assert_non_null(res->text.p);
	r->ntext = res->text.n;
	snprintf(r->text, sizeof r->text, "%.*s", (int)(res->text.n < 511 ? res->text.n : 511), res->text.p);
}

static inline bool
is_done(void *r)
{
	return ((struct result *)r)->done > 0;
}

static bool may_run = true;

static inline bool
may(void *arg)
{
	(void)arg;
	return may_run;
}

static inline void
begin_with(struct workload *w, const char *method, const char *id, const char *params, int64_t timeout_ns,
    struct result *r)
{
	struct workload_header h[] = {
		{ "Aegis-Message-Id", text_of(id) }, { "Aegis-Trace-Id", text_of("t-1") },
		{ "Aegis-Source", text_of("s\xff\n1") }, { "traceparent", text_of("00-ab-cd-01") },
	};
	struct workload_request q = {
		.method = method, .message_id = text_of(id), .params = text_of(params), .headers = h, .nheaders = COUNT_OF(h),
		.deadline = mono_after(clock_mono(clock_system()), timeout_ns), .may = may,
	};

	memset(r, 0, sizeof *r);
	workload_call(w, &q, on_done, r);
}

static inline void
begin(struct workload *w, const char *method, struct result *r)
{
	static unsigned n;
	char id[32];

	snprintf(id, sizeof id, "m-%u", ++n);
	begin_with(w, method, id, "{\"a\":1}", UNTIL_NS, r);
}

static inline void
expect(struct result *r, enum workload_outcome o, const char *part)
{
	if (!until(loop, is_done, r))
		fail_msg("no end, expected %s", workload_outcome_name(o));
	if (r->outcome != o || strstr(r->text, part) == NULL)
		fail_msg("%s '%s', not %s '%s'", workload_outcome_name(r->outcome), r->text, workload_outcome_name(o), part);
	assert_int_equal(r->done, 1);
}

static inline void
call(struct workload *w, const char *method, enum workload_outcome o, const char *part)
{
	struct result r;

	begin(w, method, &r);
	expect(&r, o, part);
}

static inline struct workload_counters
counters(const struct workload *w)
{
	struct workload_counters c;

	workload_count(w, &c);
	return c;
}

#endif
