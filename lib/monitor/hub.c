/* hub.c - a list by last change, a map by key, and cursors. */
#include "monitor/hub.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

struct node {
	struct node *older, *newer;
	char *key;			/* topic's bit, a blank, the key */
	struct hub_item *item;
	uint64_t revision;		/* the latest of the registry that changed it */
	uint64_t reach;			/* how far the registry was followed by then */
	bool own;
};

struct hub {
	uint64_t replica, incarnation;
	uint64_t place, reach;
	bool doubtful;
	uint64_t lost_place, lost_reach;	/* removals up to there may not be told any more */
	struct node *oldest, *newest;
	struct map nodes;
	size_t n, markers;
};

bool
hub_topics(struct text list, unsigned *out)
{
#define X(id, name) name,
	static const char *const names[] = { HUB_TOPICS(X) };
#undef X
	unsigned found = 0;

	while (list.n > 0) {
		const char *comma = memchr(list.p, ',', list.n);
		struct text one = { list.p, comma != NULL ? (size_t)(comma - list.p) : list.n };
		size_t i = 0;
		while (i < HUB_TOPIC_COUNT && !text_is(one, names[i]))
			i++;
		if (i == HUB_TOPIC_COUNT)
			return false;
		found |= 1u << i;
		list.n -= one.n + (comma != NULL);
		list.p += one.n + (comma != NULL);
	}
	*out = found != 0 ? found : HUB_ALL;
	return true;
}

/* --- items and nodes ---------------------------------------------------------------------- */

void
hub_item_unref(struct hub_item *i)
{
	if (i == NULL || atomic_fetch_sub(&i->refs, 1) != 1)
		return;
	mem_free(i->service);
	mem_free(i);
}

static struct hub_item *
item_ref(struct hub_item *i)
{
	atomic_fetch_add(&i->refs, 1);
	return i;
}

static struct hub_item *
item_new(const struct hub_state *s, uint64_t place)
{
	struct hub_item *i = mem_new(sizeof *i + s->data.n + 1);

	atomic_init(&i->refs, 1);
	i->topic = s->topic;
	i->gone = s->gone;
	i->place = place;
	i->service = mem_text(s->service != NULL ? s->service : "");
	i->event = s->event;
	i->n = s->data.n;
	memcpy(i->data, s->data.p, s->data.n);
	return i;
}

static char *
name_of(enum hub_topic topic, const char *key)
{
	return mem_printf("%x %s", (unsigned)topic, key);
}

static void
unlink_node(struct hub *h, struct node *n)
{
	*(n->older != NULL ? &n->older->newer : &h->oldest) = n->newer;
	*(n->newer != NULL ? &n->newer->older : &h->newest) = n->older;
	n->older = n->newer = NULL;
}

static void
append(struct hub *h, struct node *n)
{
	n->older = h->newest;
	*(h->newest != NULL ? &h->newest->newer : &h->oldest) = n;
	h->newest = n;
}

static void
node_free(struct hub *h, struct node *n)
{
	unlink_node(h, n);
	map_remove(&h->nodes, n->key);
	h->markers -= n->item->gone;
	h->n--;
	hub_item_unref(n->item);
	mem_free(n->key);
	mem_free(n);
}

struct hub *
hub_new(uint64_t replica)
{
	struct hub *h = mem_new(sizeof *h);

	h->replica = replica;
	map_init(&h->nodes);
	return h;
}

void
hub_free(struct hub *h)
{
	if (h == NULL)
		return;
	while (h->oldest != NULL)
		node_free(h, h->oldest);
	map_release(&h->nodes);
	mem_free(h);
}

/* --- writing ------------------------------------------------------------------------------ */

/* drop_marker: the oldest; who has not read it cannot know any more what it was. */
static void
drop_marker(struct hub *h)
{
	struct node *n = h->oldest;

	while (n != NULL && !n->item->gone)
		n = n->newer;
	if (n == NULL)
		return;
	h->lost_place = n->item->place;
	/* A removal that the registry did not tell happened at the latest when the registry was that far. */
	uint64_t at = n->revision > n->reach ? n->revision : n->reach;
	if (at > h->lost_reach)
		h->lost_reach = at;
	node_free(h, n);
}

void
hub_put(struct hub *h, const struct hub_state *s)
{
	char *name = name_of(s->topic, s->key);
	struct node *n = map_get(&h->nodes, name);

	if (s->gone && (n == NULL || n->item->gone)) {
		mem_free(name);
		return;
	}
	if (n == NULL) {
		n = mem_new(sizeof *n);
		n->key = name;
		map_set(&h->nodes, name, n);
		h->n++;
	} else {
		mem_free(name);
		h->markers -= n->item->gone;
		hub_item_unref(n->item);
		unlink_node(h, n);
	}
	n->item = item_new(s, ++h->place);
	n->own = s->own;
	if (s->revision > n->revision)
		n->revision = s->revision;
	n->reach = h->reach;
	append(h, n);
	h->markers += s->gone;
	if (h->markers > HUB_MARKERS)
		drop_marker(h);
}

void
hub_forget(struct hub *h, enum hub_topic topic, const char *key)
{
	char *name = name_of(topic, key);
	struct node *n = map_get(&h->nodes, name);

	if (n != NULL)
		node_free(h, n);
	mem_free(name);
}

const struct hub_item *
hub_data(const struct hub *h, enum hub_topic topic, const char *key)
{
	char *name = name_of(topic, key);
	const struct node *n = map_get(&h->nodes, name);

	mem_free(name);
	return n != NULL && !n->item->gone ? n->item : NULL;
}

void
hub_bucket(struct hub *h, uint64_t incarnation, uint64_t since)
{
	/* A bucket that was made again counts anew, so what was known of the old numbers is void. */
	if (h->incarnation != 0 && incarnation != h->incarnation) {
		h->lost_place = h->place;
		h->reach = h->lost_reach = 0;
		for (struct node *n = h->oldest; n != NULL; n = n->newer)
			n->revision = n->reach = 0;
	}
	h->incarnation = incarnation;
	if (since > h->lost_reach)
		h->lost_reach = since;
	if (since > h->reach)
		h->reach = since;
}

void
hub_reached(struct hub *h, uint64_t revision)
{
	if (revision > h->reach)
		h->reach = revision;
}

void
hub_doubt(struct hub *h, bool doubtful)
{
	h->doubtful = doubtful;
}

uint64_t
hub_place(const struct hub *h)
{
	return h->place;
}

/* --- reading ------------------------------------------------------------------------------ */

void
hub_position(const struct hub *h, const struct hub_cursor *c, char out[HUB_POSITION_MAX])
{
	snprintf(out, HUB_POSITION_MAX, "%" PRIx64 "-%" PRIx64 "-%" PRIx64 "-%" PRIx64 "%s", h->incarnation, c->reach, h->replica,
	    c->place, c->doubtful ? "-d" : "");
}

/* read_number: hexadecimal digits up to a '-' or the end. */
static bool
read_number(const char **at, uint64_t *out)
{
	uint64_t v = 0;
	int n = 0;

	for (; **at != '\0' && **at != '-'; (*at)++, n++) {
		char c = **at;
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
		if (digit < 0 || n == 16)
			return false;
		v = v << 4 | (uint64_t)digit;
	}
	if (**at == '-')
		(*at)++;
	*out = v;
	return n > 0;
}

enum hub_resume
hub_resume(const struct hub *h, const char *position, struct hub_cursor *c)
{
	uint64_t incarnation, reach, replica, place;

	if (!read_number(&position, &incarnation) || !read_number(&position, &reach) || !read_number(&position, &replica) ||
	    !read_number(&position, &place) || (*position != '\0' && strcmp(position, "d") != 0))
		return HUB_TOO_OLD;
	bool doubtful = *position == 'd';
	if (replica == h->replica) {
		if (place < h->lost_place || place > h->place)
			return HUB_TOO_OLD;
		c->place = place;
		c->reach = reach;
		c->foreign = false;
		return HUB_RESUMED;
	}
	if (incarnation == 0 || doubtful || (h->incarnation != 0 && incarnation != h->incarnation))
		return HUB_TOO_OLD;
	if (h->incarnation == 0 || reach > h->reach)
		return HUB_AHEAD;
	/* The one at `lost_reach` itself may be the last before we began to follow. */
	if (reach <= h->lost_reach)
		return HUB_TOO_OLD;
	c->place = 0;
	c->reach = c->since = reach;
	c->foreign = true;
	return HUB_RESUMED;
}

static bool
concerns(const struct hub_cursor *c, const struct node *n)
{
	if ((c->topics & n->item->topic) == 0)
		return false;
	return c->service == NULL || c->service[0] == '\0' || n->item->service[0] == '\0' ||
	    strcmp(c->service, n->item->service) == 0;
}

/* is_news: to one who comes from another replica.  Figures come again with the next beat. */
static bool
is_news(const struct hub_cursor *c, const struct node *n)
{
	return n->revision > c->since || (n->own && n->item->topic != HUB_METRICS);
}

/* first_behind: the oldest change behind a place; how many nodes stand there. */
static const struct node *
first_behind(const struct hub *h, uint64_t place, uint64_t *behind)
{
	const struct node *first = NULL;

	*behind = 0;
	for (const struct node *n = h->newest; n != NULL && n->item->place > place; n = n->older, ++*behind)
		first = n;
	return first;
}

/* settle: c has seen everything. */
static void
settle(const struct hub *h, struct hub_cursor *c)
{
	c->place = h->place;
	c->reach = h->reach;
	c->doubtful = h->doubtful;
	c->foreign = false;
}

size_t
hub_read(const struct hub *h, struct hub_cursor *c, struct hub_item **out, size_t max, uint64_t *missed, bool *lost)
{
	uint64_t behind;
	size_t n = 0;

	*missed = 0;
	*lost = !c->foreign && c->place < h->lost_place;
	if (*lost)
		return 0;
	const struct node *one = first_behind(h, c->place, &behind);
	if (!c->foreign && h->place - c->place > HUB_LAG)
		*missed = h->place - c->place - behind;
	for (; one != NULL && n < max; one = one->newer) {
		if (concerns(c, one) && (!c->foreign || is_news(c, one)))
			out[n++] = item_ref(one->item);
		c->place = one->item->place;
		/* What was reached when this was put had been put before it, or is put again behind it. */
		if (!c->foreign && one->reach > c->reach)
			c->reach = one->reach;
	}
	if (one == NULL)
		settle(h, c);
	return n;
}

size_t
hub_all(const struct hub *h, struct hub_cursor *c, struct hub_item ***out)
{
	size_t n = 0;

	*out = mem_array(h->n > 0 ? h->n : 1, sizeof **out);
	for (const struct node *one = h->oldest; one != NULL; one = one->newer)
		if (!one->item->gone && concerns(c, one))
			(*out)[n++] = item_ref(one->item);
	settle(h, c);
	return n;
}
