/* member.c - the shell around tenure.c: carries out its operations on the worker pool,
 * and does what belongs to an instance besides its record: RPC, $SRV, broadcasts. */
#include "member/member.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/hist.h"
#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/broadcast.h"
#include "codec/subject.h"
#include "member/member_op.h"
#include "member/member_record.h"
#include "member/tenure.h"
#include "messaging/methods.h"
#include "messaging/micro.h"
#include "messaging/server.h"
#include "nats/conn.h"
#include "registry/registry.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define MEMBER_MAGIC 0x3e3b0001u
#define DEFAULT_HEARTBEAT_NS (10 * NS_PER_S)
#define DEFAULT_TTL_S 30

struct member {
	unsigned magic;
	struct member_opts o;		/* its strings are the member's own copies */
	char nonce[ID_NONCE_MAX];
	struct wall started;
	struct mono started_mono;
	enum instance_status status;	/* ACTIVE: healthy, whoever leads */
	struct member_lead lead;
	struct methods *methods;
	struct rpc_server *server;
	struct micro *micro;
	struct member_ground ground;

	struct tenure tenure;
	struct loop_timer timer;
	struct member_op op;		/* at most one is under way */
	bool busy;
	char *other;			/* TWIN: the sentence for the owner */
	uint64_t heartbeats;
	struct map told;		/* what heartbeats told of each timer */

	void (*left)(void *arg);
	void *left_arg;

	struct mail reconnected;
	atomic_bool posted;		/* that mail is on its way */
};

static void step(struct member *m, const struct tenure_event *ev);

/* --- broadcasts -------------------------------------------------------------------------- */

static void
broadcast(struct member *m, const char *subject, const struct str *text)
{
	conn_publish(m->o.conn, &(struct conn_msg){ .subject = subject, .data = text->p, .n = text->len }, NULL);
}

static void
broadcast_presence_of(struct member *m, const char *subject)
{
	struct str text = STR_INIT;

	broadcast_presence(m->o.service, m->o.instance, clock_wall(loop_clock(m->o.loop)), &text);
	broadcast(m, subject, &text);
	str_release(&text);
}

static void
broadcast_metrics_of(struct member *m)
{
	struct str text = STR_INIT;
	const struct clock *clock = loop_clock(m->o.loop);

	m->heartbeats++;
	member_metrics(&(struct member_metrics_opts){
		.service = m->o.service, .instance = m->o.instance, .methods = m->methods,
		.traffic = m->o.traffic, .uptime_s = ns_seconds(mono_since(clock_mono(clock), m->started_mono)),
		.heartbeats = m->heartbeats, .told = &m->told, .connected = conn_state(m->o.conn) == CONN_UP,
	}, clock_wall(clock), &text);
	broadcast(m, subject_heartbeat(m->o.service).s, &text);
	str_release(&text);
}

/* --- on the loop ------------------------------------------------------------------------- */

static void
done(struct pool_job *job)
{
	struct member_op *op = CONTAINER_OF(job, struct member_op, job);
	struct member *m = CONTAINER_OF(op, struct member, op);

	MAGIC_CHECK(m, MEMBER_MAGIC);
	instance_free(op->record);
	op->record = NULL;
	m->busy = false;
	step(m, &op->result);
}

static enum instance_status
shown_status(const struct member *m)
{
	if (m->o.group == NULL || m->status != INSTANCE_ACTIVE)
		return m->status;
	return m->lead.status == STICKY_ACTIVE ? INSTANCE_ACTIVE : INSTANCE_STANDBY;
}

static void
run(struct member *m, const struct tenure_actions *a)
{
	struct member_op *op = &m->op;

	MUST(!m->busy);
	m->busy = true;
	*op = (struct member_op){ .ground = &m->ground, .what = a->op, .expect = a->expect, .ttl_s = m->o.ttl_s };
	op->job.work = member_op_work;
	op->job.done = done;
	if (a->op == TENURE_PUT) {
		op->record = member_record(&(struct member_record_opts){
			.service = m->o.service, .instance = m->o.instance, .version = m->o.version,
			.metadata = m->o.metadata, .nonce = m->nonce, .status = shown_status(m), .started = m->started,
			.group = m->o.group, .exclusive = m->o.exclusive, .lead = m->lead,
		}, clock_wall(loop_clock(m->o.loop)));
		/* Each tick: the broadcast, then the record (wire.md §10). */
		if (m->tenure.registered)
			broadcast_metrics_of(m);
	}
	if (pool_run(m->o.pool, &op->job) != ERR_OK) {
		op->result = (struct tenure_event){ .kind = TENURE_EV_FAILED };
		done(&op->job);
	}
}

static void
answer_micro(struct member *m)
{
	struct err err;

	if (m->micro == NULL)
		m->micro = micro_new(&(struct micro_opts){
			.conn = m->o.conn, .service = m->o.service, .instance = m->o.instance, .version = m->o.version,
			.description = m->o.description, .nonce = m->nonce, .methods = m->o.methods,
			.stats = m->methods, .started = m->started,
		}, &err);
	if (m->micro == NULL)
		log_warning(EV_NATS_ERROR, LOG_F(LOG_S("err", err.text)), "cannot answer $SRV requests");
}

static void
on_registered(struct member *m, bool taken_over)
{
	if (taken_over)
		log_info(EV_REGISTRY_TAKEOVER, LOG_NONE, "took over the record of a dead process with our instance id");
	log_info(EV_REGISTRY_REGISTERED, LOG_NONE, "registered as '%s' of '%s'",
	    m->o.instance, m->o.service);
	broadcast_presence_of(m, SUBJECT_REGISTER);
	broadcast_metrics_of(m);
	/* Only now: before, our own answers would hide that a previous owner is dead. */
	answer_micro(m);
	if (m->o.registered != NULL)
		m->o.registered(m->o.arg);
}

static void
on_twin(struct member *m)
{
	char sentence[400];

	snprintf(sentence, sizeof sentence,
	    "another live process is registered as instance '%s' of '%s'; give each its own --instance-id",
	    m->o.instance, m->o.service);
	log_error(EV_REGISTRY_TWIN, LOG_NONE, "%s", sentence);
	/* Both hear our direct subject, so each call to it would be executed twice; and what
	 * we answered to $SRV would keep the id occupied when the other one is gone. */
	rpc_server_leave(m->server);
	micro_leave(m->micro);
	if (m->o.twin != NULL)
		m->o.twin(m->o.arg, sentence);
}

static void
on_left(struct member *m, bool removed)
{
	void (*left)(void *) = m->left;

	if (removed) {
		broadcast_presence_of(m, SUBJECT_UNREGISTER);
		log_info(EV_REGISTRY_DEREGISTERED, LOG_NONE, "removed the record of '%s'", m->o.instance);
	}
	m->left = NULL;
	if (left != NULL)
		left(m->left_arg);
}

static void
report(struct member *m, enum tenure_report r)
{
	switch (r) {
	case TENURE_QUIET:
		break;
	case TENURE_REGISTERED:
	case TENURE_TAKEN_OVER:
		on_registered(m, r == TENURE_TAKEN_OVER);
		break;
	case TENURE_RETRYING:
		/* Once for each outage; the further attempts are for whoever looks for them. */
		log_at(m->tenure.failures == 1 ? LOG_WARNING : LOG_DEBUG, EV_REGISTRY_RETRY,
		    LOG_F(LOG_S("err", m->op.err.text), LOG_N("attempt", m->tenure.failures)),
		    "the registry does not answer, trying again until it does");
		break;
	case TENURE_IS_TWIN:
		on_twin(m);
		break;
	case TENURE_REMOVED:
	case TENURE_LEFT:
		on_left(m, r == TENURE_REMOVED);
		break;
	}
}

static void
on_timer(void *arg)
{
	step(arg, &(struct tenure_event){ .kind = TENURE_EV_TIMER });
}

static void
step(struct member *m, const struct tenure_event *ev)
{
	struct tenure_actions a;
	enum tenure_state was = m->tenure.state;
	unsigned failures = m->tenure.failures;

	MAGIC_CHECK(m, MEMBER_MAGIC);
	tenure_step(&m->tenure, ev, clock_mono(loop_clock(m->o.loop)), &a);
	if (m->tenure.state != was)
		log_debug(EV_REGISTRY_STATUS, LOG_F(LOG_S("event", tenure_event_name(ev->kind))), "tenure %s -> %s",
		    tenure_state_name(was), tenure_state_name(m->tenure.state));
	if (failures > 0 && ev->kind == TENURE_EV_PUT_DONE)
		log_info(EV_REGISTRY_BACK, LOG_F(LOG_N("attempts", failures)), "the registry answers again");
	if (m->tenure.due.ns == MONO_NEVER.ns)
		loop_timer_cancel(m->o.loop, &m->timer);
	else
		loop_timer_set(m->o.loop, &m->timer, m->tenure.due, on_timer, m);
	if (a.op != TENURE_NOTHING)
		run(m, &a);
	report(m, a.report);
}

static void
deliver_reconnected(struct mail *mail)
{
	struct member *m = CONTAINER_OF(mail, struct member, reconnected);

	MAGIC_CHECK(m, MEMBER_MAGIC);
	atomic_store(&m->posted, false);
	step(m, &(struct tenure_event){ .kind = TENURE_EV_RECONNECTED });
}

static void
on_conn(void *arg, enum conn_event ev)
{
	struct member *m = arg;

	if (ev != CONN_EVENT_UP)
		return;
	atomic_store(&m->ground.back_ns, clock_mono(clock_system()).ns);
	if (!atomic_exchange(&m->posted, true))
		loop_post(m->o.loop, &m->reconnected);
}

/* --- the outside ------------------------------------------------------------------------- */

struct member *
member_new(const struct member_opts *o, struct err *err)
{
	struct member *m = mem_new(sizeof *m);
	const struct clock *clock = loop_clock(o->loop);

	map_init(&m->told);
	m->magic = MEMBER_MAGIC;
	m->o = *o;
	m->o.service = mem_text(o->service);
	m->o.instance = mem_text(o->instance);
	m->o.version = mem_text(o->version != NULL ? o->version : "1.0.0");
	m->o.description = mem_text(o->description);
	m->o.metadata = mem_text(o->metadata);
	m->o.methods = mem_texts(o->methods);
	m->o.group = mem_text(o->group);
	m->o.exclusive = mem_texts(o->exclusive);
	m->lead.status = STICKY_ELECTING;
	m->o.ttl_s = o->ttl_s > 0 ? o->ttl_s : DEFAULT_TTL_S;
	id_nonce(m->nonce);
	m->ground = (struct member_ground){ .conn = o->conn, .service = m->o.service, .instance = m->o.instance, .nonce = m->nonce };
	m->started = clock_wall(clock);
	m->started_mono = clock_mono(clock);
	m->status = INSTANCE_ACTIVE;
	m->methods = methods_new();
	m->reconnected = (struct mail){ .deliver = deliver_reconnected, .vital = true };
	tenure_init(&m->tenure, &(struct tenure_opts){
		.heartbeat_ns = o->heartbeat_ns > 0 ? o->heartbeat_ns : DEFAULT_HEARTBEAT_NS, .seed = id_random(),
	});
	conn_listen(m->o.conn, on_conn, m);
	if (member_record_check(m->o.metadata, err) == ERR_OK)
		return m;
	member_free(m);
	return NULL;
}

void
member_close(struct member *m)
{
	if (m == NULL)
		return;
	MAGIC_CHECK(m, MEMBER_MAGIC);
	if (m->server != NULL)
		rpc_server_stop(m->server);
	micro_free(m->micro);
	m->micro = NULL;
}

static void
release_told(struct map *told)
{
	const struct map_slot *slot;

	for (size_t i = 0; (slot = map_next(told, &i)) != NULL;)
		hist_free(slot->value);
	map_release(told);
}

void
member_free(struct member *m)
{
	if (m == NULL)
		return;
	member_close(m);
	MUST(!m->busy);			/* the pool was freed before */
	conn_unlisten(m->o.conn, on_conn, m);
	loop_take(m->o.loop, &m->reconnected);
	loop_timer_cancel(m->o.loop, &m->timer);
	micro_free(m->micro);		/* of a registration that ended after the close */
	rpc_server_free(m->server);
	registry_free(m->ground.registry);
	methods_free(m->methods);
	release_told(&m->told);
	mem_texts_free(m->o.methods);
	mem_texts_free(m->o.exclusive);
	mem_free((void *)(uintptr_t)m->o.group);
	mem_free((void *)(uintptr_t)m->o.service);
	mem_free((void *)(uintptr_t)m->o.instance);
	mem_free((void *)(uintptr_t)m->o.version);
	mem_free((void *)(uintptr_t)m->o.description);
	mem_free((void *)(uintptr_t)m->o.metadata);
	MAGIC_WIPE(m);
	mem_free(m);
}

enum err_code
member_start(struct member *m, struct err *err)
{
	m->server = rpc_server_new(&(struct rpc_server_opts){
		.conn = m->o.conn, .service = m->o.service, .instance = m->o.instance, .methods = m->o.methods,
		.guard = m->o.guard, .stats = m->methods, .handler = m->o.handler, .arg = m->o.arg,
	}, err);
	if (m->server == NULL)
		return ERR_UNAVAILABLE;
	if (!m->o.no_record) {
		step(m, &(struct tenure_event){ .kind = TENURE_EV_START });
		return ERR_OK;
	}
	answer_micro(m);
	if (m->o.registered != NULL)
		m->o.registered(m->o.arg);
	return ERR_OK;
}

void
member_status(struct member *m, enum instance_status s)
{
	if (m->status == s)
		return;
	log_info(EV_REGISTRY_STATUS, LOG_NONE, "'%s' is %s now (was %s)", m->o.instance, instance_status_name(s),
	    instance_status_name(m->status));
	m->status = s;
	step(m, &(struct tenure_event){ .kind = TENURE_EV_DIRTY });
}

void
member_times(struct member *m, int64_t heartbeat_ns, int64_t ttl_s)
{
	heartbeat_ns = heartbeat_ns > 0 ? heartbeat_ns : DEFAULT_HEARTBEAT_NS;
	ttl_s = ttl_s > 0 ? ttl_s : DEFAULT_TTL_S;
	if (m->tenure.opts.heartbeat_ns == heartbeat_ns && m->o.ttl_s == ttl_s)
		return;
	m->o.ttl_s = ttl_s;
	tenure_pace(&m->tenure, heartbeat_ns);
	step(m, &(struct tenure_event){ .kind = TENURE_EV_DIRTY });
}

void
member_lead(struct member *m, const struct member_lead *l)
{
	const struct member_lead *was = &m->lead;

	if (m->o.group == NULL || (was->status == l->status && was->epoch == l->epoch && was->since.ns == l->since.ns))
		return;
	m->lead = *l;
	step(m, &(struct tenure_event){ .kind = TENURE_EV_DIRTY });
}

void
member_leave(struct member *m, void (*left)(void *arg), void *arg)
{
	m->left = left;
	m->left_arg = arg;
	step(m, &(struct tenure_event){ .kind = TENURE_EV_STOP });
}

unsigned
member_drain(struct member *m, int64_t timeout_ns)
{
	return m->server != NULL ? rpc_server_drain(m->server, timeout_ns) : 0;
}

struct methods *
member_methods(struct member *m)
{
	return m->methods;
}

const char *
member_nonce(const struct member *m)
{
	return m->nonce;
}

bool
member_is_registered(const struct member *m)
{
	return m->tenure.state == TENURE_HELD || m->tenure.state == TENURE_RENEWING;
}
