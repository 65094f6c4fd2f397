/* heap.c - see heap.h; v[0] is the minimum, children of i are 2i+1 and 2i+2. */
#include "base/heap.h"

#include "base/mem.h"

void
heap_init(struct heap *h)
{
	*h = (struct heap){ NULL, 0, 0 };
}

void
heap_release(struct heap *h)
{
	mem_free(h->v);
	heap_init(h);
}

static void
place(struct heap *h, size_t i, struct heap_node *n)
{
	h->v[i] = n;
	n->at = i + 1;
}

static void
up(struct heap *h, size_t i, struct heap_node *n)
{
	while (i > 0 && h->v[(i - 1) / 2]->key > n->key) {
		place(h, i, h->v[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(h, i, n);
}

static void
down(struct heap *h, size_t i, struct heap_node *n)
{
	for (;;) {
		size_t c = 2 * i + 1;
		if (c >= h->n)
			break;
		if (c + 1 < h->n && h->v[c + 1]->key < h->v[c]->key)
			c++;
		if (h->v[c]->key >= n->key)
			break;
		place(h, i, h->v[c]);
		i = c;
	}
	place(h, i, n);
}

void
heap_put(struct heap *h, struct heap_node *n, int64_t key)
{
	heap_remove(h, n);
	n->key = key;
	mem_grow(&h->v, &h->cap, h->n + 1, sizeof *h->v);
	up(h, h->n++, n);
}

void
heap_remove(struct heap *h, struct heap_node *n)
{
	if (n->at == 0)
		return;
	size_t i = n->at - 1;
	struct heap_node *last = h->v[--h->n];
	n->at = 0;
	if (last == n)
		return;
	if (i > 0 && h->v[(i - 1) / 2]->key > last->key)
		up(h, i, last);
	else
		down(h, i, last);
}

struct heap_node *
heap_min(const struct heap *h)
{
	return h->n > 0 ? h->v[0] : NULL;
}
