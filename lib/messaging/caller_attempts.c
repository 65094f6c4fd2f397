/* caller_attempts.c - one call, tried as often as it may be: the loop around retry.h, on the thread that
 * waits for the answer. */
#include "messaging/caller_inner.h"

#include <string.h>

#include "base/id.h"
#include "messaging/retry.h"
#include "sys/clock.h"

static struct mono
now_mono(void)
{
	return clock_mono(clock_system());
}

/* attempt_ns: what one attempt may take of what is left. */
static int64_t
attempt_ns(const struct call_spec *s, struct mono deadline)
{
	int64_t left = mono_since(deadline, now_mono());

	if (s->idempotent && s->attempt_ns > 0 && s->attempt_ns < left)
		return s->attempt_ns;
	return left > NS_PER_MS ? left : NS_PER_MS;	/* 0 would be the default */
}

/* call_again: after a first attempt that failed: as often as the policy and the deadline allow.  One
 * instance that refused is not asked again at once: the service's subject has a standby that knows
 * better, or another member with room (election.md §7). */
static enum err_code
call_again(struct caller *c, const struct call_spec *s, struct mono deadline, enum err_code code, bool sent,
    struct call_spec *one, struct call_reply *reply, struct err *err)
{
	struct retry r;
	char avoid[sizeof reply->instance];
	int64_t pause;
	unsigned attempts = 1;

	retry_init(&r, retry_policy(s->retry), s->idempotent, s->retries);
	for (;;) {
		enum retry_outcome outcome = retry_outcome(code, sent);
		bool elsewhere = outcome == RETRY_REFUSED && reply->direct;
		if (!caller_may(s) || !retry_next(&r, outcome, elsewhere, mono_since(deadline, now_mono()), id_random(), &pause)) {
			if (attempts > 1 && outcome != RETRY_FINAL)
				err_prefix(err, "after %u attempts", attempts);
			return code;
		}
		if (outcome == RETRY_REFUSED && reply->instance[0] != '\0') {
			memcpy(avoid, reply->instance, sizeof avoid);
			one->avoid = avoid;
		}
		call_reply_release(reply);
		*reply = (struct call_reply){ .msg = NULL };
		if (pause > 0 && !caller_pause(c, pause))
			return err_set(err, ERR_CLOSED, "the connection was closed while the call waited");
		if (!caller_may(s))
			return code;
		one->group = elsewhere;
		one->timeout_ns = attempt_ns(s, deadline);
		code = caller_once(c, one, reply, &sent, err);
		reply->attempts = ++attempts;
		if (code == ERR_OK)
			return ERR_OK;
	}
}

enum err_code
caller_attempts(struct caller *c, const struct call_spec *s, struct mono began, struct call_reply *reply,
    struct err *err)
{
	struct mono deadline = mono_after(began, caller_timeout(s));
	struct call_spec one = *s;
	char id[ID_UUID_MAX];
	bool sent;

	if (s->idempotent && s->message_id == NULL) {
		id_uuid4(id);
		one.message_id = id;	/* of all attempts: whoever sees two of them knows */
	}
	one.timeout_ns = s->idempotent && s->attempt_ns > 0 ? attempt_ns(s, deadline) : caller_timeout(s);
	enum err_code code = caller_once(c, &one, reply, &sent, err);
	return code == ERR_OK ? code : call_again(c, s, deadline, code, sent, &one, reply, err);
}
