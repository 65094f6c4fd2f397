/* table.c - two maps by id; everything else is walks over them, which are rare. */
#include "auth/table.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define KEEP_TOKEN_NS (24 * 3600 * NS_PER_S)	/* an expired token is told as such for a day */

struct known_token {
	struct auth_token token;
	struct wall used, written;	/* last use here or elsewhere, and the last that is stored */
	bool due;
	uint64_t mark;
};

struct known_session {
	struct auth_session session;
	struct wall used;		/* here, or as touched elsewhere */
	bool due;
	uint64_t mark;
};

struct auth_table {
	struct map tokens, sessions;
	uint64_t mark;			/* of the listing under way, or the last one */
	size_t due;			/* uses to write */
};

struct auth_table *
auth_table_new(void)
{
	struct auth_table *t = mem_new(sizeof *t);

	map_init(&t->tokens);
	map_init(&t->sessions);
	return t;
}

static void
release(struct map *m)
{
	const struct map_slot *s;

	for (size_t i = 0; (s = map_next(m, &i)) != NULL; )
		mem_free(s->value);
	map_release(m);
}

void
auth_table_free(struct auth_table *t)
{
	if (t == NULL)
		return;
	release(&t->tokens);
	release(&t->sessions);
	mem_free(t);
}

static struct wall
later(struct wall a, struct wall b)
{
	return a.ns > b.ns ? a : b;
}

bool
auth_table_token(struct auth_table *t, const struct auth_token *x)
{
	struct known_token *k = map_get(&t->tokens, x->id);

	if (k == NULL) {
		if (t->tokens.n >= AUTH_TOKENS_MAX)
			return false;
		k = mem_new(sizeof *k);
		map_set(&t->tokens, x->id, k);
	}
	k->token = *x;
	k->used = later(k->used, x->used);
	k->written = later(k->written, x->used);
	k->mark = t->mark;
	return true;
}

bool
auth_table_session(struct auth_table *t, const struct auth_session *x)
{
	struct known_session *k = map_get(&t->sessions, x->id);

	if (k == NULL) {
		if (t->sessions.n >= AUTH_SESSIONS_MAX)
			return false;
		k = mem_new(sizeof *k);
		map_set(&t->sessions, x->id, k);
	}
	k->session = *x;
	k->used = later(k->used, x->touched);
	k->mark = t->mark;
	return true;
}

void
auth_table_used(struct auth_table *t, const char *id, struct wall at)
{
	struct known_token *k = map_get(&t->tokens, id);

	if (k == NULL)
		return;
	k->used = later(k->used, at);
	k->written = later(k->written, at);
}

/* --- removal -------------------------------------------------------------------------------- */

static void
remove_session(struct auth_table *t, const char *id)
{
	struct known_session *k = map_remove(&t->sessions, id);

	if (k != NULL)
		t->due -= k->due;
	mem_free(k);
}

static void
remove_sessions_of(struct auth_table *t, const char *token)
{
	const struct map_slot *s;

	for (size_t i = 0; (s = map_next(&t->sessions, &i)) != NULL; ) {
		const struct known_session *k = s->value;
		if (strcmp(k->session.token, token) == 0)
			remove_session(t, k->session.id);
	}
}

bool
auth_table_remove(struct auth_table *t, enum auth_kind kind, const char *id)
{
	char own[AUTH_ID_MAX];		/* id may lie in what goes */

	snprintf(own, sizeof own, "%s", id);
	if (kind == AUTH_KIND_SESSION) {
		bool was = map_get(&t->sessions, own) != NULL;
		remove_session(t, own);
		return was;
	}
	if (kind != AUTH_KIND_TOKEN)
		return false;
	struct known_token *k = map_remove(&t->tokens, own);
	if (k != NULL)
		t->due -= k->due;
	mem_free(k);
	remove_sessions_of(t, own);
	return k != NULL;
}

/* --- verdicts ------------------------------------------------------------------------------- */

static void
use_token(struct auth_table *t, struct known_token *k, struct wall now)
{
	k->used = later(k->used, now);
	if (!k->due && auth_touch_due(k->written, now)) {
		k->due = true;
		t->due++;
	}
}

enum auth_verdict
auth_judge_token(struct auth_table *t, const struct digest *d, struct wall now, struct auth_who *who)
{
	char id[AUTH_ID_MAX];

	auth_id_of(d, id);
	struct known_token *k = map_get(&t->tokens, id);
	if (k == NULL)
		return AUTH_UNKNOWN;
	if (!digest_same(&k->token.digest, d))
		return AUTH_WRONG;
	if (auth_is_over(k->token.expires, now))
		return AUTH_OVER;
	use_token(t, k, now);
	auth_token_who(&k->token, false, who);
	return AUTH_KNOWN;
}

enum auth_verdict
auth_judge_session(struct auth_table *t, const struct digest *d, struct wall now, struct auth_who *who)
{
	char id[AUTH_ID_MAX];

	auth_id_of(d, id);
	struct known_session *k = map_get(&t->sessions, id);
	if (k == NULL)
		return AUTH_UNKNOWN;
	if (!digest_same(&k->session.digest, d))
		return AUTH_WRONG;
	if (auth_is_over(k->session.expires, now) || auth_is_idle(k->used, now))
		return AUTH_OVER;
	struct known_token *owner = map_get(&t->tokens, k->session.token);
	if (owner == NULL)
		return AUTH_UNKNOWN;
	if (auth_is_over(owner->token.expires, now))
		return AUTH_OVER;
	use_token(t, owner, now);
	k->used = later(k->used, now);
	if (!k->due && auth_touch_due(k->session.touched, now)) {
		k->due = true;
		t->due++;
	}
	auth_token_who(&owner->token, true, who);
	who->expires = k->session.expires;
	return AUTH_KNOWN;
}

/* --- uses ----------------------------------------------------------------------------------- */

bool
auth_table_due(struct auth_table *t, struct auth_due *due)
{
	const struct map_slot *s;

	for (size_t i = 0; t->due > 0 && (s = map_next(&t->tokens, &i)) != NULL; ) {
		struct known_token *k = s->value;
		if (!k->due)
			continue;
		k->due = false;
		k->written = k->used;		/* should the write fail, the next is tried in a minute */
		t->due--;
		*due = (struct auth_due){ .kind = AUTH_KIND_USED, .at = k->used };
		memcpy(due->id, k->token.id, sizeof due->id);
		return true;
	}
	for (size_t i = 0; t->due > 0 && (s = map_next(&t->sessions, &i)) != NULL; ) {
		struct known_session *k = s->value;
		if (!k->due)
			continue;
		k->due = false;
		k->session.touched = k->used;
		t->due--;
		*due = (struct auth_due){ .kind = AUTH_KIND_SESSION, .at = k->used, .session = k->session };
		memcpy(due->id, k->session.id, sizeof due->id);
		return true;
	}
	return false;
}

void
auth_table_carry(struct auth_table *to, const struct auth_table *from)
{
	const struct map_slot *s;

	for (size_t i = 0; (s = map_next(&from->tokens, &i)) != NULL; ) {
		const struct known_token *old = s->value;
		struct known_token *k = map_get(&to->tokens, s->key);
		if (k == NULL)
			continue;
		k->used = later(k->used, old->used);
		k->written = later(k->written, old->written);
	}
	for (size_t i = 0; (s = map_next(&from->sessions, &i)) != NULL; ) {
		const struct known_session *old = s->value;
		struct known_session *k = map_get(&to->sessions, s->key);
		if (k != NULL)
			k->used = later(k->used, old->used);
	}
}

/* --- listings and age ----------------------------------------------------------------------- */

void
auth_table_sync(struct auth_table *t)
{
	t->mark++;
}

size_t
auth_table_synced(struct auth_table *t)
{
	size_t before = t->tokens.n + t->sessions.n;
	const struct map_slot *s;

	for (size_t i = 0; (s = map_next(&t->tokens, &i)) != NULL; ) {
		const struct known_token *k = s->value;
		if (k->mark != t->mark)
			auth_table_remove(t, AUTH_KIND_TOKEN, k->token.id);
	}
	for (size_t i = 0; (s = map_next(&t->sessions, &i)) != NULL; ) {
		const struct known_session *k = s->value;
		if (k->mark != t->mark)
			auth_table_remove(t, AUTH_KIND_SESSION, k->session.id);
	}
	return before - t->tokens.n - t->sessions.n;
}

void
auth_table_drop(struct auth_table *t, struct wall now)
{
	const struct map_slot *s;

	for (size_t i = 0; (s = map_next(&t->sessions, &i)) != NULL; ) {
		const struct known_session *k = s->value;
		if (auth_is_over(k->session.expires, now) || auth_is_idle(k->used, now))
			auth_table_remove(t, AUTH_KIND_SESSION, k->session.id);
	}
	for (size_t i = 0; (s = map_next(&t->tokens, &i)) != NULL; ) {
		const struct known_token *k = s->value;
		if (k->token.expires.ns != 0 && now.ns - k->token.expires.ns > KEEP_TOKEN_NS)
			auth_table_remove(t, AUTH_KIND_TOKEN, k->token.id);
	}
}

size_t
auth_table_tokens(const struct auth_table *t)
{
	return t->tokens.n;
}

size_t
auth_table_sessions(const struct auth_table *t)
{
	return t->sessions.n;
}

size_t
auth_table_sessions_of(const struct auth_table *t, const char *token)
{
	const struct map_slot *s;
	size_t n = 0;

	for (size_t i = 0; (s = map_next(&t->sessions, &i)) != NULL; ) {
		const struct known_session *k = s->value;
		n += strcmp(k->session.token, token) == 0;
	}
	return n;
}
