/* aegis.c - a handle: the core loop on a thread of its own, and what hangs on it.
 *
 * The functions of aegis.h run on the user's threads; what belongs to the loop is reached
 * by loop_call, never by a lock around domain state. */
#include "client/aegis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "client/client.h"
#include "client/turns.h"
#include "discovery/discovery.h"
#include "member/member.h"
#include "messaging/caller.h"
#include "messaging/sender.h"
#include "messaging/guard.h"
#include "messaging/traffic.h"
#include "model/names.h"
#include "nats/conn.h"
#include "nats/publisher.h"
#include "nats/tls.h"
#include "sys/thread.h"

#define DEFAULT_TIMEOUT_NS (5 * NS_PER_S)
#define DEFAULT_WORKERS 8
#define DEFAULT_QUEUE 1024
#define MAILBOX 4096
#define STORE_THREADS 2			/* one operation of the member, and one of a worker */
#define STORE_QUEUE 64			/* workers that look for their queue */
#define LINGER_NS (100 * NS_PER_MS)	/* between the end of the lead and that of the subjects */
#define CLOSE_NS (10 * NS_PER_S)
#define CALL_NS (5 * NS_PER_S)
#define RELEASE_NS (3 * NS_PER_S)	/* how long the end of a lease is waited for, once the calls are answered */

_Static_assert(sizeof(aegis_error) == sizeof(struct err), "one is handed on as the other");
_Static_assert((int)AEGIS_CLOSED == (int)ERR_CLOSED, "both are made from errcodes.def");

const char *
aegis_code_name(int code)
{
	return err_name((enum err_code)code);
}

/* --- connecting -------------------------------------------------------------------------- */

static struct conn *
connect_nats(aegis *a, const aegis_options *o, struct err *err)
{
	const char *env = getenv("NATS_URL");
	const char *fallback = env != NULL && env[0] != '\0' ? env : "nats://localhost:4222";

	a->access = (struct conn_opts){
		.servers = o->servers != NULL ? o->servers : fallback,
		.name = o->name != NULL ? o->name : "aegis client",
		.user = o->user, .password = o->password, .token = o->token,
		.creds_file = o->creds_file, .nkey_file = o->nkey_file,
		.tls_ca = o->tls_ca, .tls_cert = o->tls_cert, .tls_key = o->tls_key,
		.js_domain = o->js_domain, .js_api_prefix = o->js_api_prefix, .inbox_prefix = o->inbox_prefix,
		.timeout_ns = a->timeout_ns, .wait = o->wait, .flusher_wait_us = o->flusher_wait_us,
	};
	conn_opts_keep(&a->access);
	return conn_new(&a->access, err);
}

static enum err_code
set_log(const char *level, struct err *err)
{
	struct log_opts o = { .format = LOG_AUTO };

	if (level == NULL)
		return ERR_OK;
	if (!log_level_parse(level, &o.level))
		return err_set(err, ERR_INVALID, "log level '%s' is none of debug, info, warning, error, critical", level);
	log_init(&o);
	return ERR_OK;
}

/* open_handle: everything in the order in which close takes it apart again. */
static enum err_code
open_handle(aegis *a, const aegis_options *o, struct err *err)
{
	enum err_code code;

	if ((code = set_log(o->log_level, err)) != ERR_OK)
		return code;
	if ((unsigned)o->validation > AEGIS_VALIDATE_ENFORCE)
		return err_set(err, ERR_INVALID, "validation %d is none of the three AEGIS_VALIDATE_ modes", (int)o->validation);
	if ((a->loop = loop_new(clock_system(), MAILBOX, err)) == NULL)
		return ERR_SYSTEM;
	if ((a->conn = connect_nats(a, o, err)) == NULL)
		return err != NULL ? err->code : ERR_UNAVAILABLE;
	a->traffic = traffic_new();
	a->discovery = discovery_new(&(struct discovery_opts){
		.loop = a->loop, .conn = a->conn, .stale_ns = o->stale_after_ms * NS_PER_MS,
	});
	a->caller = caller_new(&(struct caller_opts){
		.conn = a->conn, .discovery = a->discovery, .loop = a->loop, .source = o->source,
		.format = a->format, .traffic = a->traffic,
	}, err);
	if (a->caller == NULL)
		return ERR_UNAVAILABLE;
	a->publisher = publisher_new(&(struct publisher_opts){ .conn = a->conn, .loop = a->loop }, err);
	if (a->publisher == NULL)
		return ERR_UNAVAILABLE;
	if ((a->pool = pool_new(a->loop, STORE_THREADS, STORE_QUEUE, err)) == NULL)
		return ERR_SYSTEM;
	a->sender = sender_new(&(struct sender_opts){
		.conn = a->conn, .loop = a->loop, .pool = a->pool, .publisher = a->publisher, .source = o->source,
		.format = a->format, .traffic = a->traffic,
	});
	a->handlers = pool_new(a->loop, o->workers > 0 ? o->workers : DEFAULT_WORKERS,
	    o->max_queue > 0 ? o->max_queue : DEFAULT_QUEUE, err);
	if (a->handlers == NULL)
		return ERR_SYSTEM;
	return loop_thread_start(&a->thread, a->loop, err);
}

aegis *
aegis_connect(const aegis_options *o, aegis_error *e)
{
	static const aegis_options none;
	struct err err = { ERR_OK, "" };

	tls_init();
	if (o == NULL)
		o = &none;
	aegis *a = mem_new(sizeof *a);
	a->magic = AEGIS_MAGIC;
	a->timeout_ns = o->timeout_ms > 0 ? o->timeout_ms * NS_PER_MS : DEFAULT_TIMEOUT_NS;
	atomic_store(&a->call_timeout_ns, a->timeout_ns);
	a->validation = o->validation;
	a->format = o->json ? DATA_JSON : DATA_MSGPACK;
	pthread_mutex_init(&a->lock, NULL);
	thread_cond_init(&a->changed);
	if (open_handle(a, o, &err) == ERR_OK)
		return a;
	if (e != NULL)
		*client_err(e) = err;
	aegis_close(a);
	return NULL;
}

bool
aegis_connected(const aegis *a)
{
	return conn_state(a->conn) == CONN_UP;
}

/* --- waiting for the loop to tell -------------------------------------------------------- */

void
client_tell(aegis *a, bool *what)
{
	pthread_mutex_lock(&a->lock);
	*what = true;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

bool
client_await(aegis *a, const bool *one, const bool *other, int64_t timeout_ns)
{
	struct mono until = mono_after(clock_mono(clock_system()), timeout_ns);

	pthread_mutex_lock(&a->lock);
	while (!*one && !*other && thread_cond_wait(&a->changed, &a->lock, until))
		continue;
	bool told = *other;
	pthread_mutex_unlock(&a->lock);
	return told;
}

static void
on_registered(void *arg)
{
	aegis *a = arg;

	client_elect_registered(a);
	client_events_start(a);		/* not before: a twin's broadcast durable is none of ours */
	client_tell(a, &a->registered);
}

static void
on_twin(void *arg, const char *sentence)
{
	aegis *a = arg;

	client_events_leave(a, false);
	client_elect_leave(a);
	pthread_mutex_lock(&a->lock);
	snprintf(a->twin_text, sizeof a->twin_text, "%s", sentence);
	pthread_mutex_unlock(&a->lock);
	client_tell(a, &a->twin);
}

static void
on_left(void *arg)
{
	aegis *a = arg;

	client_tell(a, &a->left);
}

/* member_of: the loop makes and frees it, other threads only ask for it. */
static struct member *
member_of(aegis *a)
{
	pthread_mutex_lock(&a->lock);
	struct member *m = a->member;
	pthread_mutex_unlock(&a->lock);
	return m;
}

static void
set_member(aegis *a, struct member *m)
{
	pthread_mutex_lock(&a->lock);
	a->member = m;
	pthread_mutex_unlock(&a->lock);
}

/* --- serving ----------------------------------------------------------------------------- */

int
aegis_serve(aegis *a, const char *method, aegis_handler *fn, void *arg, unsigned flags, aegis_error *e)
{
	MAGIC_CHECK(a, AEGIS_MAGIC);
	enum err_code code = name_check(NAME_METHOD, method, client_err(e));

	if (code != ERR_OK)
		return code;
	if (member_of(a) != NULL)
		return err_set(client_err(e), ERR_INVALID, "serve '%s': the handle is registered already; serve first", method);
	for (size_t i = 0; i < a->nserved; i++)
		if (strcmp(a->served[i].method, method) == 0)
			return err_set(client_err(e), ERR_EXISTS, "method '%s' is served already", method);
	a->served = mem_resize(a->served, a->nserved + 1, sizeof *a->served);
	a->served[a->nserved++] = (struct served){ .method = mem_text(method), .fn = fn, .arg = arg,
	    .inline_ = (flags & AEGIS_INLINE) != 0 };
	return ERR_OK;
}

int
aegis_serve_with(aegis *a, const char *method, aegis_handler *fn, void *arg, const aegis_serve_options *o,
    aegis_error *e)
{
	int code = aegis_serve(a, method, fn, arg, 0, e);

	if (code == AEGIS_OK && o != NULL)
		a->served[a->nserved - 1].exclusive = o->exclusive;
	if (code == AEGIS_OK && o != NULL && o->concurrency > 0)
		a->served[a->nserved - 1].turns = turns_new(o->concurrency, o->max_queue > 0 ? o->max_queue : DEFAULT_QUEUE);
	return code;
}

struct start {
	aegis *a;
	const aegis_identity *who;
	const char *const *methods;
	enum err_code code;
	struct err err;
};

/* open_guard: on the loop.  A handle that registers again, after a twin, may do so as another service. */
static enum err_code
open_guard(aegis *a, const char *service, struct err *err)
{
	static const enum guard_mode modes[] = {
		[AEGIS_VALIDATE_OFF] = GUARD_OFF, [AEGIS_VALIDATE_WARN] = GUARD_WARN, [AEGIS_VALIDATE_ENFORCE] = GUARD_ENFORCE,
	};

	if (a->validation == AEGIS_VALIDATE_OFF)
		return ERR_OK;
	struct guard *g = guard_new(&(struct guard_opts){
		.conn = a->conn, .traffic = a->traffic, .service = service, .mode = modes[a->validation],
	}, err);
	if (g == NULL)
		return ERR_SYSTEM;
	a->guards = mem_resize(a->guards, a->nguards + 1, sizeof *a->guards);
	a->guards[a->nguards++] = g;
	atomic_store(&a->guard, g);
	return ERR_OK;
}

/* start_member: on the loop. */
static void
start_member(void *arg)
{
	struct start *s = arg;
	aegis *a = s->a;

	if ((s->code = open_guard(a, s->who->service, &s->err)) != ERR_OK ||
	    (s->code = client_elect_start(a, s->who->service, &s->err)) != ERR_OK)
		return;
	struct member *m = member_new(&(struct member_opts){
		.loop = a->loop, .pool = a->pool, .conn = a->conn,
		.service = s->who->service, .instance = a->instance, .version = s->who->version,
		.description = s->who->description, .metadata = s->who->metadata, .methods = s->methods,
		.heartbeat_ns = s->who->heartbeat_ms * NS_PER_MS, .ttl_s = s->who->ttl_s,
		.traffic = a->traffic, .guard = a->guard, .group = client_elect_group(a), .exclusive = client_elect_exclusive(a),
		.handler = client_on_call, .arg = a, .registered = on_registered, .twin = on_twin,
	}, &s->err);
	client_elect_member(a, m);
	/* First what answers for it: whoever sees its record may ask. */
	s->code = m != NULL ? client_settings_start(a, s->who, &s->err) : s->err.code;
	if (s->code == ERR_OK)
		s->code = member_start(m, &s->err);
	if (s->code == ERR_OK)
		s->code = client_workers_start(a, s->who->service, &s->err);
	if (s->code == ERR_OK) {
		set_member(a, m);
		return;
	}
	client_settings_close(a);
	member_close(m);
	client_elect_stop(a);
	member_free(m);
}

/* drop_twin: on the loop: ends what was refused. */
static void
drop_twin(void *arg)
{
	aegis *a = arg;
	struct member *m = member_of(a);

	set_member(a, NULL);
	client_events_free(a);
	client_workers_free(a);
	client_settings_close(a);
	member_close(m);
	client_elect_stop(a);
	member_free(m);
}

/* forget_twin: after AEGIS_TWIN another id may be tried.  Calls that had arrived by then are
 * counted in the old member, so it can go only when they are answered. */
static enum err_code
forget_twin(aegis *a, struct err *err)
{
	unsigned open = member_drain(member_of(a), a->timeout_ns);

	if (open > 0)
		return err_set(err, ERR_BUSY, "'%s' was refused, but %u of its calls are not answered yet", a->instance, open);
	enum err_code code = loop_call(a->loop, drop_twin, a, CALL_NS, err);
	if (code != ERR_OK)
		return code;
	pthread_mutex_lock(&a->lock);
	a->registered = a->twin = false;
	pthread_mutex_unlock(&a->lock);
	return ERR_OK;
}

static enum err_code
check_identity(const aegis_identity *who, struct err *err)
{
	enum err_code code;

	if (who->service == NULL)
		return err_set(err, ERR_INVALID, "a service name is needed");
	if ((code = name_check(NAME_SERVICE, who->service, err)) != ERR_OK)
		return code;
	if (who->version != NULL && (code = name_check(NAME_VERSION, who->version, err)) != ERR_OK)
		return code;
	return who->instance != NULL ? name_check(NAME_INSTANCE, who->instance, err) : ERR_OK;
}

/* begin_enrolling: one thread at a time, and once, unless a twin was in the way.  When it is
 * this one's turn, end_enrolling must follow, whatever the code. */
static enum err_code
begin_enrolling(aegis *a, bool *is_mine, struct err *err)
{
	pthread_mutex_lock(&a->lock);
	bool busy = a->enrolling, twin = a->twin, has_member = a->member != NULL;
	bool mine = !busy && (!has_member || twin);
	a->enrolling = busy || mine;
	pthread_mutex_unlock(&a->lock);
	*is_mine = mine;
	if (busy)
		return err_set(err, ERR_EXISTS, "another thread is registering the handle");
	if (!mine)
		return err_set(err, ERR_EXISTS, "the handle is registered already as '%s'", a->instance);
	return has_member ? forget_twin(a, err) : ERR_OK;
}

static void
end_enrolling(aegis *a)
{
	pthread_mutex_lock(&a->lock);
	a->enrolling = false;
	pthread_mutex_unlock(&a->lock);
}

static enum err_code
enrol(aegis *a, const aegis_identity *who, struct err *err)
{
	char suffix[9];

	id_hex(suffix, sizeof suffix - 1);
	mem_free(a->service);
	mem_free(a->instance);		/* of an attempt that failed, or met its twin */
	a->service = mem_text(who->service);
	a->instance = who->instance != NULL ? mem_text(who->instance) : mem_printf("%s-%s", who->service, suffix);
	const char **methods = mem_array(a->nserved + 1, sizeof *methods);
	for (size_t i = 0; i < a->nserved; i++)
		methods[i] = a->served[i].method;
	struct start s = { .a = a, .who = who, .methods = methods };
	enum err_code code = loop_call(a->loop, start_member, &s, CALL_NS, err);
	mem_free(methods);
	if (code != ERR_OK)
		return code;
	if (s.code != ERR_OK) {
		if (err != NULL)
			*err = s.err;
		return s.code;
	}
	/* twin_text is written before it is told, and once per member. */
	if (client_await(a, &a->registered, &a->twin, a->timeout_ns))
		return err_set(err, ERR_TWIN, "%s", a->twin_text);
	caller_source(a->caller, a->instance);
	sender_source(a->sender, a->instance);
	return ERR_OK;
}

int
aegis_register(aegis *a, const aegis_identity *who, aegis_error *e)
{
	MAGIC_CHECK(a, AEGIS_MAGIC);
	enum err_code code = check_identity(who, client_err(e));
	if (code != ERR_OK)
		return code;
	bool mine = false;
	code = begin_enrolling(a, &mine, client_err(e));
	if (code == ERR_OK)
		code = enrol(a, who, client_err(e));
	if (mine)
		end_enrolling(a);
	return code;
}

struct health {
	aegis *a;
	bool healthy;
};

static void
set_health(void *arg)
{
	struct health *h = arg;

	struct member *m = member_of(h->a);

	client_elect_fit(h->a, h->healthy);
	if (m != NULL)
		member_status(m, h->healthy ? INSTANCE_ACTIVE : INSTANCE_UNHEALTHY);
}

void
aegis_set_healthy(aegis *a, bool yes)
{
	struct health h = { a, yes };

	MAGIC_CHECK(a, AEGIS_MAGIC);
	if (member_of(a) != NULL)
		loop_call(a->loop, set_health, &h, CALL_NS, NULL);
}

const char *
aegis_instance(const aegis *a)
{
	return a->instance != NULL ? a->instance : "";
}

/* --- closing ----------------------------------------------------------------------------- */

static void
leave(void *arg)
{
	aegis *a = arg;

	client_elect_leave(a);
	member_leave(a->member, on_left, a);
	client_workers_leave(a);
	client_events_leave(a, true);
}

/* yield: the lead goes before the subjects do.  Whoever still asks here is told who leads now; a subject that
 * ends loses what another server of a cluster is sending to it at that moment. */
static void
yield(aegis *a, int64_t timeout_ns)
{
	if (a->election == NULL)
		return;
	client_elect_left(a, timeout_ns);
	thread_pause(LINGER_NS);
}

/* depart: deregister, then answer what has arrived. */
static void
depart(aegis *a)
{
	if (a->member == NULL || !a->thread.runs)
		return;
	if (loop_call(a->loop, leave, a, CALL_NS, NULL) == ERR_OK)
		client_await(a, &a->left, &a->left, a->timeout_ns);
	struct mono end = mono_after(clock_mono(clock_system()), CLOSE_NS);
	yield(a, CLOSE_NS);
	int64_t left = mono_since(end, clock_mono(clock_system()));
	member_drain(a->member, left > 0 ? left : 0);
	left = mono_since(end, clock_mono(clock_system()));
	client_workers_drain(a, left > 0 ? left : 0);
	left = mono_since(end, clock_mono(clock_system()));
	client_events_drain(a, left > 0 ? left : 0);
	client_elect_left(a, RELEASE_NS);
	if (a->nsubscribed > 0)
		conn_flush(a->conn, NS_PER_S, NULL);	/* the last acknowledgements */
}

void
aegis_close(aegis *a)
{
	if (a == NULL)
		return;
	MAGIC_CHECK(a, AEGIS_MAGIC);
	depart(a);
	loop_thread_stop(&a->thread);
	/* From here on this thread is the loop's.  Handlers that wait for a call of their own
	 * are waited for, and nobody notices time-outs any more: so the calls end now. */
	caller_stop(a->caller);
	sender_stop(a->sender);
	publisher_stop(a->publisher);
	client_settings_close(a);
	member_close(a->member);	/* else a request could still find the workers gone */
	client_elect_close(a);
	client_events_free(a);		/* its deliveries go to the handlers' pool */
	client_refuse_waiting(a);
	pool_free(a->handlers);
	client_workers_free(a);
	pool_free(a->pool);
	client_settings_free(a);
	client_elect_stop(a);
	client_election_free(a);
	member_free(a->member);
	sender_free(a->sender);
	publisher_free(a->publisher);
	caller_free(a->caller);
	discovery_free(a->discovery);
	for (size_t i = 0; i < a->nguards; i++)
		guard_free(a->guards[i]);
	mem_free(a->guards);
	conn_free(a->conn);
	conn_opts_drop(&a->access);
	loop_free(a->loop);
	traffic_free(a->traffic);	/* what was on its way is counted by now */
	for (size_t i = 0; i < a->nserved; i++) {
		mem_free(a->served[i].method);
		turns_free(a->served[i].turns);
	}
	mem_free(a->served);
	client_worked_free(a);
	client_subscribed_free(a);
	mem_free(a->service);
	mem_free(a->instance);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	MAGIC_WIPE(a);
	mem_free(a);
}
