/* exclusive_reply.c - the holder's replies: read on the delivering thread, mailed to the loop, which alone knows whose they are. */
#include "messaging/exclusive_inner.h"

#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "messaging/route.h"

/* A holder's reply on its way to the loop. */
struct relayed {
	struct mail mail;
	struct exclusive *x;
	uint64_t number;
	struct msg *msg;
	bool refused;
};

static void
relayed_discard(struct mail *m)
{
	struct relayed *r = CONTAINER_OF(m, struct relayed, mail);

	msg_free(r->msg);
	mem_free(r);
}

static void
relayed_deliver(struct mail *m)
{
	struct relayed *r = CONTAINER_OF(m, struct relayed, mail);
	struct exclusive *x = r->x;
	struct guest *g = slots_leave(&x->slots, r->number);

	if (g != NULL) {
		exclusive_guest_replied(g, r->msg, r->refused);
		r->msg = NULL;
	}
	relayed_discard(m);
	exclusive_arrange(x);
}

/* number_of: the end of a reply's subject; 0 for what is none of ours. */
static uint64_t
number_of(const char *subject)
{
	const char *dot = strrchr(subject, '.');
	uint64_t n = 0;

	if (dot == NULL || strlen(dot + 1) != 16)
		return 0;
	for (const char *p = dot + 1; *p != '\0'; p++) {
		if ((*p < '0' || *p > '9') && (*p < 'a' || *p > 'f'))
			return 0;
		n = n << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
	}
	return n;
}

void
exclusive_relayed(void *arg, struct msg *m)
{
	struct exclusive *x = arg;
	struct relayed *r = mem_new(sizeof *r);
	struct call_reply reply = { .msg = NULL };

	MAGIC_CHECK(x, EXCLUSIVE_MAGIC);
	/* Vital: there are never more of them than requests that we have out. */
	*r = (struct relayed){ .mail = { .deliver = relayed_deliver, .discard = relayed_discard, .vital = true }, .x = x,
	    .number = number_of(msg_subject(m)), .msg = m };
	r->refused = msg_is_no_responders(m) || route_read_reply(m, &reply, NULL) == ERR_NOT_ACTIVE;
	if (r->number == 0 || loop_post(x->o.loop, &r->mail) != ERR_OK)
		relayed_discard(&r->mail);
}

void
exclusive_relayed_discard(struct exclusive *x)
{
	loop_discard(x->o.loop, relayed_deliver);
}
