/* history.c - lines of JSON and back.  A line is far below what one write to a file takes whole. */
#include "bench/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"

#define LINE_MAX_BYTES 1024

static const char *const names[] = {
#define X(name) [HISTORY_##name] = #name,
	HISTORY_EVENTS(X)
#undef X
};

/* The members that are text or number, by their names. */
static const struct member {
	const char *name;
	size_t at;
	size_t text;			/* its size; 0: a number */
} members[] = {
	{ "src", offsetof(struct history_line, src), HISTORY_NAME_MAX },
	{ "gid", offsetof(struct history_line, gid), HISTORY_NAME_MAX },
	{ "nonce", offsetof(struct history_line, nonce), sizeof ((struct history_line *)0)->nonce },
	{ "what", offsetof(struct history_line, what), HISTORY_NAME_MAX },
	{ "until", offsetof(struct history_line, until), 0 },
	{ "epoch", offsetof(struct history_line, epoch), 0 },
	{ "req", offsetof(struct history_line, req), 0 },
	{ "seq", offsetof(struct history_line, seq), 0 },
	{ "count", offsetof(struct history_line, count), 0 },
};

const char *
history_event_name(enum history_event ev)
{
	return names[ev];
}

/* --- writing ----------------------------------------------------------------------------- */

static bool
is_there(const struct history_line *l, const struct member *m)
{
	const char *p = (const char *)l + m->at;

	return m->text > 0 ? *p != '\0' : *(const uint64_t *)p != 0;
}

int
history_create(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		err_errno(err, ERR_SYSTEM, errno, "the history '%s' cannot be opened", path);
	return fd;
}

void
history_write(int fd, const struct history_line *l)
{
	struct str *out = codec_scratch();
	struct pack p;
	uint32_t n = 2;

	if (fd < 0)
		return;
	for (size_t i = 0; i < COUNT_OF(members); i++)
		n += is_there(l, &members[i]);
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, n);
	pack_key_int(&p, "t", l->t.ns);
	pack_key_puts(&p, "ev", names[l->ev]);
	for (size_t i = 0; i < COUNT_OF(members); i++) {
		const char *at = (const char *)l + members[i].at;
		if (!is_there(l, &members[i]))
			continue;
		pack_key(&p, members[i].name);
		if (members[i].text > 0)
			pack_puts(&p, at);
		else
			pack_uint(&p, *(const uint64_t *)at);
	}
	MUST(pack_end(&p, NULL) == ERR_OK);
	str_putc(out, '\n');
	MUST(write(fd, out->p, out->len) == (ssize_t)out->len);
}

/* --- reading ----------------------------------------------------------------------------- */

static bool
read_member(const struct value *v, const struct member *m, struct history_line *l)
{
	char *at = (char *)l + m->at;
	struct text text;
	int64_t number;

	if (v == NULL)
		return true;
	if (m->text == 0) {
		if (!value_int(v, &number) || number < 0)
			return false;
		memcpy(at, &number, sizeof number);
		return true;
	}
	if (!value_text(v, &text) || text.n >= m->text)
		return false;
	memcpy(at, text.p, text.n);
	return true;
}

static bool
read_line(const struct value *v, struct history_line *l)
{
	struct text ev;

	memset(l, 0, sizeof *l);
	if (!value_int(value_field(v, "t"), &l->t.ns) || !value_text(value_field(v, "ev"), &ev))
		return false;
	for (l->ev = 0; l->ev < HISTORY_EVENT_COUNT && !text_is(ev, names[l->ev]); l->ev++)
		continue;
	if (l->ev == HISTORY_EVENT_COUNT)
		return false;
	for (size_t i = 0; i < COUNT_OF(members); i++)
		if (!read_member(value_field(v, members[i].name), &members[i], l))
			return false;
	return true;
}

void
history_add(struct history *h, const struct history_line *line)
{
	mem_grow(&h->v, &h->cap, h->n + 1, sizeof *h->v);
	h->v[h->n++] = *line;
}

/* The position breaks ties, because qsort may not keep the order of equals. */
struct placed {
	struct history_line line;
	size_t at;
};

static int
by_time(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->line.t.ns != y->line.t.ns)
		return x->line.t.ns < y->line.t.ns ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

void
history_sort(struct history *h)
{
	struct placed *v = mem_array(h->n + 1, sizeof *v);

	for (size_t i = 0; i < h->n; i++)
		v[i] = (struct placed){ h->v[i], i };
	qsort(v, h->n, sizeof *v, by_time);
	for (size_t i = 0; i < h->n; i++)
		h->v[i] = v[i].line;
	mem_free(v);
}

enum err_code
history_read(const char *path, struct history *out, struct err *err)
{
	FILE *f = fopen(path, "re");
	struct codec *codec = codec_new();
	char text[LINE_MAX_BYTES];
	struct history_line line;
	struct value v;
	enum err_code code = ERR_OK;
	size_t n = 0;

	*out = (struct history){ NULL, 0, 0 };
	if (f == NULL)
		code = err_errno(err, ERR_NOT_FOUND, errno, "the history '%s' cannot be read", path);
	while (code == ERR_OK && fgets(text, sizeof text, f) != NULL) {
		n++;
		code = codec_parse(codec, (struct data){ DATA_JSON, text, strcspn(text, "\n") }, &v, err);
		if (code == ERR_OK && !read_line(&v, &line))
			code = err_set(err, ERR_SYNTAX, "no event that is known");
		if (code == ERR_OK)
			history_add(out, &line);
		else
			err_prefix(err, "%s:%zu", path, n);
	}
	if (f != NULL)
		fclose(f);
	codec_free(codec);
	if (code == ERR_OK)
		history_sort(out);
	else
		history_release(out);
	return code;
}

void
history_release(struct history *h)
{
	mem_free(h->v);
	*h = (struct history){ NULL, 0, 0 };
}
