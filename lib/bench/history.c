/* history.c - lines of JSON and back.  A line is far below what one write to a file takes whole. */
#include "bench/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

struct history_reader {
	char *path;
	FILE *f;
	struct codec *codec;
	size_t n;			/* lines read */
	struct history early;		/* read before their time had come */
};

struct history_reader *
history_open(const char *path, struct err *err)
{
	struct history_reader *r = mem_new(sizeof *r);

	r->path = mem_text(path);
	r->codec = codec_new();
	if ((r->f = fopen(path, "re")) != NULL)
		return r;
	err_errno(err, ERR_NOT_FOUND, errno, "the history '%s' cannot be read", path);
	history_close(r);
	return NULL;
}

void
history_close(struct history_reader *r)
{
	if (r == NULL)
		return;
	if (r->f != NULL)
		fclose(r->f);
	codec_free(r->codec);
	history_release(&r->early);
	mem_free(r->path);
	mem_free(r);
}

uint64_t
history_waiting(const struct history_reader *r)
{
	struct stat st;
	long at = ftell(r->f);

	return fstat(fileno(r->f), &st) == 0 && at >= 0 && st.st_size > at ? (uint64_t)(st.st_size - at) : 0;
}

/* next: the next line as text, false when there is none yet.  One whose end is not written yet is left for the next time;
 * one that is too long is none. */
static bool
next(struct history_reader *r, bool all, char *text, size_t size)
{
	long at = ftell(r->f);

	clearerr(r->f);
	if (fgets(text, (int)size, r->f) == NULL)
		return false;
	if (all || strchr(text, '\n') != NULL || strlen(text) == size - 1)
		return true;
	fseek(r->f, at, SEEK_SET);
	return false;
}

static void
sift(struct history *from, struct boot until, struct history *out)
{
	size_t kept = 0;

	for (size_t i = 0; i < from->n; i++) {
		if (from->v[i].t.ns <= until.ns)
			history_add(out, &from->v[i]);
		else
			from->v[kept++] = from->v[i];
	}
	from->n = kept;
}

enum err_code
history_take(struct history_reader *r, struct boot until, struct history *out, struct err *err)
{
	char text[LINE_MAX_BYTES];
	struct history_line line;
	struct value v;
	enum err_code code = ERR_OK;

	*out = (struct history){ NULL, 0, 0 };
	sift(&r->early, until, out);
	while (code == ERR_OK && next(r, until.ns == INT64_MAX, text, sizeof text)) {
		r->n++;
		code = codec_parse(r->codec, (struct data){ DATA_JSON, text, strcspn(text, "\n") }, &v, err);
		if (code == ERR_OK && !read_line(&v, &line))
			code = err_set(err, ERR_SYNTAX, "no event that is known");
		if (code == ERR_OK)
			history_add(line.t.ns <= until.ns ? out : &r->early, &line);
		else
			err_prefix(err, "%s:%zu", r->path, r->n);
	}
	if (code == ERR_OK)
		history_sort(out);
	else
		history_release(out);
	return code;
}

enum err_code
history_read(const char *path, struct history *out, struct err *err)
{
	struct history_reader *r = history_open(path, err);

	*out = (struct history){ NULL, 0, 0 };
	enum err_code code = r == NULL ? err->code : history_take(r, BOOT_NEVER, out, err);
	history_close(r);
	return code;
}

void
history_release(struct history *h)
{
	mem_free(h->v);
	*h = (struct history){ NULL, 0, 0 };
}
