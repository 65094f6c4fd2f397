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
typedef struct aegis_job aegis_job;
typedef struct aegis_event aegis_event;
typedef struct aegis_election aegis_election;

typedef struct aegis_error {
	int code;
	char text[504];
} aegis_error;

/* --- a connection ----------------------------------------------------------------------- */

/* What becomes of messages that break the service's contract (`aegis registry put --contract`).  ENFORCE:
 * calls, commands and publications fail with AEGIS_CONTRACT, events go to the dead letters, and
 * nothing passes before the contract was looked for (AEGIS_BUSY).  WARN: they are logged and pass. */
enum aegis_validation { AEGIS_VALIDATE_OFF, AEGIS_VALIDATE_WARN, AEGIS_VALIDATE_ENFORCE };

typedef struct aegis_options {
	const char *servers;		/* "nats://host:4222,…"; NULL: NATS_URL, else localhost */
	const char *name;		/* of the connection, for the server's lists */
	const char *source;		/* who calls and sends, until aegis_register says it; NULL: nobody in
					   particular */
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
	enum aegis_validation validation;	/* from aegis_register on: of calls, events and commands */
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

typedef struct aegis_serve_options {
	unsigned concurrency;		/* requests of this method that are not answered yet; 0: as many as there
					   are workers.  With it a slow method leaves workers to the others */
	unsigned max_queue;		/* that may wait for their turn; 0: 1024, then refused */
	bool exclusive;			/* only the member that leads executes it: see aegis_elect_join */
} aegis_serve_options;

/* aegis_serve_with(a, method, fn, arg, o, e): as aegis_serve, on worker threads; o may be NULL. */
int aegis_serve_with(aegis *a, const char *method, aegis_handler *fn, void *arg, const aegis_serve_options *o,
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

/* Of the central settings of its service (`aegis config set`) a C program follows heartbeat_interval, registry_ttl and
 * rpc_timeout (of calls that do not say), at once, where they were not given here or to aegis_connect: what the
 * program says is stronger.  It answers who asks what is in force (`GET /api/instances/…/settings`).
 *
 * aegis_register(a, who, e): subscribes to the methods served, then writes the instance
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
const char *aegis_request_traceparent(const aegis_request *r);	/* W3C; NULL when not told */
int64_t aegis_request_left_ms(const aegis_request *r);	/* until nobody waits any more; at least 1 */
uint64_t aegis_request_epoch(const aegis_request *r);	/* of an exclusive method: of the lead it runs under; else 0 */
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

/* --- one active instance ---------------------------------------------------------------- */

/* Of the members of a group one leads at a time, by a lease in NATS.  It alone executes exclusive methods
 * (aegis_serve_options): calls of them that reach another member are passed on to it, wait while nobody
 * leads, and fail with AEGIS_NOT_ACTIVE at the end of their time.  Call them with AEGIS_STICKY: other
 * strategies get the answer as Python clients read it, wrapped in {"success":…,"result":…}.  When it dies, another one leads within a
 * third of a second; when it leaves, at once.
 *
 * Nothing interrupts a handler that runs when the lead is lost: its result is not sent (the caller gets
 * AEGIS_OUTCOME_UNKNOWN), but what it does in the meantime only the resource can refuse.  So hand the
 * epoch on, a number that grows from lead to lead, and let the resource keep the highest one it has seen and
 * refuse lower ones; or at least look at aegis_elect_epoch right before an effect. */
enum aegis_role { AEGIS_STANDBY, AEGIS_ACTIVE };

typedef struct aegis_elect_options {
	const char *group;		/* within the service; NULL: "default" */
	const char *profile;		/* "fast", "default", "relaxed", "wan"; NULL: the group's, else default */
	unsigned fence_lanes;		/* 0: events are held back by the lease alone.  1 to 16: the stream of events itself refuses those
					   of an older leader, whatever clock or pause it had: aegis_publish stores an event only while this
					   member leads, else AEGIS_NOT_ACTIVE; so many may be under way at once, and one lane keeps
					   their order.  All members alike.  aegis_publish_start is refused then (AEGIS_INVALID) */
	int64_t drain_ms;		/* how long calls in flight and `role` may take when the lead is given up: then it
					   is not renewed any more; 0: 10000 */

	/* Hears each change of role, one at a time and in order, on a thread of the library; it may block.  With
	 * AEGIS_ACTIVE: exclusive calls wait until it returns.  With AEGIS_STANDBY, and the epoch that is over: end
	 * what was begun under it; a lead that is given up in order goes to another member only after it has
	 * returned.  It must not call aegis_elect_leave or aegis_close.  NULL: nobody hears. */
	void (*role)(void *arg, enum aegis_role role, uint64_t epoch);

	/* This member can never take part as things stand (its profile or its registers do not match the group's). On the
	 * same thread.  NULL: only the log tells. */
	void (*failed)(void *arg, const aegis_error *why);
	void *arg;
} aegis_elect_options;

/* aegis_elect_join(a, o, e): the handle takes part in the election of its service's group from aegis_register on.
 * Before that, once; o may be NULL.  The election is the handle's and lives as long; NULL with e filled
 * on failure.  An instance that is not healthy (aegis_set_healthy) gives the lead up. */
aegis_election *aegis_elect_join(aegis *a, const aegis_elect_options *o, aegis_error *e);

/* Any thread, also in handlers; they do not wait, and are right at the moment: a lease that ran out is over,
 * whatever was or was not told.  epoch: of the lead; 0 when there is none.  remaining: how long it lasts
 * if it is not renewed, which it is all the time; 0 when there is none. */
enum aegis_role aegis_elect_role(const aegis_election *l);
uint64_t aegis_elect_epoch(const aegis_election *l);
int64_t aegis_elect_remaining_ms(const aegis_election *l);

/* aegis_elect_step_down(l, to, e): gives the lead to the live member with instance id `to`, or to whoever comes
 * first (NULL), after calls in flight; does not wait for it.  AEGIS_NOT_ACTIVE: it does not lead.
 * AEGIS_NOT_FOUND: no live member has that id; nothing happened. */
int aegis_elect_step_down(aegis_election *l, const char *to, aegis_error *e);

/* aegis_elect_leave(l, e): for good: the handle goes on as a member that never leads.  Blocks until the lead, if it
 * had it, is given back; AEGIS_TIMEOUT after drain_ms and the default time-out: then the lease runs out by itself.
 * aegis_close leaves, too. */
int aegis_elect_leave(aegis_election *l, aegis_error *e);

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

/* What was certainly not executed is tried again.  DEFAULT: refused (busy, not the active instance):
 * until the time is over, with pauses from 100 ms doubling to 5 s; nobody listens: once, after
 * 50 ms.  PATIENT: also until somebody listens, the service exists, and NATS is back. */
enum aegis_retry { AEGIS_RETRY_DEFAULT, AEGIS_RETRY_NONE, AEGIS_RETRY_PATIENT };

/* STICKY: to the member that leads (--single-active), for methods that only that one executes.  What
 * was certainly not executed is tried again until the time is over, retry and instance do not count;
 * what perhaps was, only with idempotent.  AEGIS_ELECTING: nobody is known to lead.  For aegis_call
 * and aegis_call_json. */
enum aegis_strategy { AEGIS_ROUND_ROBIN, AEGIS_RANDOM, AEGIS_PREFER, AEGIS_LEAST_INFLIGHT, AEGIS_STICKY };

typedef struct aegis_call_options {
	int64_t timeout_ms;		/* 0: the handle's */
	enum aegis_strategy strategy;
	const char *instance;		/* this one and no other; with AEGIS_PREFER: this one if it can */
	const char *trace_id;		/* pass on the request's, to be found in one trace */
	const char *traceparent;	/* likewise; NULL: made of trace_id where that is a UUID */

	/* What aegis_call tries again, all within timeout_ms.  aegis_call_start makes one attempt. */
	enum aegis_retry retry;
	unsigned max_retries;		/* further attempts of any kind; 0: as many as retry allows */
	bool idempotent;		/* executed twice is as good as once: repeat also what perhaps was, under
					   the same message id */
	int64_t attempt_timeout_ms;	/* with idempotent: how long to wait for one attempt; 0: to the end */
	const char *group;		/* with AEGIS_STICKY: whose leader; NULL: the only group of the service */
} aegis_call_options;

/* aegis_call(a, service, method, params, o, result, e): blocks for the answer.  params (a
 * map; NULL: empty) is taken over in every case.  On success *result is the caller's
 * (aegis_result_free).  AEGIS_SERVICE_UNKNOWN, AEGIS_NO_MEMBER, AEGIS_BUSY and AEGIS_NOT_ACTIVE:
 * certainly not executed.  AEGIS_TIMEOUT, AEGIS_UNAVAILABLE, AEGIS_OUTCOME_UNKNOWN: perhaps.
 * AEGIS_HANDLER: it was, and failed. */
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
double aegis_result_latency_ms(const aegis_result *r);		/* of the attempt that succeeded */
unsigned aegis_result_attempts(const aegis_result *r);		/* 1: at once; 0 for a command's */
void aegis_result_free(aegis_result *r);

/* --- commands: sending ------------------------------------------------------------------ */

enum aegis_priority { AEGIS_NORMAL, AEGIS_LOW, AEGIS_HIGH, AEGIS_CRITICAL };

typedef struct aegis_send_options {
	const char *id;			/* of the command, one word; NULL: a fresh one.  Sending the same id again
					   within two minutes stores it once */
	const char *trace_id;
	const char *traceparent;	/* as of a call */
	enum aegis_priority priority;
	int max_retries;		/* 0: 3; negative: none */
	int64_t timeout_ms;		/* of one execution; 0: 300000 */
	bool forget;			/* return as soon as the command is stored */
	int64_t wait_ms;		/* else: how long to wait for its end; 0: timeout_ms */

	/* Hears how it goes, on the thread that sends; status lives during the call. */
	void (*progress)(void *arg, double percent, const char *status);
	void *arg;
} aegis_send_options;

/* aegis_send(a, service, command, payload, o, result, e): stores a command, which some worker of the
 * service will run at least once, and waits for its end.  payload (a map; NULL: empty) is taken
 * over in every case; result may be NULL.  AEGIS_HANDLER: it failed for good, with the worker's
 * words.  AEGIS_CANCELLED.  AEGIS_TIMEOUT: it is stored, and may still be run.  AEGIS_OUTCOME_UNKNOWN: it
 * ended while the connection was lost.  AEGIS_BUSY: the queue
 * is nearly full, nothing was stored.  Not from an inline handler. */
int aegis_send(aegis *a, const char *service, const char *command, aegis_out *payload,
    const aegis_send_options *o, aegis_result **result, aegis_error *e);
int aegis_send_json(aegis *a, const char *service, const char *command, const char *payload,
    const aegis_send_options *o, aegis_result **result, aegis_error *e);

/* aegis_send_start: does not wait.  When it returns AEGIS_OK, done is called exactly once, on a library
 * thread or the one that closes the handle, with what aegis_send would have said; it must not
 * block, and neither must o's progress.  id is the command's in every case; result is valid until
 * done returns and NULL on failure.  AEGIS_BUSY: 16,384 commands are under way. */
int aegis_send_start(aegis *a, const char *service, const char *command, aegis_out *payload,
    const aegis_send_options *o,
    void (*done)(void *arg, const char *id, const aegis_result *result, const aegis_error *e), void *arg,
    aegis_error *e);

const char *aegis_result_id(const aegis_result *r);	/* the command's; "" for a call's result */

/* aegis_cancel(a, id, reason, e): asks whoever has the command, or will get it, to give it up.  Best
 * effort, nobody answers; the sender hears AEGIS_CANCELLED.  reason may be NULL. */
int aegis_cancel(aegis *a, const char *id, const char *reason, aegis_error *e);

/* --- commands: working ------------------------------------------------------------------- */

/* A handler runs on one of the handle's worker threads and answers j exactly once, by
 * aegis_job_done, aegis_job_done_json or aegis_job_fail, now or later, from any thread.  Answering
 * frees j.  A failed job is tried again with growing pauses, as often as its sender allows, and
 * so is one whose process died: look at aegis_job_deliveries where that matters. */
typedef void aegis_job_handler(void *arg, aegis_job *j);

typedef struct aegis_work_options {
	unsigned concurrency;		/* jobs of this command at once; 0: 8 */
	unsigned window;		/* fetched and not finished, sorted by priority; 0: twice that, at least 16 */
	int64_t backoff_ms;		/* after the first failure, doubling; 0: 1000 */
	int64_t ack_wait_ms;		/* until the jobs of a dead process go to others; 0: 30000 */
} aegis_work_options;

/* aegis_work(a, command, fn, arg, o, e): before aegis_register.  o may be NULL.  All instances of the
 * service share the queue.  Jobs begin to come once the handle is registered. */
int aegis_work(aegis *a, const char *command, aegis_job_handler *fn, void *arg, const aegis_work_options *o,
    aegis_error *e);

/* What a handler sees of its job, until it answers. */
const char *aegis_job_command(const aegis_job *j);
const char *aegis_job_id(const aegis_job *j);
const char *aegis_job_trace_id(const aegis_job *j);
const char *aegis_job_source(const aegis_job *j);		/* NULL when not told */
uint64_t aegis_job_deliveries(const aegis_job *j);		/* 1 at the first attempt */
bool aegis_job_cancelled(const aegis_job *j);	/* nobody waits any more: cancelled, or too late */
const char *aegis_job_json(const aegis_job *j);			/* the payload */
const char *aegis_job_text(const aegis_job *j, const char *key);
bool aegis_job_int(const aegis_job *j, const char *key, int64_t *out);
bool aegis_job_real(const aegis_job *j, const char *key, double *out);
bool aegis_job_bool(const aegis_job *j, const char *key, bool *out);

void aegis_job_progress(aegis_job *j, double percent, const char *status);	/* status may be NULL */
int aegis_job_done(aegis_job *j, aegis_out *result);		/* takes result over; NULL: null */
void aegis_job_done_json(aegis_job *j, const char *json);
void aegis_job_fail(aegis_job *j, const char *text);

/* --- events: publishing ----------------------------------------------------------------- */

typedef struct aegis_publish_options {
	const char *id;			/* of the message, one word; NULL: a fresh one.  Publishing the same id again within
					   two minutes stores it once */
	const char *trace_id;
	const char *traceparent;	/* as of a call */
	const char *version;		/* "1.0" when NULL */
	int64_t timeout_ms;		/* 0: the handle's */
} aegis_publish_options;

/* aegis_publish(a, domain, type, payload, o, e): publishes events.{domain}.{type} and returns when it is
 * stored.  payload (a map; NULL: empty) is taken over in every case; o may be NULL.  While NATS is
 * away it waits for it until the time-out.  AEGIS_INVALID: no subscriber could read it, nothing
 * was sent.  AEGIS_TIMEOUT, AEGIS_BUSY: certainly not stored.  AEGIS_OUTCOME_UNKNOWN: perhaps; publish
 * again under the same id.  Not from an inline handler. */
int aegis_publish(aegis *a, const char *domain, const char *type, aegis_out *payload,
    const aegis_publish_options *o, aegis_error *e);
int aegis_publish_json(aegis *a, const char *domain, const char *type, const char *payload,
    const aegis_publish_options *o, aegis_error *e);

/* aegis_publish_start: does not wait.  When it returns AEGIS_OK, done is called exactly once, on a
 * library thread, with e NULL when the event is stored; it must not block.  done may be NULL. */
int aegis_publish_start(aegis *a, const char *domain, const char *type, aegis_out *payload,
    const aegis_publish_options *o, void (*done)(void *arg, const aegis_error *e), void *arg, aegis_error *e);

/* --- events: subscribing ---------------------------------------------------------------- */

/* A handler runs on one of the handle's worker threads and finishes v exactly once, by
 * aegis_event_done or aegis_event_fail, now or later, from any thread.  That frees v.  What failed is
 * delivered again with growing pauses, and goes to the dead letters in the end.  Every event
 * arrives at least once: look at aegis_event_deliveries, or at its id, where that matters. */
typedef void aegis_event_handler(void *arg, aegis_event *v);

enum aegis_event_mode {
	AEGIS_COMPETE,			/* one instance of the service gets each event */
	AEGIS_BROADCAST,		/* every instance gets each */
	AEGIS_MIXED			/* share the events with Python members of the service */
};

typedef struct aegis_subscribe_options {
	enum aegis_event_mode mode;
	bool from_now, from_start;	/* where a new subscription begins; neither: broadcast now, else the start */
	unsigned max_attempts;		/* 0: 5 */
	int64_t retry_ms;		/* pause after the first failure, doubling; 0: 1000 */
	int64_t ack_wait_ms;		/* until the events of a dead process go to others; 0: 30000 */
	int64_t run_ms;			/* how long a handler may take; then it is delivered again; 0: 300000 */
	unsigned concurrency;		/* events of this pattern at once; 0: 64 */
} aegis_subscribe_options;

/* aegis_subscribe(a, pattern, fn, arg, o, e): before aegis_register.  pattern: "events.order.created",
 * "events.order.*", "events.>".  o may be NULL.  Events begin to come once the handle is
 * registered. */
int aegis_subscribe(aegis *a, const char *pattern, aegis_event_handler *fn, void *arg,
    const aegis_subscribe_options *o, aegis_error *e);

/* What a handler sees of its event, until it finishes it. */
const char *aegis_event_subject(const aegis_event *v);
const char *aegis_event_domain(const aegis_event *v);
const char *aegis_event_type(const aegis_event *v);
const char *aegis_event_id(const aegis_event *v);
const char *aegis_event_trace_id(const aegis_event *v);
const char *aegis_event_source(const aegis_event *v);		/* NULL when not told */
uint64_t aegis_event_deliveries(const aegis_event *v);		/* 1 at the first attempt */
const char *aegis_event_json(const aegis_event *v);		/* the payload */
const char *aegis_event_text(const aegis_event *v, const char *key);
bool aegis_event_int(const aegis_event *v, const char *key, int64_t *out);
bool aegis_event_real(const aegis_event *v, const char *key, double *out);
bool aegis_event_bool(const aegis_event *v, const char *key, bool *out);

void aegis_event_done(aegis_event *v);
void aegis_event_fail(aegis_event *v, const char *text);

const char *aegis_code_name(int code);		/* "NO_MEMBER" */

#ifdef __cplusplus
}
#endif
#endif
