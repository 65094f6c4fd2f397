/* route.c - from names to a subject, from a reply to a result; no state. */
#include "messaging/route.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/near.h"
#include "base/num.h"
#include "codec/envelope.h"
#include "discovery/discovery.h"
#include "model/names.h"
#include "sys/clock.h"

/* --- who there is ------------------------------------------------------------------------ */

/* append: more words at the end of a sentence. */
static void __attribute__((format(printf, 2, 3)))
append(struct err *err, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (err == NULL)
		return;
	n = strlen(err->text);
	va_start(ap, fmt);
	vsnprintf(err->text + n, sizeof err->text - n, fmt, ap);
	va_end(ap);
}

static enum err_code
unknown_service(const struct directory *d, const char *service, struct err *err)
{
	const char *near[3];

	err_set(err, ERR_SERVICE_UNKNOWN, "no service '%s' is registered, and nobody listens under that name", service);
	if (d == NULL)
		return ERR_SERVICE_UNKNOWN;
	size_t room = d->n + d->ndefined;
	const char **all = mem_array(room, sizeof *all);
	size_t n = near_pick(service, all, directory_names(d, all, room), near, COUNT_OF(near));
	for (size_t i = 0; i < n; i++)
		append(err, "%s'%s'", i == 0 ? "; did you mean " : " or ", near[i]);
	mem_free(all);
	return ERR_SERVICE_UNKNOWN;
}

static void
ago(struct wall now, struct wall then, char out[NUM_TEXT_MAX])
{
	int64_t s = (now.ns - then.ns) / NS_PER_S;

	num_duration_text((s > 0 ? s : 1) * NS_PER_S, out);
}

/* nobody_usable: a group without a member that may be called; says what there is instead. */
static enum err_code
nobody_usable(const struct service_group *g, struct wall now, int64_t stale_ns, struct err *err)
{
	const struct instance *last = g->v[0]->instance;
	size_t fresh = 0;
	char when[NUM_TEXT_MAX];

	for (size_t i = 0; i < g->n; i++) {
		const struct instance *one = g->v[i]->instance;
		fresh += instance_is_fresh(one, now, stale_ns);
		if (one->last_heartbeat.ns > last->last_heartbeat.ns)
			last = one;
	}
	ago(now, last->last_heartbeat, when);
	err_set(err, ERR_NO_MEMBER, "service '%s' has no live instance", g->name);
	if (fresh > 0)
		append(err, ": %zu registered, all UNHEALTHY", fresh);
	else
		append(err, ": '%s' was seen last, %s ago", last->id, when);
	return ERR_NO_MEMBER;
}

static enum err_code
unusable_member(const struct member_entry *e, const char *service, struct wall now, struct err *err)
{
	char when[NUM_TEXT_MAX];

	ago(now, e->instance->last_heartbeat, when);
	return err_set(err, ERR_NO_MEMBER, "instance '%s' of '%s' is %s and was seen %s ago", e->instance->id, service,
	    instance_status_name(e->instance->status), when);
}

static enum err_code
unknown_instance(const struct service_group *g, const char *service, const char *id, struct err *err)
{
	const char *near[3];
	size_t n = g != NULL ? g->n : 0;
	const char **all = mem_array(n, sizeof *all);

	for (size_t i = 0; i < n; i++)
		all[i] = g->v[i]->instance->id;
	err_set(err, ERR_INSTANCE_UNKNOWN, "service '%s' has no instance '%s'", service, id);
	n = near_pick(id, all, n, near, COUNT_OF(near));
	for (size_t i = 0; i < n; i++)
		append(err, "%s'%s'", i == 0 ? "; did you mean " : " or ", near[i]);
	mem_free(all);
	return ERR_INSTANCE_UNKNOWN;
}

/* --- choosing ---------------------------------------------------------------------------- */

/* name: copies a name that was checked, so it fits. */
static void
name(char to[132], const char *from)
{
	size_t n = strnlen(from, 131);

	memcpy(to, from, n);
	to[n] = '\0';
}

static void
send_to(struct route *r, const struct member_entry *e)
{
	name(r->instance, e->instance->id);
	r->peer = e->peer;
	atomic_fetch_add(&e->peer->refs, 1);
	atomic_fetch_add(&e->peer->inflight, 1);
	r->direct = e->instance->direct_rpc;
}

static enum err_code
demand(const struct directory *d, const struct call_spec *s, struct wall now, int64_t stale_ns, struct route *r,
    struct err *err)
{
	const struct service_group *g = directory_find(d, s->service);
	struct pick_opts o = { .strategy = PICK_STICKY, .preferred = s->instance, .now = now, .stale_ns = stale_ns };
	const struct member_entry *e = pick(g, &o);

	r->demanded = true;
	if (d == NULL) {
		/* Nobody knows who is there, so its own subject will tell. */
		name(r->instance, s->instance);
		r->direct = true;
		return ERR_OK;
	}
	if (e != NULL && strcmp(e->instance->id, s->instance) == 0) {
		if (!e->instance->direct_rpc)
			return err_set(err, ERR_NO_MEMBER,
			    "instance '%s' of '%s' has no subject of its own (a Python member); call the service instead",
			    s->instance, s->service);
		send_to(r, e);
		return ERR_OK;
	}
	for (size_t i = 0; g != NULL && i < g->n; i++)
		if (strcmp(g->v[i]->instance->id, s->instance) == 0)
			return unusable_member(g->v[i], s->service, now, err);
	return unknown_instance(g, s->service, s->instance, err);
}

static enum err_code
choose(const struct directory *d, const struct call_spec *s, struct wall now, int64_t stale_ns, uint64_t offset,
    struct route *r, struct err *err)
{
	const struct service_group *g = directory_find(d, s->service);

	if (g == NULL)
		return ERR_OK;		/* unregistered: the queue subject will tell */
	bool draw = s->strategy == PICK_RANDOM || s->strategy == PICK_LEAST_INFLIGHT;
	struct pick_opts o = {
		.strategy = s->strategy, .preferred = s->preferred, .now = now, .stale_ns = stale_ns,
		.chance = draw ? id_random() : offset,
	};
	const struct member_entry *e = pick(g, &o);
	if (e == NULL)
		return nobody_usable(g, now, stale_ns, err);
	if (s->avoid != NULL || !breaker_is_closed(&e->peer->breaker))
		e = pick_admitted(g, &o, e, s->avoid, clock_mono(clock_system()));
	send_to(r, e);
	return ERR_OK;
}

enum err_code
route_find(struct discovery *d, const struct call_spec *s, struct route *r, struct err *err)
{
	enum err_code code;

	if ((code = name_check(NAME_SERVICE_CALLED, s->service, err)) != ERR_OK ||
	    (code = name_check(NAME_METHOD_CALLED, s->method, err)) != ERR_OK ||
	    (s->instance != NULL && (code = name_check(NAME_INSTANCE_CALLED, s->instance, err)) != ERR_OK))
		return code;
	r->direct = r->demanded = false;
	r->peer = NULL;
	r->instance[0] = '\0';
	name(r->service, s->service);
	name(r->method, s->method);
	if (s->group && s->instance == NULL)
		return ERR_OK;
	if (s->holder != NULL) {
		name(r->instance, s->holder);
		r->direct = r->demanded = true;
		return ERR_OK;
	}
	const struct directory *dir = discovery_take(d);
	struct wall now = clock_wall(clock_system());
	if (s->instance != NULL)
		code = demand(dir, s, now, discovery_stale_ns(d), r, err);
	else
		code = choose(dir, s, now, discovery_stale_ns(d), discovery_offset(d), r, err);
	discovery_drop(dir);
	return code;
}

struct subject
route_subject(const struct route *r)
{
	return r->direct ? subject_direct(r->service, r->instance, r->method) : subject_rpc(r->service, r->method);
}

void
route_release(struct route *r)
{
	if (r->peer == NULL)
		return;
	atomic_fetch_sub(&r->peer->inflight, 1);
	if (atomic_fetch_sub(&r->peer->refs, 1) == 1)
		mem_free(r->peer);
	r->peer = NULL;
}

/* is_sick: the answer of a wrapper whose program hangs, or died over the call. */
static bool
is_sick(const struct msg *m)
{
	const char *word = msg_header(m, "Nats-Service-Error");

	return word != NULL && (strcmp(word, "TIMEOUT") == 0 || strcmp(word, "OUTCOME_UNKNOWN") == 0);
}

enum breaker_turn
route_note(const struct route *r, const struct msg *m, const struct err *err)
{
	if (r->peer == NULL || !r->direct || (err != NULL && err->code != ERR_TIMEOUT))
		return BREAKER_SAME;		/* who else of the service answered, or why it was not sent */
	struct breaker *b = &r->peer->breaker;
	bool good = err == NULL && !is_sick(m);
	if (good && breaker_is_clean(b))
		return BREAKER_SAME;
	enum breaker_turn turn = breaker_note(b, good ? BREAKER_GOOD : BREAKER_BAD, clock_mono(clock_system()));
	if (turn == BREAKER_OPENED)
		log_warning(EV_RPC_BREAKER, LOG_F(LOG_S("service", r->service), LOG_S("instance", r->instance)),
		    "instance %s of %s does not answer; calls go to others while there are any", r->instance, r->service);
	if (turn == BREAKER_RECOVERED)
		log_info(EV_RPC_BREAKER, LOG_F(LOG_S("service", r->service), LOG_S("instance", r->instance)),
		    "instance %s of %s answers again", r->instance, r->service);
	return turn;
}

enum err_code
route_nobody(const struct route *r, struct discovery *d, struct err *err)
{
	const struct directory *dir = discovery_take(d);
	const struct service_group *g = directory_find(dir, r->service);
	enum err_code code;

	if (r->demanded && dir == NULL)
		code = unknown_instance(NULL, r->service, r->instance, err);
	else if (r->demanded)
		code = err_set(err, ERR_NO_MEMBER, "instance '%s' of '%s' is registered but does not listen for method '%s'",
		    r->instance, r->service, r->method);
	else if (g != NULL)
		code = err_set(err, ERR_NO_MEMBER,
		    "service '%s' is registered (instances: %zu), but none listens for method '%s'", r->service, g->n, r->method);
	else if (directory_defined(dir, r->service) != NULL)
		code = err_set(err, ERR_NO_MEMBER, "service '%s' is defined, but no instance of it is registered or listens",
		    r->service);
	else
		code = unknown_service(dir, r->service, err);
	discovery_drop(dir);
	return code;
}

/* --- answers ----------------------------------------------------------------------------- */

/* code_of_word: what a word of wire.md §5.1 means to the caller; any other is a handler's error. */
static enum err_code
code_of_word(struct text word)
{
	static const struct { const char *word; enum err_code code; } table[] = {
		{ "SERVICE_UNAVAILABLE", ERR_BUSY }, { "NOT_ACTIVE", ERR_NOT_ACTIVE }, { "ELECTING", ERR_NOT_ACTIVE },
		{ "TIMEOUT", ERR_TIMEOUT }, { "OUTCOME_UNKNOWN", ERR_OUTCOME_UNKNOWN },
		{ "INVALID_REQUEST", ERR_UNKNOWN_METHOD },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++)
		if (text_is(word, table[i].word))
			return table[i].code;
	return ERR_HANDLER;
}

static struct text
first_word(struct text t)
{
	const char *colon = t.n > 0 ? memchr(t.p, ':', t.n) : NULL;

	return (struct text){ t.p, colon != NULL ? (size_t)(colon - t.p) : t.n };
}

/* code_of: aegis servers say the code in a header, so that a handler's text decides nothing,
 * whatever it begins with.  Others (Python) have the text alone: its first word, up to a colon, or
 * NOT_ACTIVE anywhere in it (wire.md §5.3). */
static enum err_code
code_of(const struct msg *m, struct text t)
{
	static const char not_active[] = "NOT_ACTIVE";
	const char *header = msg_header(m, "Nats-Service-Error"), *number = msg_header(m, "Nats-Service-Error-Code");

	/* Two of our errors share a word; the number tells them apart. */
	if (header != NULL && number != NULL && strcmp(header, err_wire(ERR_CONTRACT)) == 0 && strcmp(number, "422") == 0)
		return ERR_CONTRACT;
	if (header != NULL)
		return code_of_word(text_of(header));
	if (t.n > 0 && memmem(t.p, t.n, not_active, sizeof not_active - 1) != NULL)
		return ERR_NOT_ACTIVE;
	return code_of_word(first_word(t));
}

/* is_nested: v is the reply of an exclusive method (wire.md §5.3), these four members and no
 * other, and says that it failed.  Only a map that is exactly that: any other is a result. */
static bool
is_nested_failure(const struct value *v, struct text *error, struct text *message)
{
	const struct value *success = value_field(v, "success"), *result = value_field(v, "result");
	const struct value *text = value_field(v, "message");

	*message = (struct text){ NULL, 0 };
	return v->type == VALUE_MAP && v->n == 4 &&
	    success != NULL && success->type == VALUE_BOOL && !success->u.boolean &&
	    result != NULL && (result->type == VALUE_NULL || result->type == VALUE_MAP) &&
	    text != NULL && (text->type == VALUE_NULL || value_text(text, message)) &&
	    value_text(value_field(v, "error"), error);
}

/* read_nested: the error in the reply of an exclusive method; ERR_OK for every other result. */
static enum err_code
read_nested(const struct value *result, struct err *err)
{
	struct text error, message;

	if (!is_nested_failure(result, &error, &message))
		return ERR_OK;
	if (text_is(error, "NOT_ACTIVE"))
		return err_set(err, ERR_NOT_ACTIVE, "NOT_ACTIVE%s%.*s", message.n > 0 ? ": " : "", (int)message.n,
		    message.n > 0 ? message.p : "");
	if (text_is(error, "EXECUTION_ERROR") && message.n == 0)
		return err_set(err, ERR_HANDLER, "EXECUTION_ERROR");
	if (text_is(error, "EXECUTION_ERROR")) {
		bool unknown = text_is(first_word(message), "OUTCOME_UNKNOWN");	/* election.md §6 */
		return err_set(err, unknown ? ERR_OUTCOME_UNKNOWN : ERR_HANDLER, "%.*s", (int)message.n, message.p);
	}
	return ERR_OK;
}

enum err_code
route_read_reply(struct msg *m, struct call_reply *reply, struct err *err)
{
	struct envelope e;
	enum data_format format = DATA_MSGPACK;
	enum err_code code = envelope_decode(codec_mine(), ENVELOPE_RESPONSE, msg_data(m), msg_size(m), &e, &format, err);

	if (code != ERR_OK) {
		err_prefix(err, "the reply cannot be read");
		return ERR_CORRUPT;
	}
	if (e.source.p != NULL && e.source.n < sizeof reply->instance) {
		memcpy(reply->instance, e.source.p, e.source.n);
		reply->instance[e.source.n] = '\0';
	}
	if (!e.success)
		return err_set(err, code_of(m, e.error), "%.*s", (int)e.error.n, e.error.p);
	if ((code = read_nested(&e.payload, err)) != ERR_OK)
		return code;
	reply->result = e.payload;
	return ERR_OK;
}
