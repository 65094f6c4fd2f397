/* arena.c - memory that is taken piece by piece and given back at once. */
#include "codec/inner.h"

#include <stdalign.h>
#include <string.h>

#include "base/mem.h"

#define ALIGN ((size_t)16)
#define FIRST ((size_t)4096)	/* an RPC request's tree takes about 700 bytes */

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;			/* with this header */
	alignas(16) char data[];
};

static size_t
rounded(size_t n)
{
	return (n + ALIGN - 1) & ~(ALIGN - 1);
}

static void
chunk_add(struct arena *a, size_t size)
{
	/* Not zeroed: every byte is written before it is read, and big chunks would pay for it. */
	struct arena_chunk *c = mem_resize(NULL, size, 1);

	c->next = a->head;
	c->size = size;
	a->head = c;
	a->p = c->data;
	a->end = (char *)c + size;
	a->total += size;
}

void
arena_release(struct arena *a)
{
	for (struct arena_chunk *c = a->head, *next; c != NULL; c = next) {
		next = c->next;
		mem_free(c);
	}
	*a = (struct arena){ 0 };
}

void
arena_reset(struct arena *a)
{
	if (a->head == NULL)
		return;
	if (a->head->next == NULL && a->total <= ARENA_KEEP) {
		a->p = a->head->data;
		return;
	}
	size_t total = a->total;
	arena_release(a);
	if (total <= ARENA_KEEP)
		chunk_add(a, total);
}

void *
arena_alloc(struct arena *a, size_t n)
{
	n = rounded(n);
	if ((size_t)(a->end - a->p) < n) {
		/* Doubling keeps the number of chunks small while an arena finds its size. */
		size_t size = a->total > FIRST ? a->total : FIRST;
		if (size < n + sizeof(struct arena_chunk))
			size = n + sizeof(struct arena_chunk);
		chunk_add(a, size);
	}
	void *p = a->p;
	a->p += n;
	return p;
}

void *
arena_resize(struct arena *a, void *p, size_t from, size_t to)
{
	char *last = p;

	if (last + rounded(from) == a->p && (size_t)(a->end - last) >= rounded(to)) {
		a->p = last + rounded(to);
		return p;
	}
	void *q = arena_alloc(a, to);
	memcpy(q, p, from < to ? from : to);
	return q;
}
