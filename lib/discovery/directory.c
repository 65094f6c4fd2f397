/* directory.c - building and searching the immutable picture. */
#include "discovery/directory.h"

#include <string.h>

#include "base/magic.h"
#include "base/map.h"
#include "base/mem.h"
#include "discovery/table.h"
#include "discovery/directory_build.h"

static void
directory_free(struct snapshot *s)
{
	struct directory *d = CONTAINER_OF(s, struct directory, snapshot);

	for (size_t i = 0; i < d->n; i++)
		group_unref(d->v[i]);
	for (size_t i = 0; i < d->ndefined; i++)
		defined_unref(d->defined[i]);
	mem_free(d->defined);
	mem_free(d->v);
	mem_free(d->index);
	mem_free(d);
}

struct directory *
directory_build(struct table *t, uint64_t version)
{
	struct directory *d = mem_new(sizeof *d);
	uint32_t cap = 8;

	snapshot_init(&d->snapshot, directory_free);
	d->version = version;
	d->n = table_groups(t, &d->v);
	d->instances = table_instances(t);
	d->ndefined = table_defined(t, &d->defined);
	while (cap < d->n * 2)
		cap *= 2;
	d->mask = cap - 1;
	d->index = mem_array(cap, sizeof *d->index);
	for (size_t i = 0; i < d->n; i++) {
		uint32_t h = (uint32_t)map_hash(d->v[i]->name, strlen(d->v[i]->name));
		while (d->index[h & d->mask] != 0)
			h++;
		d->index[h & d->mask] = (uint32_t)i + 1;
	}
	return d;
}

const struct service_group *
directory_find(const struct directory *d, const char *service)
{
	if (d == NULL)
		return NULL;
	uint32_t h = (uint32_t)map_hash(service, strlen(service));
	for (uint32_t at; (at = d->index[h & d->mask]) != 0; h++)
		if (strcmp(d->v[at - 1]->name, service) == 0)
			return d->v[at - 1];
	return NULL;
}

const struct defined *
directory_defined(const struct directory *d, const char *service)
{
	size_t lo = 0, hi = d != NULL ? d->ndefined : 0;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int order = strcmp(d->defined[mid]->name, service);
		if (order == 0)
			return d->defined[mid];
		*(order < 0 ? &lo : &hi) = order < 0 ? mid + 1 : mid;
	}
	return NULL;
}

size_t
directory_names(const struct directory *d, const char **out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n && n < max; i++)
		out[n++] = d->v[i]->name;
	for (size_t i = 0; i < d->ndefined && n < max; i++)
		if (directory_find(d, d->defined[i]->name) == NULL)
			out[n++] = d->defined[i]->name;
	return n;
}
