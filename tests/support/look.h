/* look.h - one service with a method for every way to answer, and a handle that calls it. */
#ifndef SUPPORT_LOOK_H
#define SUPPORT_LOOK_H

#include "handle.h"

#include <stdatomic.h>

#include "base/magic.h"
#include "nats/conn.h"

static aegis *caller;			/* MessagePack */

/* --- a service --------------------------------------------------------------------------- */

/* look: everything that can be seen of a request, as a result. */
static inline void
look(void *arg, aegis_request *r)
{
	aegis_out *out = aegis_out_new();
	int64_t i = -1;
	double d = -1;
	bool b = false;

	aegis_out_text(out, "arg", arg);
	aegis_out_text(out, "method", aegis_request_method(r));
	aegis_out_text(out, "trace_id", aegis_request_trace_id(r));
	aegis_out_text(out, "source", aegis_request_source(r));
	aegis_out_text(out, "text", aegis_param_text(r, "text"));
	aegis_out_bool(out, "has_int", aegis_param_int(r, "int", &i));
	aegis_out_int(out, "int", i);
	aegis_out_bool(out, "has_real", aegis_param_real(r, "real", &d));
	aegis_out_real(out, "real", d);
	aegis_out_bool(out, "has_bool", aegis_param_bool(r, "bool", &b));
	aegis_out_bool(out, "bool", b);
	aegis_out_int(out, "count", (int64_t)aegis_param_count(r, "list"));
	aegis_out_list(out, "list");
	for (size_t k = 0; k <= aegis_param_count(r, "list"); k++)
		aegis_out_text(out, NULL, aegis_param_text_at(r, "list", k));
	aegis_out_end(out);
	aegis_out_bool(out, "null_given", aegis_param_given(r, "null"));
	aegis_out_bool(out, "text_given", aegis_param_given(r, "text"));
	aegis_out_bool(out, "absent_given", aegis_param_given(r, "absent"));
	assert_int_equal(aegis_out_json(out, "params", aegis_params_json(r), NULL), AEGIS_OK);
	aegis_reply(r, out);
}

static inline void
refuse(void *arg, aegis_request *r)
{
	(void)arg;
	aegis_fail(r, aegis_param_text(r, "why"));
}

static inline void
nothing(void *arg, aegis_request *r)
{
	(void)arg;
	aegis_reply(r, NULL);
}

static atomic_int bad_reply;

static inline void
unsendable(void *arg, aegis_request *r)
{
	aegis_out *out = aegis_out_new();

	(void)arg;
	aegis_out_text(out, "text", "\xff\xfe");
	atomic_store(&bad_reply, aegis_reply(r, out));
}

static inline void
too_large(void *arg, aegis_request *r)
{
	size_t n = 2 << 20;
	char *text = malloc(n + 1);
	aegis_out *out = aegis_out_new();

	(void)arg;
	memset(text, 'x', n);
	text[n] = '\0';
	aegis_out_text(out, "text", text);
	free(text);
	atomic_store(&bad_reply, aegis_reply(r, out));
}

/* nest: n maps in the outermost one. */
static inline aegis_out *
nest(int n)
{
	aegis_out *out = aegis_out_new();

	for (int i = 0; i < n; i++) {
		aegis_out_map(out, "m");
		aegis_out_list(out, "l");
		aegis_out_text(out, NULL, "x");
		aegis_out_end(out);
	}
	for (int i = 0; i < n; i++)
		aegis_out_end(out);
	return out;
}

static inline void
too_deep(void *arg, aegis_request *r)
{
	(void)arg;
	atomic_store(&bad_reply, aegis_reply(r, nest(20)));
}

/* kept: requests that are answered when the test wants. */
static _Atomic(aegis_request *) kept[8];
static atomic_uint nkept;

static inline void
keep(void *arg, aegis_request *r)
{
	(void)arg;
	atomic_store(&kept[atomic_fetch_add(&nkept, 1)], r);
}

/* answer_kept: the one that was kept, which may still be on its way, though its caller has given up. */
static inline void
answer_kept(void)
{
	WAIT_FOR(atomic_load(&kept[0]) != NULL);
	for (size_t i = 0; i < COUNT_OF(kept); i++) {
		aegis_request *r = atomic_exchange(&kept[i], NULL);
		if (r != NULL)
			aegis_reply_json(r, "{\"late\":true}");
	}
	atomic_store(&nkept, 0);
}

static atomic_bool gate;		/* open: wait_at_gate goes on */
static atomic_uint at_gate;

static inline void
wait_at_gate(void *arg, aegis_request *r)
{
	(void)arg;
	atomic_fetch_add(&at_gate, 1);
	while (!atomic_load(&gate))
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	aegis_reply_json(r, "{}");
}

static aegis *server;

static inline void
serve(const char *method, aegis_handler *fn, unsigned flags)
{
	ok(aegis_serve(server, method, fn, "the argument", flags, &e));
}

static inline int
set_up_all(void **state)
{
	(void)state;
	if (!bus_start(&bus))
		return -1;
	server = connect_as(NULL);
	serve("echo", echo, 0);
	serve("echo_inline", echo, AEGIS_INLINE);
	serve("look", look, 0);
	serve("look_inline", look, AEGIS_INLINE);
	serve("refuse", refuse, 0);
	serve("nothing", nothing, AEGIS_INLINE);
	serve("unsendable", unsendable, 0);
	serve("too_large", too_large, 0);
	serve("too_deep", too_deep, 0);
	serve("keep", keep, 0);
	serve("gate", wait_at_gate, 0);
	ok(enrol(server, "test-service", "test-1"));
	caller = connect_as(&(aegis_options){ .timeout_ms = 60000 });
	return 0;
}

static inline int
tear_down_all(void **state)
{
	(void)state;
	aegis_close(caller);
	aegis_close(server);
	bus_end(&bus);
	return 0;
}

/* result_of: the answer as JSON; the caller's (free). */
static inline char *
result_of(aegis *a, const char *method, const char *params, const aegis_call_options *o)
{
	aegis_result *r = NULL;

	ok(aegis_call_json(a, "test-service", method, params, o, &r, &e));
	char *json = strdup(aegis_result_json(r));
	aegis_result_free(r);
	return json;
}

static inline void
answers(aegis *a, const char *method, const char *params, const char *want)
{
	char *json = result_of(a, method, params, NULL);

	assert_string_equal(json, want);
	free(json);
}

#endif
