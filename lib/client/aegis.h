/* aegis.h - take part in an aegis system from C: register, serve, discover, call.
 *
 *	#include <aegis.h>
 *
 *	static void
 *	greet(void *arg, aegis_request *r)
 *	{
 *		const char *name = aegis_param_text(r, "name");
 *		aegis_out *out = aegis_out_new();
 *
 *		aegis_out_text(out, "greeting", name ? name : "world");
 *		aegis_reply(r, out);
 *	}
 *
 * Link with -laegis -lm -lpthread.  Names here begin with aegis_ or AEGIS_ and stay as they
 * are; everything else in the library is hidden.
 *
 * Threads: an aegis handle may be used by any thread.  Handlers run on the handle's worker
 * threads (or, with AEGIS_INLINE, on the thread that delivers the request: then they must
 * not block and must not call aegis_call).  Strings passed in are only read during the call;
 * strings passed out live as long as the object they came from.
 *
 * Failure: functions that can fail return an AEGIS_ code, AEGIS_OK being 0, and write a
 * sentence for people into their last argument, which may be NULL.  Decide by the code. */
#ifndef AEGIS_H
#define AEGIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aegis_codes.h"	/* AEGIS_OK, AEGIS_TIMEOUT, AEGIS_NO_MEMBER, … */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aegis aegis;
typedef struct aegis_request aegis_request;
typedef struct aegis_result aegis_result;
typedef struct aegis_out aegis_out;

typedef struct aegis_error {
	int code;
	char text[504];
} aegis_error;

/* --- a connection ----------------------------------------------------------------------- */

typedef struct aegis_options {
	const char *servers;		/* "nats://host:4222,…"; NULL: NATS_URL, else localhost */
	const char *name;		/* of the connection, for the server's lists */
	const char *user, *password, *token;
	const char *creds_file, *nkey_file;
	const char *tls_ca, *tls_cert, *tls_key;	/* files; a CA given here is the only one trusted */
	const char *js_domain, *js_api_prefix, *inbox_prefix;
	bool wait;			/* connect in the background instead of failing */
	bool json;			/* encode requests as JSON instead of MessagePack */
	int64_t timeout_ms;		/* default time-out; 0: 5000 */
	int64_t stale_after_ms;		/* age at which instances are passed over; 0: 35000 */
	unsigned workers;		/* threads that run handlers; 0: 8 */
	unsigned max_queue;		/* calls that may wait for one; 0: 1024, then refused */
	const char *log_level;		/* "info", …: to stderr; NULL: warnings and worse */
	int64_t flusher_wait_us;	/* > 0: batch writes for that long: more throughput with many
					   calls in flight; 100 suits */
} aegis_options;

/* aegis_connect(o, e): NULL with e filled on failure.  The handle owns a thread that
 * follows the registry and the connection's life.  o may be NULL. */
aegis *aegis_connect(const aegis_options *o, aegis_error *e);

/* aegis_close(a): deregisters, answers what has arrived (at most 10 s), disconnects, frees.
 * Calls that other threads are in end with AEGIS_CLOSED, and it returns when those threads have
 * left them; new ones must not begin.
 * It returns when no handler runs any more; requests that nobody answered by then must not
 * be touched.  Not from a handler.  NULL is fine. */
void aegis_close(aegis *a);

bool aegis_connected(const aegis *a);

/* --- serving ---------------------------------------------------------------------------- */

/* A handler answers r exactly once, by aegis_reply, aegis_reply_json or aegis_fail, now or
 * later, from any thread.  Answering frees r. */
typedef void aegis_handler(void *arg, aegis_request *r);

#define AEGIS_INLINE 1u			/* see Threads above */

/* aegis_serve(a, method, fn, arg, flags, e): before aegis_register. */
int aegis_serve(aegis *a, const char *method, aegis_handler *fn, void *arg, unsigned flags,
    aegis_error *e);

typedef struct aegis_identity {
	const char *service;
	const char *instance;		/* NULL: {service}-{8 hex digits} */
	const char *version;		/* "1.2.3"; NULL: 1.0.0 */
	const char *description;
	const char *metadata;		/* JSON map, or NULL */
	int64_t heartbeat_ms;		/* 0: 10000 */
	int64_t ttl_s;			/* 0: 30 */
} aegis_identity;

/* aegis_register(a, who, e): subscribes to the methods served, then writes the instance
 * record and keeps it alive.  Returns when the record stands, or with AEGIS_TWIN when a
 * live process has the same instance id; while NATS is away it is retried for ever in the
 * background and AEGIS_OK is returned after the default time-out.  After AEGIS_TWIN it may be
 * called again, with another id; AEGIS_BUSY then: calls that had arrived before the twin was
 * noticed are not answered yet, not even within the default time-out.  Not from a handler. */
int aegis_register(aegis *a, const aegis_identity *who, aegis_error *e);

/* aegis_set_healthy(a, yes): what the record says from now on. */
void aegis_set_healthy(aegis *a, bool yes);

const char *aegis_instance(const aegis *a);	/* "" before aegis_register; valid until the next */

/* What a handler sees of its request, until it answers; with AEGIS_INLINE the parameters
 * only until the handler returns.  Absent or of another type: NULL, or false. */
const char *aegis_request_method(const aegis_request *r);
const char *aegis_request_trace_id(const aegis_request *r);
const char *aegis_request_source(const aegis_request *r);	/* NULL when not told */
const char *aegis_params_json(const aegis_request *r);		/* all parameters as JSON */
bool aegis_param_given(const aegis_request *r, const char *key);	/* it is there, and not null */
const char *aegis_param_text(const aegis_request *r, const char *key);
bool aegis_param_int(const aegis_request *r, const char *key, int64_t *out);
bool aegis_param_real(const aegis_request *r, const char *key, double *out);
bool aegis_param_bool(const aegis_request *r, const char *key, bool *out);
size_t aegis_param_count(const aegis_request *r, const char *key);	/* items of a list */
const char *aegis_param_text_at(const aegis_request *r, const char *key, size_t i);

/* aegis_reply(r, out) takes out over; NULL: null.  It and aegis_reply_json answer the request in
 * every case: what cannot be sent as a result is answered as an error, and its code returned. */
int aegis_reply(aegis_request *r, aegis_out *out);
int aegis_reply_json(aegis_request *r, const char *json);
void aegis_fail(aegis_request *r, const char *text);		/* the caller gets AEGIS_HANDLER */

/* --- building values -------------------------------------------------------------------- */

/* A map under construction: parameters of a call, or a result.  Lists and maps may lie in each
 * other 16 deep, the outermost map included; what lies deeper is dropped, and aegis_call,
 * aegis_call_start and aegis_reply say AEGIS_INVALID: the call is not made, the request is
 * answered with that error. */
aegis_out *aegis_out_new(void);
void aegis_out_free(aegis_out *o);		/* unless something took it over */
void aegis_out_text(aegis_out *o, const char *key, const char *value);	/* NULL: null */
void aegis_out_int(aegis_out *o, const char *key, int64_t value);
void aegis_out_real(aegis_out *o, const char *key, double value);
void aegis_out_bool(aegis_out *o, const char *key, bool value);
int aegis_out_json(aegis_out *o, const char *key, const char *json, aegis_error *e);
void aegis_out_list(aegis_out *o, const char *key);	/* what follows are its items, … */
void aegis_out_map(aegis_out *o, const char *key);	/* … or its members (key NULL inside a list), */
void aegis_out_end(aegis_out *o);			/* … up to here */

/* --- calling ---------------------------------------------------------------------------- */

enum aegis_strategy { AEGIS_ROUND_ROBIN, AEGIS_RANDOM, AEGIS_PREFER, AEGIS_LEAST_INFLIGHT };

typedef struct aegis_call_options {
	int64_t timeout_ms;		/* 0: the handle's */
	enum aegis_strategy strategy;
	const char *instance;		/* this one and no other; with AEGIS_PREFER: this one if it can */
	const char *trace_id;		/* pass on the request's, to be found in one trace */
} aegis_call_options;

/* aegis_call(a, service, method, params, o, result, e): blocks for the answer.  params (a
 * map; NULL: empty) is taken over in every case.  On success *result is the caller's
 * (aegis_result_free).  AEGIS_SERVICE_UNKNOWN, AEGIS_NO_MEMBER and AEGIS_BUSY: certainly not
 * executed.  AEGIS_TIMEOUT, AEGIS_UNAVAILABLE: perhaps.  AEGIS_HANDLER: it was, and failed. */
int aegis_call(aegis *a, const char *service, const char *method, aegis_out *params,
    const aegis_call_options *o, aegis_result **result, aegis_error *e);

/* aegis_call_json: as above with the parameters as JSON text. */
int aegis_call_json(aegis *a, const char *service, const char *method, const char *params,
    const aegis_call_options *o, aegis_result **result, aegis_error *e);

/* aegis_call_start(a, service, method, params, o, done, arg, e): does not wait.  When it returns
 * AEGIS_OK, done is called exactly once, on a library thread or the one that closes the handle: it
 * must not block, result is valid until it returns and NULL on failure. */
int aegis_call_start(aegis *a, const char *service, const char *method, aegis_out *params,
    const aegis_call_options *o,
    void (*done)(void *arg, const aegis_result *result, const aegis_error *e), void *arg, aegis_error *e);

const char *aegis_result_json(const aegis_result *r);
const char *aegis_result_text(const aegis_result *r, const char *key);
bool aegis_result_int(const aegis_result *r, const char *key, int64_t *out);
bool aegis_result_real(const aegis_result *r, const char *key, double *out);
bool aegis_result_bool(const aegis_result *r, const char *key, bool *out);
const char *aegis_result_instance(const aegis_result *r);	/* who answered; "" if not told */
double aegis_result_latency_ms(const aegis_result *r);
void aegis_result_free(aegis_result *r);

const char *aegis_code_name(int code);		/* "NO_MEMBER" */

#ifdef __cplusplus
}
#endif
#endif
