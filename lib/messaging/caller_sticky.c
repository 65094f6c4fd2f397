/* caller_sticky.c - one call to whoever leads: the loop around sticky.h, on the thread that waits. */
#include "messaging/caller_inner.h"

#include <string.h>

#include "base/id.h"
#include "base/num.h"
#include "discovery/discovery.h"
#include "discovery/leaders.h"
#include "messaging/sticky.h"
#include "messaging/traffic.h"
#include "nats/conn.h"
#include "sys/clock.h"

#define GRACE_NS (100 * NS_PER_MS)	/* for the answer of a leader that let go, when another one is seen first */
#define LOOK_NS (2 * NS_PER_MS)

struct chase {
	struct caller *caller;
	struct leaders *leaders;
	const struct call_spec *spec;
	struct call_spec one;
	char group[132], message_id[ID_UUID_MAX];
	struct sticky sticky;
	enum sticky_way way, bound;
	struct leader at;		/* as known when the attempt began */
	struct mono deadline, overtaken;
	unsigned attempts;
};

static struct mono
now_mono(void)
{
	return clock_mono(clock_system());
}

/* find_group: which one is meant, and what the registry knows of its leader. */
static enum err_code
find_group(struct chase *k, struct err *err)
{
	const struct directory *d = discovery_take(caller_discovery(k->caller));
	const struct service_group *g = directory_find(d, k->spec->service);
	const char *name = k->spec->sticky_group;
	bool several = false;

	leaders_read(k->leaders, g, d != NULL ? d->version : 0);
	if (name == NULL)
		name = leaders_group(g, &several);
	if (name == NULL)
		name = "default";
	size_t n = strnlen(name, sizeof k->group - 1);
	memcpy(k->group, name, n);
	k->group[n] = '\0';
	discovery_drop(d);
	if (several)
		return err_set(err, ERR_INVALID, "the members of '%s' are in more than one group; say which is meant", k->spec->service);
	return ERR_OK;
}

/* is_overtaken: somebody leads after the one that has the call, and that one is not known to have let go:
 * its answer may never come, and would not count. */
static bool
is_overtaken(void *arg)
{
	struct chase *k = arg;
	struct leader now;

	leaders_get(k->leaders, k->spec->service, k->group, &now);
	if (sticky_counts(k->one.epoch, now.epoch, now.released))
		return false;
	if (k->overtaken.ns == 0)
		k->overtaken = now_mono();
	return mono_reached(now_mono(), mono_after(k->overtaken, GRACE_NS));
}

/* learn: what the reply, of whatever kind, says about who leads; the epoch it was answered under. */
static uint64_t
learn(struct chase *k, const struct call_reply *reply)
{
	struct text who, number;
	char instance[132];
	uint64_t epoch;

	if (reply->msg == NULL || (who = msg_header_text(reply->msg, "Aegis-Leader")).p == NULL || who.n >= sizeof instance ||
	    (number = msg_header_text(reply->msg, "Aegis-Leader-Epoch")).p == NULL ||
	    !num_uint_n(number.p, number.n, &epoch) || epoch == 0)
		return 0;
	memcpy(instance, who.p, who.n);
	instance[who.n] = '\0';
	if (epoch != k->at.epoch || strcmp(instance, k->at.instance) != 0)
		leaders_note(k->leaders, k->spec->service, k->group, instance, epoch);
	return epoch;
}

/* counts: whether an answer under that epoch is one.  The news that a leader let go may be behind its last
 * answers, and the next leader's may be ahead of both: so they are waited for. */
static bool
counts(struct chase *k, uint64_t answered)
{
	struct mono end = mono_min(mono_after(now_mono(), GRACE_NS), k->deadline);

	for (;;) {
		leaders_get(k->leaders, k->spec->service, k->group, &k->at);
		if (sticky_counts(answered, k->at.epoch, k->at.released))
			return true;
		if (mono_reached(now_mono(), end) || !caller_pause(k->caller, LOOK_NS))
			return false;
	}
}

/* unwrap: what lies in the nested form of a success (wire.md §5.3). */
static void
unwrap(struct value *result)
{
	const struct value *success = value_field(result, "success"), *inner = value_field(result, "result");
	const struct value *error = value_field(result, "error");

	if (result->type != VALUE_MAP || result->n != 4 || success == NULL || success->type != VALUE_BOOL ||
	    !success->u.boolean || error == NULL || error->type != VALUE_NULL || value_field(result, "message") == NULL ||
	    inner == NULL)
		return;
	struct value copy = *inner;
	*result = copy;
}

static int64_t
attempt_ns(const struct chase *k)
{
	int64_t left = mono_since(k->deadline, now_mono());

	if (k->spec->idempotent && k->spec->attempt_ns > 0 && k->spec->attempt_ns < left)
		return k->spec->attempt_ns;
	return left > NS_PER_MS ? left : NS_PER_MS;	/* 0 would be the default */
}

static enum err_code
attempt(struct chase *k, struct call_reply *reply, bool *sent, struct err *err)
{
	leaders_get(k->leaders, k->spec->service, k->group, &k->at);
	k->way = k->bound == STICKY_TO_GROUP ? STICKY_TO_GROUP
	    : sticky_way(&k->sticky, k->at.instance[0] != '\0', k->at.epoch);
	bool direct = k->way == STICKY_TO_HOLDER;
	k->one.holder = direct ? k->at.instance : NULL;
	k->one.epoch = direct ? k->at.epoch : 0;
	k->one.group = !direct;
	k->one.timeout_ns = attempt_ns(k);
	k->overtaken.ns = 0;
	struct mono began = now_mono();
	enum err_code code = caller_once_unless(k->caller, &k->one, direct ? is_overtaken : NULL, k, reply, sent, err);
	traffic_sticky(caller_traffic(k->caller), k->spec->service, k->spec->method, code, mono_since(now_mono(), began));
	reply->attempts = ++k->attempts;
	uint64_t answered = learn(k, reply);
	if (code != ERR_OK)
		return code;
	if (!counts(k, answered))
		return err_set(err, ERR_OUTCOME_UNKNOWN,
		    "the answer is that of epoch %llu, and %llu leads already; perhaps it was executed",
		    (unsigned long long)answered, (unsigned long long)k->at.epoch);
	unwrap(&reply->result);
	return ERR_OK;
}

/* give_up: the error of the last attempt, as the caller of a sticky call is to understand it. */
static enum err_code
give_up(const struct chase *k, enum err_code code, struct err *err)
{
	struct leader now;

	leaders_get(k->leaders, k->spec->service, k->group, &now);
	if (code == ERR_NOT_ACTIVE && now.instance[0] == '\0')
		code = err_set(err, ERR_ELECTING, "nobody leads group '%s' of '%s'", k->group, k->spec->service);
	if (k->attempts > 1)
		err_prefix(err, "after %u attempts", k->attempts);
	return code;
}

enum err_code
caller_sticky(struct caller *c, const struct call_spec *s, struct mono began, struct call_reply *reply, struct err *err)
{
	struct chase k = { .caller = c, .leaders = caller_leaders(c), .spec = s, .one = *s,
	    .sticky = { .idempotent = s->idempotent }, .deadline = mono_after(began, caller_timeout(s)) };
	bool sent;

	leaders_follow(k.leaders, s->service);
	enum err_code code = find_group(&k, err);
	if (code != ERR_OK)
		return code;
	k.one.instance = NULL;
	if (s->idempotent && s->message_id == NULL) {
		id_uuid4(k.message_id);
		k.one.message_id = k.message_id;	/* of all attempts: whoever sees two of them knows */
	}
	while ((code = attempt(&k, reply, &sent, err)) != ERR_OK) {
		enum sticky_outcome what = sticky_outcome(code, sent);
		if (!caller_may(s))
			return code;
		if (k.way == STICKY_TO_HOLDER && what == STICKY_REFUSED)
			leaders_forget(k.leaders, s->service, k.group, k.one.epoch);
		struct sticky_step next = sticky_next(&k.sticky, k.way, k.one.epoch, what, mono_since(k.deadline, now_mono()),
		    id_random());
		if (!next.again)
			return give_up(&k, code, err);
		call_reply_release(reply);
		*reply = (struct call_reply){ .msg = NULL };
		if (next.pause_ns > 0 && !caller_pause(c, next.pause_ns))
			return err_set(err, ERR_CLOSED, "the connection was closed while the call waited");
		if (!caller_may(s))
			return code;
		k.bound = next.way;
	}
	if (k.attempts > 1)
		traffic_resumed(caller_traffic(c), s->service, s->method, mono_since(now_mono(), began));
	return ERR_OK;
}
