/* registry_list.c - listings and histories: one pass over the bucket, sorted afterwards. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/record.h"
#include "codec/subject.h"
#include "registry/registry_inner.h"
#include "sys/clock.h"


struct collect {
	const struct registry_query *q;
	struct registry_list *out;
	size_t cap;
	struct wall now;
	int64_t stale_ns;
	struct codec *codec;
};

static struct registry_item *
append(struct collect *c, const struct kv_entry *e)
{
	mem_grow(&c->out->v, &c->cap, c->out->n + 1, sizeof *c->out->v);
	struct registry_item *it = &c->out->v[c->out->n++];
	*it = (struct registry_item){ .revision = e->revision, .at = e->created };
	return it;
}

static void
unreadable(struct collect *c, const struct kv_entry *e, const struct err *err)
{
	struct registry_list *l = c->out;

	if (l->named == NULL)
		l->named = mem_array(REGISTRY_NAMED, sizeof *l->named);
	if (l->unreadable < REGISTRY_NAMED)
		l->named[l->unreadable] = mem_printf("%s: %s", e->key, err->text);
	l->unreadable++;
}

static void
add_instance(struct collect *c, const struct kv_entry *e)
{
	struct instance *i = mem_new(sizeof *i);
	struct err err;

	if (instance_decode(c->codec, e->value, e->n, i, &err) != ERR_OK) {
		unreadable(c, e, &err);
		instance_free(i);
		return;
	}
	bool fresh = instance_is_fresh(i, c->now, c->stale_ns);
	bool wanted = (fresh || c->q->stale) && (c->q->service == NULL || strcmp(i->service, c->q->service) == 0);
	if (!wanted) {
		instance_free(i);
		return;
	}
	struct registry_item *it = append(c, e);
	it->instance = i;
	it->fresh = fresh;
}

static void
add_definition(struct collect *c, const struct kv_entry *e)
{
	struct definition *d = mem_new(sizeof *d);
	struct err err;

	if (definition_decode(c->codec, e->value, e->n, d, &err) != ERR_OK) {
		unreadable(c, e, &err);
		mem_free(d);
		return;
	}
	append(c, e)->definition = d;
}

static void
each_listed(void *arg, const struct kv_entry *e)
{
	struct collect *c = arg;
	struct text service, id;

	if (e->gone)
		return;
	if (key_parse(e->key, &service, &id)) {
		if (c->q->instances)
			add_instance(c, e);
	} else if (c->q->definitions && (c->q->service == NULL || strcmp(e->key, c->q->service) == 0)) {
		add_definition(c, e);
	}
}

static int
by_name(const void *pa, const void *pb)
{
	const struct registry_item *a = pa, *b = pb;

	if ((a->definition == NULL) != (b->definition == NULL))
		return a->definition == NULL ? 1 : -1;
	if (a->definition != NULL)
		return strcmp(a->definition->service, b->definition->service);
	int d = strcmp(a->instance->service, b->instance->service);
	return d != 0 ? d : strcmp(a->instance->id, b->instance->id);
}

/* demote: whoever is said to lead, though somebody led after it.  What belongs together is together. */
static void
demote(struct registry_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct instance *one = l->v[i].instance;
		bool overtaken = false;
		if (one == NULL || !instance_leads(one))
			continue;
		for (size_t k = i; k-- > 0 && !overtaken && l->v[k].instance != NULL &&
		    strcmp(l->v[k].instance->service, one->service) == 0;)
			overtaken = instance_is_overtaken(one, l->v[k].instance);
		for (size_t k = i + 1; k < l->n && !overtaken && strcmp(l->v[k].instance->service, one->service) == 0; k++)
			overtaken = instance_is_overtaken(one, l->v[k].instance);
		if (overtaken)
			instance_demote(one);
	}
}

enum err_code
registry_list(struct registry *r, const struct registry_query *q, struct registry_list *out, struct err *err)
{
	struct collect c = {
		.q = q, .out = out, .now = clock_wall(clock_system()), .codec = codec_mine(),
		.stale_ns = q->stale_ns > 0 ? q->stale_ns : STALE_AFTER_S * NS_PER_S,
	};

	*out = (struct registry_list){ .n = 0 };
	if (r->missing)
		return ERR_OK;
	/* Definitions are tokens of their own, so one of them needs no walk over all. */
	const char *filter = !q->instances && q->service != NULL ? q->service : ">";
	enum err_code code = kv_list(&r->kv, filter, false, each_listed, &c, err);
	if (code != ERR_OK) {
		registry_list_release(out);
		err_prefix(err, "registry: list");
		return code;
	}
	if (out->n > 1)
		qsort(out->v, out->n, sizeof *out->v, by_name);
	demote(out);
	return ERR_OK;
}

enum err_code
registry_judge(struct registry *r, struct instance *i, struct err *err)
{
	struct registry_query q = { .instances = true, .service = i->service, .stale = true };
	struct registry_list all;

	if (!instance_leads(i))
		return ERR_OK;
	enum err_code code = registry_list(r, &q, &all, err);
	if (code != ERR_OK)
		return code;
	for (size_t k = 0; k < all.n; k++)
		if (instance_is_overtaken(i, all.v[k].instance)) {
			instance_demote(i);
			break;
		}
	registry_list_release(&all);
	return ERR_OK;
}

static void
each_revision(void *arg, const struct kv_entry *e)
{
	struct collect *c = arg;

	if (e->gone)
		append(c, e)->deleted = true;
	else
		add_definition(c, e);
}

enum err_code
registry_history(struct registry *r, const char *name, struct registry_list *out, struct err *err)
{
	struct registry_query q = { .definitions = true };
	struct collect c = { .q = &q, .out = out, .codec = codec_mine() };
	enum err_code code = ERR_OK;

	*out = (struct registry_list){ .n = 0 };
	if (!r->missing)
		code = kv_list(&r->kv, name, true, each_revision, &c, err);
	if (code != ERR_OK) {
		registry_list_release(out);
		err_prefix(err, "registry: history of '%s'", name);
		return code;
	}
	if (out->n == 0) {
		registry_list_release(out);
		return err_set(err, ERR_SERVICE_UNKNOWN, "registry: service '%s' was never defined", name);
	}
	return ERR_OK;
}

void
registry_list_release(struct registry_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].definition != NULL)
			definition_release(l->v[i].definition);
		mem_free(l->v[i].definition);
		instance_free(l->v[i].instance);
	}
	for (size_t i = 0; i < l->unreadable && i < REGISTRY_NAMED; i++)
		mem_free(l->named[i]);
	mem_free(l->named);
	mem_free(l->v);
	*l = (struct registry_list){ .n = 0 };
}
