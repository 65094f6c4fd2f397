/* janitor.c - a consumer that acks everything. */
#include "messaging/janitor.h"

#include <stdatomic.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "nats/consumer.h"

#define JANITOR_MAGIC 0x1a170001u
#define WINDOW 512

struct janitor {
	unsigned magic;
	struct consumer *consumer;
	atomic_ulong removed;
};

static void
on_litter(void *arg, struct delivery *d)
{
	struct janitor *j = arg;

	MAGIC_CHECK(j, JANITOR_MAGIC);
	delivery_ack(d);
	atomic_fetch_add(&j->removed, 1);
}

static void
on_consumer(void *arg, enum consumer_state s, const struct err *why)
{
	(void)arg;
	if (s == CONSUMER_CONFLICT || s == CONSUMER_UNUSABLE)
		log_warning(EV_COMMAND_WORKER, LOG_F(LOG_S("consumer", "aegis__janitor"), LOG_S("err", why ? why->text : "")),
		    "progress and completions of Python workers are not removed from COMMANDS (%s), trying again",
		    consumer_state_name(s));
}

struct janitor *
janitor_new(struct conn *c, struct loop *l, struct err *err)
{
	struct janitor *j = mem_new(sizeof *j);

	j->magic = JANITOR_MAGIC;
	j->consumer = consumer_new(&(struct consumer_opts){
		.conn = c, .loop = l, .stream = "COMMANDS", .durable = "aegis__janitor",
		.filter = "commands.progress.>,commands.callback.>,commands.cancel.>", .deliver = CONSUMER_ALL,
		.window = WINDOW, .handler = on_litter, .changed = on_consumer, .arg = j,
	}, err);
	if (j->consumer != NULL)
		return j;
	err_prefix(err, "janitor");
	janitor_free(j);
	return NULL;
}

void
janitor_free(struct janitor *j)
{
	if (j == NULL)
		return;
	MAGIC_CHECK(j, JANITOR_MAGIC);
	consumer_free(j->consumer);
	MAGIC_WIPE(j);
	mem_free(j);
}

uint64_t
janitor_removed(const struct janitor *j)
{
	return atomic_load(&j->removed);
}
