/* instance.c - ownership of an instance's record, and the two questions every reader asks. */
#include "model/instance.h"

#include <string.h>

#include "base/magic.h"
#include "base/mem.h"

void
instance_init(struct instance *i)
{
	*i = (struct instance){ .metadata = mem_text("{}") };
}

void
instance_release(struct instance *i)
{
	mem_free(i->service);
	mem_free(i->id);
	mem_free(i->version);
	mem_free(i->group);
	mem_free(i->metadata);
	mem_free(i->nonce);
	*i = (struct instance){ 0 };
}

struct instance *
instance_clone(const struct instance *i)
{
	struct instance *c = mem_new(sizeof *c);

	*c = *i;
	c->service = mem_text(i->service);
	c->id = mem_text(i->id);
	c->version = mem_text(i->version);
	c->group = mem_text(i->group);
	c->metadata = mem_text(i->metadata);
	c->nonce = mem_text(i->nonce);
	return c;
}

void
instance_free(struct instance *i)
{
	if (i == NULL)
		return;
	instance_release(i);
	mem_free(i);
}

static const char *const statuses[] = {
	[INSTANCE_ACTIVE] = "ACTIVE",
	[INSTANCE_STANDBY] = "STANDBY",
	[INSTANCE_UNHEALTHY] = "UNHEALTHY",
};

static const char *const stickies[] = {
	[STICKY_NONE] = NULL,
	[STICKY_ACTIVE] = "ACTIVE",
	[STICKY_STANDBY] = "STANDBY",
	[STICKY_ELECTING] = "ELECTING",
};

/* word_of: the place of t in words, or n; NULL is no word. */
static size_t
word_of(struct text t, const char *const *words, size_t n)
{
	size_t i = 0;

	while (i < n && (words[i] == NULL || !text_is(t, words[i])))
		i++;
	return i;
}

const char *
instance_status_name(enum instance_status s)
{
	return statuses[s];
}

bool
instance_status_parse(struct text t, enum instance_status *out)
{
	size_t i = word_of(t, statuses, COUNT_OF(statuses));

	if (i == COUNT_OF(statuses))
		return false;
	*out = (enum instance_status)i;
	return true;
}

const char *
sticky_status_name(enum sticky_status s)
{
	return stickies[s];
}

bool
sticky_status_parse(struct text t, enum sticky_status *out)
{
	size_t i = word_of(t, stickies, COUNT_OF(stickies));

	if (i == COUNT_OF(stickies))
		return false;
	*out = (enum sticky_status)i;
	return true;
}

bool
instance_is_fresh(const struct instance *i, struct wall now, int64_t threshold_ns)
{
	int64_t age_ns;

	/* A heartbeat may claim any year: an age beyond 292 years is past or to come, but no number. */
	if (__builtin_sub_overflow(now.ns, i->last_heartbeat.ns, &age_ns))
		return i->last_heartbeat.ns > now.ns;
	return age_ns <= threshold_ns;
}

bool
instance_is_usable(const struct instance *i)
{
	return i->status == INSTANCE_ACTIVE || i->status == INSTANCE_STANDBY;
}

bool
instance_leads(const struct instance *i)
{
	return i->status == INSTANCE_ACTIVE && i->sticky == STICKY_ACTIVE && i->epoch > 0 && i->group != NULL;
}

bool
instance_is_overtaken(const struct instance *i, const struct instance *by)
{
	return instance_leads(i) && instance_leads(by) && by->epoch > i->epoch && strcmp(i->group, by->group) == 0 &&
	    strcmp(i->service, by->service) == 0;
}

void
instance_demote(struct instance *i)
{
	i->status = INSTANCE_STANDBY;
	i->sticky = STICKY_STANDBY;
}
