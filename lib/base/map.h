/* map.h - text key to pointer, open addressing.
 *
 * Keys come from the network, so the hash is seeded per process: nobody can choose
 * names that collide.  Keys are copied; values are the caller's.  Not thread-safe. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
	char *key;		/* NULL free; the tombstone is a key of its own */
	uint64_t hash;
	void *value;
};

struct map {
	struct map_slot *v;
	size_t n;		/* live keys */
	size_t used;		/* live keys and tombstones */
	size_t cap;		/* power of two, or 0 */
};

void map_init(struct map *m);
void map_release(struct map *m);			/* frees keys, not values */
void *map_get(const struct map *m, const char *key);	/* NULL when absent */
void *map_set(struct map *m, const char *key, void *value);	/* the value it replaced, or NULL; value is not NULL */
void *map_remove(struct map *m, const char *key);	/* the value it had, or NULL */

/* map_next(m, &i): the next live slot from place i on, NULL at the end; start with i = 0.
 * The map must not grow during the walk; removing the current key is fine. */
const struct map_slot *map_next(const struct map *m, size_t *i);

uint64_t map_hash(const char *key, size_t n);		/* the seeded hash itself */

#endif
