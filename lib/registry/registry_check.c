/* registry_check.c - rows about buckets and records; one listing serves all that is said of instances. */
#include "registry/registry_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/subject.h"
#include "model/names.h"
#include "registry/contracts.h"
#include "registry/registry.h"
#include "sys/clock.h"

#define CLOCK_NS (5 * NS_PER_S)		/* between a record's own time and the store's; a slow write takes less */

static enum err_code
make_registry(struct conn *c, struct err *err)
{
	struct registry *r = registry_new(&(struct registry_opts){ .conn = c, .create = true }, err);

	registry_free(r);
	return r != NULL ? ERR_OK : ERR_STORE;
}

static enum err_code
make_contracts(struct conn *c, struct err *err)
{
	struct contracts *all = contracts_new(c, true, err);

	contracts_free(all);
	return all != NULL ? ERR_OK : ERR_STORE;
}

const struct store registry_stores[] = {
	{ .stream = "KV_" REGISTRY_BUCKET, .purpose = "definitions and instances", .subjects = "$KV." REGISTRY_BUCKET ".>", .history = 10,
	    .ttl = true, .direct = STORE_ON, .missing = FINDING_WARNING, .without = "no service was ever registered here",
	    .make = make_registry },
	{ .stream = "KV_" CONTRACT_BUCKET, .purpose = "contracts of services", .subjects = "$KV." CONTRACT_BUCKET ".>", .history = 10,
	    .direct = STORE_ON, .markers = true, .missing = FINDING_NOTE, .without = "no service has a contract", .make = make_contracts },
	{ .stream = NULL },
};

static void
check_stores(struct checkup *c)
{
	for (const struct store *s = registry_stores; s->stream != NULL; s++)
		store_check(c, s);
}

/* --- records ------------------------------------------------------------------------------ */

/* remove_word: "SERVICE/ID" or "NAME" of a key, as `registry rm` takes it; false for what it would refuse. */
static bool
remove_word(const char *key, char out[300])
{
	struct text service, id;

	if (!key_parse(key, &service, &id)) {
		snprintf(out, 300, "%s", key);
		return name_ok(NAME_SERVICE_CALLED, key, strlen(key));
	}
	snprintf(out, 300, "%.*s/%.*s", (int)service.n, service.p, (int)id.n, id.p);
	return name_ok(NAME_SERVICE_CALLED, service.p, service.n) && name_ok(NAME_INSTANCE_CALLED, id.p, id.n);
}

/* say_unreadable: l->named holds "KEY: why"; a key has no blank. */
static void
say_unreadable(struct checkup *c, const struct registry_list *l)
{
	for (size_t i = 0; i < l->unreadable && i < REGISTRY_NAMED; i++) {
		char *key = mem_text_n(l->named[i], strcspn(l->named[i], " "));
		char word[300], remedy[400];
		key[strlen(key) - 1] = '\0';		/* the colon */
		if (remove_word(key, word))
			snprintf(remedy, sizeof remedy, "aegis registry rm %s --yes", word);
		else
			snprintf(remedy, sizeof remedy, "nats kv del " REGISTRY_BUCKET " %s -f", key);
		findings_add(c->out, FINDING_WARNING, ERR_CORRUPT, remedy, "the record %s; everybody leaves it out", l->named[i]);
		mem_free(key);
	}
	if (l->unreadable > REGISTRY_NAMED)
		findings_add(c->out, FINDING_WARNING, ERR_CORRUPT, NULL, "%zu more records cannot be read",
		    l->unreadable - REGISTRY_NAMED);
}

static void
check_records(struct checkup *c)
{
	struct registry *r;
	struct registry_list list;
	struct registry_query all = { .definitions = true, .instances = true, .stale = true, .stale_ns = c->stale_ns };
	struct err err;

	if ((r = registry_new(&(struct registry_opts){ .conn = c->conn }, &err)) == NULL) {
		checkup_failed(c, &err);
		return;
	}
	if (registry_list(r, &all, &list, &err) == ERR_OK) {
		say_unreadable(c, &list);
		registry_list_release(&list);
	} else {
		checkup_failed(c, &err);
	}
	registry_free(r);
}

/* --- instances ---------------------------------------------------------------------------- */

/* say_instance: the worst that there is to say of one record, and nothing else of it. */
static void
say_instance(struct checkup *c, const struct registry_item *it)
{
	const struct instance *i = it->instance;
	int64_t stored = checkup_now(c).ns - it->at.ns, off = i->last_heartbeat.ns - it->at.ns;
	int64_t age = clock_wall(clock_system()).ns - i->last_heartbeat.ns;
	char word[300], remedy[640];

	snprintf(word, sizeof word, "%s/%s", i->service, i->id);
	if (!it->fresh) {
		snprintf(remedy, sizeof remedy, "aegis registry rm %s --yes", word);
		findings_add(c->out, FINDING_WARNING, ERR_INSTANCE_UNKNOWN, remedy,
		    "instance %s was last heard of %lld s ago: it is dead or cut off, and nobody calls it", word, (long long)(age / NS_PER_S));
	} else if (stored > c->stale_ns) {
		snprintf(remedy, sizeof remedy, "aegis registry rm %s --confirm %s", word, word);
		findings_add(c->out, FINDING_WARNING, ERR_INSTANCE_UNKNOWN, remedy,
		    "the heartbeat of instance %s stands still: its record was not written for %lld s, though its own time makes it look "
		    "alive; it is called and does not answer", word, (long long)(stored / NS_PER_S));
	} else if (off > CLOCK_NS || off < -CLOCK_NS) {
		findings_add(c->out, FINDING_WARNING, ERR_SYSTEM, "timedatectl set-ntp true",
		    "the clock of instance %s is %lld s %s the server's: it looks %s than it is; set the clock of its machine", word,
		    (long long)((off < 0 ? -off : off) / NS_PER_S), off < 0 ? "behind" : "ahead of", off < 0 ? "older" : "younger");
	}
}

static void
check_instances(struct checkup *c)
{
	struct registry *r = registry_new(&(struct registry_opts){ .conn = c->conn }, NULL);
	struct registry_query q = { .instances = true, .stale = true, .stale_ns = c->stale_ns };
	struct registry_list list;
	struct err err;

	if (r != NULL && registry_list(r, &q, &list, &err) == ERR_OK) {		/* check_records tells of failures */
		for (size_t i = 0; i < list.n; i++)
			say_instance(c, &list.v[i]);
		registry_list_release(&list);
	}
	registry_free(r);
}

static const char *const asks[] = {
	"$JS.API.STREAM.INFO.KV_" REGISTRY_BUCKET, "$JS.API.CONSUMER.CREATE.KV_" REGISTRY_BUCKET, NULL
};

const struct check registry_checks[] = {
	{ "registry.streams", "the buckets of the registry", NEEDS_JETSTREAM, check_stores, NULL },
	{ "registry.records", "records that cannot be read", NEEDS_JETSTREAM, check_records, asks },
	{ "registry.instances", "instances that are not heard of", NEEDS_JETSTREAM, check_instances, asks },
	{ NULL, NULL, NEEDS_NATS, NULL, NULL },
};
