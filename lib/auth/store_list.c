/* store_list.c - everything that the bucket holds, at once: for listings, and for cleaning up. */
#include <stdlib.h>
#include <string.h>

#include "auth/record.h"
#include "auth/store_inner.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "sys/clock.h"

#define GRACE_NS (24 * 3600 * NS_PER_S)		/* what is over stays so long, to be told as expired */

struct each {
	void (*fn)(void *arg, const char *key, const char *value, size_t n, uint64_t revision);
	void *arg;
};

static void
hand(void *arg, const struct kv_entry *e)
{
	struct each *x = arg;

	if (!e->gone)
		x->fn(x->arg, e->key, e->value, e->n, e->revision);
}

enum err_code
auth_store_each(struct auth_store *s,
    void (*each)(void *arg, const char *key, const char *value, size_t n, uint64_t revision), void *arg, struct err *err)
{
	struct each x = { each, arg };
	enum err_code code = auth_store_ready(s, err);

	if (code == ERR_NOT_FOUND)
		return ERR_OK;		/* nobody made a token yet */
	return code != ERR_OK ? code : kv_list(auth_store_kv(s), ">", false, hand, &x, err);
}

/* --- tokens with their last uses ------------------------------------------------------------ */

struct gather {
	struct auth_tokens *out;
	struct auth_use { char id[AUTH_ID_MAX]; struct wall at; } *uses;
	size_t n, cap;
};

static void
unreadable(struct auth_tokens *out, const char *key, const struct err *why)
{
	log_warning(EV_WATCH_BAD_RECORD, LOG_F(LOG_S("bucket", AUTH_BUCKET), LOG_S("key", key)),
	    "a record of tokens cannot be read and is left out: %s", why->text);
	out->unreadable++;
}

static void
gather(void *arg, const char *key, const char *value, size_t n, uint64_t revision)
{
	struct gather *g = arg;
	struct auth_tokens *out = g->out;
	struct err why;
	const char *id;

	switch (auth_key_kind(key, &id)) {
	case AUTH_KIND_TOKEN:
		mem_grow(&out->v, &out->cap, out->n + 1, sizeof *out->v);
		if (auth_token_read(id, value, n, revision, &out->v[out->n], &why) == ERR_OK)
			out->n++;
		else
			unreadable(out, key, &why);
		break;
	case AUTH_KIND_USED:
		mem_grow(&g->uses, &g->cap, g->n + 1, sizeof *g->uses);
		memcpy(g->uses[g->n].id, id, AUTH_ID_MAX);
		if (auth_used_read(value, n, &g->uses[g->n].at, &why) == ERR_OK)
			g->n++;
		break;
	default:
		break;
	}
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct auth_use *)a)->id, ((const struct auth_use *)b)->id);
}

static int
by_name(const void *a, const void *b)
{
	const struct auth_token *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c != 0 ? c : strcmp(x->id, y->id);
}

enum err_code
auth_store_tokens(struct auth_store *s, struct auth_tokens *out, struct err *err)
{
	struct gather g = { .out = out };

	memset(out, 0, sizeof *out);
	enum err_code code = auth_store_each(s, gather, &g, err);
	if (code == ERR_OK && g.n > 0)
		qsort(g.uses, g.n, sizeof *g.uses, by_id);
	for (size_t i = 0; code == ERR_OK && g.n > 0 && i < out->n; i++) {
		const struct auth_use *u = bsearch(out->v[i].id, g.uses, g.n, sizeof *g.uses, by_id);
		if (u != NULL)
			out->v[i].used = u->at;
	}
	if (code == ERR_OK && out->n > 0)
		qsort(out->v, out->n, sizeof *out->v, by_name);
	mem_free(g.uses);
	if (code != ERR_OK)
		auth_tokens_release(out);
	return code;
}

void
auth_tokens_release(struct auth_tokens *list)
{
	mem_free(list->v);
	memset(list, 0, sizeof *list);
}

/* --- sweeping ------------------------------------------------------------------------------- */

struct litter {
	enum auth_kind kind;
	char id[AUTH_ID_MAX], owner[AUTH_ID_MAX];	/* owner: the token that it belongs to; "" for a token */
	struct wall expires;
	uint64_t revision;
};

struct heap_of_litter {
	struct litter *v;
	size_t n, cap;
	struct map tokens;		/* that there are */
};

static void
look(void *arg, const char *key, const char *value, size_t n, uint64_t revision)
{
	struct heap_of_litter *h = arg;
	struct litter l = { .revision = revision };
	union { struct auth_token token; struct auth_session session; struct auth_code code; } x;
	struct err why;
	const char *id;

	l.kind = auth_key_kind(key, &id);
	if (l.kind == AUTH_KIND_NONE)
		return;
	memcpy(l.id, id, sizeof l.id);
	if (l.kind == AUTH_KIND_TOKEN) {
		map_set(&h->tokens, id, h);
		if (auth_token_read(id, value, n, revision, &x.token, &why) != ERR_OK)
			return;		/* a person should see it */
		l.expires = x.token.expires;
	} else if (l.kind == AUTH_KIND_SESSION) {
		if (auth_session_read(id, value, n, revision, &x.session, &why) == ERR_OK) {
			memcpy(l.owner, x.session.token, sizeof l.owner);
			l.expires = x.session.expires;
		}
	} else if (l.kind == AUTH_KIND_CODE) {
		if (auth_code_read(id, value, n, revision, &x.code, &why) == ERR_OK) {
			memcpy(l.owner, x.code.token, sizeof l.owner);
			l.expires = x.code.expires;
		}
	} else {
		memcpy(l.owner, id, sizeof l.owner);
	}
	mem_grow(&h->v, &h->cap, h->n + 1, sizeof *h->v);
	h->v[h->n++] = l;
}

/* is_litter: nobody will ask for it any more. */
static bool
is_litter(const struct heap_of_litter *h, const struct litter *l, struct wall now)
{
	if (auth_is_over(l->expires, now) && now.ns - l->expires.ns > GRACE_NS)
		return true;
	return l->kind != AUTH_KIND_TOKEN && map_get(&h->tokens, l->owner) == NULL;
}

enum err_code
auth_store_sweep(struct auth_store *s, struct err *err)
{
	struct heap_of_litter h = { .n = 0 };
	struct wall now = clock_wall(clock_system());
	struct err quiet;

	map_init(&h.tokens);
	enum err_code code = auth_store_each(s, look, &h, err);
	for (size_t i = 0; code == ERR_OK && i < h.n; i++)
		if (is_litter(&h, &h.v[i], now))
			auth_store_drop(s, h.v[i].kind, h.v[i].id, h.v[i].revision, &quiet);	/* or another did */
	map_release(&h.tokens);
	mem_free(h.v);
	return code;
}
