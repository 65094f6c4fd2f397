/* map.c - linear probing, at most 3/4 full, tombstones cleared when it grows. */
#include "base/map.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/id.h"
#include "base/magic.h"
#include "base/mem.h"

static char tombstone[] = "";
static uint64_t seed;
static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static void
draw_seed(void)
{
	seed = id_random();
}

/* FNV-1a over the seed, finished by a multiply-shift so that the low bits, which choose
 * the slot, depend on every byte. */
uint64_t
map_hash(const char *key, size_t n)
{
	pthread_once(&seeded, draw_seed);
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ seed;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)key[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	h *= UINT64_C(0xd6e8feb86659fd93);
	return h ^ (h >> 32);
}

void
map_init(struct map *m)
{
	*m = (struct map){ NULL, 0, 0, 0 };
}

void
map_release(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		if (m->v[i].key != tombstone)
			mem_free(m->v[i].key);
	mem_free(m->v);
	map_init(m);
}

/* find: the key's slot, or the one where it would go; cap is not 0. */
static struct map_slot *
find(const struct map *m, const char *key, uint64_t hash)
{
	struct map_slot *gap = NULL;

	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->v[i];
		if (s->key == NULL)
			return gap != NULL ? gap : s;
		if (s->key == tombstone) {
			if (gap == NULL)
				gap = s;
		} else if (s->hash == hash && strcmp(s->key, key) == 0) {
			return s;
		}
	}
}

static bool
is_live(const struct map_slot *s)
{
	return s->key != NULL && s->key != tombstone;
}

static void
grow(struct map *m)
{
	struct map old = *m;
	size_t cap = 16;

	while (cap < old.n * 2 + 2)
		cap *= 2;
	m->v = mem_array(cap, sizeof *m->v);
	m->cap = cap;
	m->used = old.n;
	for (size_t i = 0; i < old.cap; i++)
		if (is_live(&old.v[i]))
			*find(m, old.v[i].key, old.v[i].hash) = old.v[i];
	mem_free(old.v);
}

void *
map_get(const struct map *m, const char *key)
{
	if (m->cap == 0)
		return NULL;
	struct map_slot *s = find(m, key, map_hash(key, strlen(key)));
	return is_live(s) ? s->value : NULL;
}

void *
map_set(struct map *m, const char *key, void *value)
{
	MUST(value != NULL);
	if ((m->used + 1) * 4 > m->cap * 3)
		grow(m);
	uint64_t hash = map_hash(key, strlen(key));
	struct map_slot *s = find(m, key, hash);
	if (is_live(s)) {
		void *was = s->value;
		s->value = value;
		return was;
	}
	m->used += s->key == NULL;
	m->n++;
	*s = (struct map_slot){ mem_text(key), hash, value };
	return NULL;
}

void *
map_remove(struct map *m, const char *key)
{
	if (m->cap == 0)
		return NULL;
	struct map_slot *s = find(m, key, map_hash(key, strlen(key)));
	if (!is_live(s))
		return NULL;
	void *was = s->value;
	mem_free(s->key);
	*s = (struct map_slot){ tombstone, 0, NULL };
	m->n--;
	return was;
}

const struct map_slot *
map_next(const struct map *m, size_t *i)
{
	while (*i < m->cap) {
		const struct map_slot *s = &m->v[(*i)++];
		if (is_live(s))
			return s;
	}
	return NULL;
}
