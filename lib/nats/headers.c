/* headers.c - the headers of a message, written and looked for where they lie.
 *
 * nats.c keeps headers in a hash, of which each entry is three allocations on either side.  A message
 * that came in carries them as they were sent until somebody asks for one, and is sent on like that; so
 * what goes out is made in that form at once, and most questions are answered without the hash. */
#include "nats/headers.h"

#include <ctype.h>
#include <string.h>

#define FIRST_LINE "NATS/1.0\r\n"
#define FIRST_MAX (sizeof FIRST_LINE - 1)
#define HEADED_MAX 4096		/* beyond, a second copy of the data costs more than it saves */

#ifdef HEADERS_AS_SENT

/* line: "name: value\r\n", in which a line break of the value would begin another header. */
static size_t
line(char *out, size_t room, const struct conn_header *h)
{
	size_t name = strlen(h->name), value = strlen(h->value), n = name + value + 4;

	if (n > room)
		return 0;
	memcpy(out, h->name, name);
	memcpy(out + name, ": ", 2);
	char *p = out + name + 2;
	for (size_t i = 0; i < value; i++)
		p[i] = h->value[i] == '\r' || h->value[i] == '\n' ? ' ' : h->value[i];
	memcpy(p + value, "\r\n", 2);
	return n;
}

/* block: all of them, and the empty line; 0 when they do not fit. */
static size_t
block(char *out, size_t room, const struct conn_header *h)
{
	size_t n = FIRST_MAX;

	memcpy(out, FIRST_LINE, FIRST_MAX);
	for (; h->name != NULL; h++) {
		/* What nats.c refuses, or would trim, is left to it. */
		if (h->name[0] == '\0' || h->value == NULL)
			return 0;
		size_t one = line(out + n, room - n, h);
		if (one == 0)
			return 0;
		n += one;
	}
	if (room - n < 2)
		return 0;
	memcpy(out + n, "\r\n", 2);
	return n + 2;
}

/* make_small: false when it is none, or not for us to judge. */
static bool
make_small(natsMsg **out, const struct conn_msg *m, natsStatus *s)
{
	__attribute__((uninitialized)) char both[HEADED_MAX];

	if (m->headers == NULL || m->headers->name == NULL || m->n > sizeof both / 2 || m->subject == NULL ||
	    m->subject[0] == '\0' || (m->reply != NULL && m->reply[0] == '\0'))
		return false;
	size_t n = block(both, sizeof both - m->n, m->headers);
	if (n == 0)
		return false;
	if (m->n > 0)
		memcpy(both + n, m->data, m->n);
	*s = natsMsg_create(out, m->subject, (int)strlen(m->subject), m->reply, m->reply != NULL ? (int)strlen(m->reply) : 0,
	    both, (int)(n + m->n), (int)n);
	return true;
}

/* as_sent: the headers of a message that nobody asked yet: behind the strings before its data, each of
 * which ends with a zero.  False for any other, and for one with a status. */
static bool
as_sent(const natsMsg *m, struct text *out)
{
	const char *last = natsMsg_GetReply(m), *data = natsMsg_GetData(m);

	if (last == NULL)
		last = natsMsg_GetSubject(m);
	if (last == NULL || data == NULL)
		return false;
	const char *from = last + strlen(last) + 1;
	if (from == data) {
		*out = (struct text){ NULL, 0 };
		return true;
	}
	if (data < from || (size_t)(data - from) < FIRST_MAX + 3 || memcmp(from, FIRST_LINE, FIRST_MAX) != 0)
		return false;
	*out = (struct text){ from + FIRST_MAX, (size_t)(data - from) - FIRST_MAX - 1 };
	return true;
}

static struct text
trimmed(const char *p, const char *end)
{
	while (p < end && isspace((unsigned char)*p))
		p++;
	while (end > p && isspace((unsigned char)end[-1]))
		end--;
	return (struct text){ p, (size_t)(end - p) };
}

/* find: the first of that name. */
static bool
find(struct text all, const char *name, struct text *out)
{
	size_t n = strlen(name);
	const char *end = all.p + all.n, *next;

	for (const char *p = all.p; p < end; p = next) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		next = stop != NULL ? stop + 1 : end;
		if ((size_t)(next - p) <= n || p[n] != ':' || memcmp(p, name, n) != 0)
			continue;
		/* A folded line, which nobody should send, is the library's to unfold. */
		if (next < end && (*next == ' ' || *next == '\t'))
			return false;
		*out = trimmed(p + n + 1, next);
		return true;
	}
	*out = (struct text){ NULL, 0 };
	return true;
}

static bool
look(const natsMsg *m, const char *name, struct text *out)
{
	struct text all;

	*out = (struct text){ NULL, 0 };
	return as_sent(m, &all) && (all.p == NULL || find(all, name, out));
}

#else

static bool
make_small(natsMsg **out, const struct conn_msg *m, natsStatus *s)
{
	(void)out, (void)m, (void)s;
	return false;
}

static bool
look(const natsMsg *m, const char *name, struct text *out)
{
	(void)m, (void)name, (void)out;
	return false;
}

#endif

natsStatus
headers_make(natsMsg **out, const struct conn_msg *m)
{
	natsStatus s;

	if (make_small(out, m, &s))
		return s;
	s = natsMsg_Create(out, m->subject, m->reply, m->data, (int)m->n);
	for (const struct conn_header *h = m->headers; s == NATS_OK && h != NULL && h->name != NULL; h++)
		s = natsMsgHeader_Set(*out, h->name, h->value);
	return s;
}

static natsMsg *
raw(const struct msg *m)
{
	return (natsMsg *)(uintptr_t)m;
}

const char *
msg_header(const struct msg *m, const char *name)
{
	const char *v = NULL;
	struct text found;

	/* The library ends it with a zero, for which it takes the others apart, too. */
	if (look(raw(m), name, &found) && found.p == NULL)
		return NULL;
	return natsMsgHeader_Get(raw(m), name, &v) == NATS_OK ? v : NULL;
}

struct text
msg_header_text(const struct msg *m, const char *name)
{
	struct text found;

	return look(raw(m), name, &found) ? found : text_of(msg_header(m, name));
}
