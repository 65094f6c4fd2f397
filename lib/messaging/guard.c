/* guard.c - the watch publishes compiled contracts, and who checks takes the one of the moment.
 *
 * The watch's thread alone writes; readers hold a reference and wait for nobody. */
#include "messaging/guard.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "codec/subject.h"
#include "messaging/traffic.h"
#include "nats/watch.h"
#include "sys/snapshot.h"

#define GUARD_MAGIC 0x60a5d001u
#define EVENT_NAME_MAX 256		/* as long as no subject is */

struct guard {
	unsigned magic;
	char *service;
	enum guard_mode mode;
	struct traffic *traffic;
	struct watch *watch;
	struct snapshot_cell now;	/* of struct version; empty: no contract */
	atomic_bool known;		/* what is there was read, or is known not to be there */
	atomic_ulong broken;

	/* The watch's thread only. */
	struct codec *codec;
	bool seen;			/* in this listing */
	bool has;			/* a version is published */
};

struct version {
	struct snapshot snapshot;
	struct contract *contract;
};

/* --- the contract of the moment ---------------------------------------------------------- */

static void
version_free(struct snapshot *s)
{
	struct version *v = CONTAINER_OF(s, struct version, snapshot);

	contract_free(v->contract);
	mem_free(v);
}

static void
on_none(struct guard *g)
{
	if (g->has)
		log_info(EV_CONTRACT_CHANGED, LOG_F(LOG_S("contract", g->service)),
		    "the service has no contract any more; nothing is judged");
	g->has = false;
	snapshot_publish(&g->now, NULL);
	atomic_store(&g->known, true);
}

static void
on_contract(struct guard *g, const struct kv_entry *e)
{
	struct data d = { DATA_JSON, e->value, e->n };
	struct contract *c = NULL;
	struct value v;
	struct err err;

	if (codec_parse(g->codec, d, &v, &err) == ERR_OK)
		c = contract_new(&v, &err);
	if (c == NULL) {
		log_warning(EV_CONTRACT_BAD, LOG_F(LOG_S("contract", g->service), LOG_N("revision", e->revision), LOG_S("err", err.text)),
		    "the contract of the service cannot be read; %s: %s", atomic_load(&g->known) ? "what was known before goes on"
		    : g->mode == GUARD_ENFORCE ? "nothing is let pass until it can be" : "nothing is judged until it can be", err.text);
		return;
	}
	struct version *fresh = mem_new(sizeof *fresh);
	snapshot_init(&fresh->snapshot, version_free);
	fresh->contract = c;
	snapshot_publish(&g->now, &fresh->snapshot);
	g->has = true;
	atomic_store(&g->known, true);
	log_info(EV_CONTRACT_CHANGED, LOG_F(LOG_S("contract", g->service), LOG_N("revision", e->revision)),
	    "the contract of the service is at revision %llu", (unsigned long long)e->revision);
}

static void
on_watch(void *arg, const struct watch_event *ev)
{
	struct guard *g = arg;

	MAGIC_CHECK(g, GUARD_MAGIC);
	switch (ev->what) {
	case WATCH_SYNC_BEGIN:
		g->seen = false;
		break;
	case WATCH_ENTRY:
		if (strcmp(ev->entry->key, g->service) != 0)
			break;
		g->seen = true;
		if (ev->entry->gone)
			on_none(g);
		else
			on_contract(g, ev->entry);
		break;
	case WATCH_SYNC_END:
		if (!g->seen)
			on_none(g);
		break;
	case WATCH_ABSENT:
		on_none(g);
		break;
	case WATCH_LOST:
		break;		/* the last one known goes on */
	}
}

struct guard *
guard_new(const struct guard_opts *o, struct err *err)
{
	struct guard *g = mem_new(sizeof *g);

	MUST(o->mode != GUARD_OFF);
	g->magic = GUARD_MAGIC;
	g->service = mem_text(o->service);
	g->mode = o->mode;
	g->traffic = o->traffic;
	g->codec = codec_new();
	snapshot_cell_init(&g->now);
	g->watch = watch_new_key(o->conn, CONTRACT_BUCKET, g->service, on_watch, g, err);
	if (g->watch != NULL)
		return g;
	guard_free(g);
	return NULL;
}

void
guard_free(struct guard *g)
{
	if (g == NULL)
		return;
	watch_free(g->watch);
	snapshot_publish(&g->now, NULL);
	codec_free(g->codec);
	mem_free(g->service);
	MAGIC_WIPE(g);
	mem_free(g);
}

uint64_t
guard_broken(const struct guard *g)
{
	return atomic_load(&g->broken);
}

/* --- judging ----------------------------------------------------------------------------- */

/* judge: v is decoded, or holds an encoded value, for which a decoder of its own is made: the
 * thread's may hold what its caller still reads. */
static enum err_code
judge(const struct schema *s, const struct value *v, struct err *err)
{
	if (v->type != VALUE_RAW)
		return schema_check(s, v, err);
	struct codec *codec = codec_new();
	struct value decoded;
	enum err_code code = codec_parse(codec, v->u.raw, &decoded, err);
	if (code == ERR_OK)
		code = schema_check(s, &decoded, err);
	codec_free(codec);
	return code;
}

static enum err_code
broke(struct guard *g, enum contract_part part, struct text name, const struct err *why, struct err *err)
{
	char what[EVENT_NAME_MAX];

	snprintf(what, sizeof what, "%.*s", (int)name.n, name.p);
	atomic_fetch_add(&g->broken, 1);
	traffic_contract_broken(g->traffic);
	log_warning(EV_CONTRACT_BROKEN, LOG_F(LOG_S("contract", g->service), LOG_S("name", what), LOG_S("err", why->text)),
	    "%s '%s' and the contract disagree%s: %s", contract_part_name(part), what,
	    g->mode == GUARD_ENFORCE ? ", so it is refused" : "", why->text);
	if (g->mode != GUARD_ENFORCE)
		return ERR_OK;
	return err_set(err, ERR_CONTRACT, "%s '%s': %s", contract_part_name(part), what, why->text);
}

enum err_code
guard_value(struct guard *g, enum contract_part part, struct text name, const struct value *v, struct err *err)
{
	struct err why;

	if (g == NULL)
		return ERR_OK;
	MAGIC_CHECK(g, GUARD_MAGIC);
	if (!atomic_load(&g->known))
		return g->mode != GUARD_ENFORCE ? ERR_OK
		    : err_set(err, ERR_BUSY, "the contract of '%s' is not read yet; try again", g->service);
	struct snapshot *now = snapshot_take(&g->now);
	if (now == NULL)
		return ERR_OK;
	const struct schema *s = contract_find(CONTAINER_OF(now, struct version, snapshot)->contract, part, name);
	enum err_code code = s != NULL ? judge(s, v, &why) : ERR_OK;
	snapshot_drop(now);
	return code == ERR_OK ? ERR_OK : broke(g, part, name, &why, err);
}

enum err_code
guard_data(struct guard *g, enum contract_part part, struct text name, struct data d, struct err *err)
{
	struct value v = { .type = VALUE_NULL };

	if (d.p != NULL)
		v = (struct value){ .type = VALUE_RAW, .u.raw = d };
	return guard_value(g, part, name, &v, err);
}

enum err_code
guard_event(struct guard *g, const char *domain, const char *type, const struct value *payload, struct err *err)
{
	char name[EVENT_NAME_MAX];

	if (g == NULL)
		return ERR_OK;
	int n = snprintf(name, sizeof name, "%s.%s", domain, type);
	return guard_value(g, CONTRACT_EVENT, (struct text){ name, (size_t)n < sizeof name ? (size_t)n : sizeof name - 1 },
	    payload, err);
}
