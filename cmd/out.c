/* out.c - tables, JSON and lines of JSON.
 *
 * A table is measured when it is complete; JSON goes out as it comes, so that a long list
 * does not stand in memory twice.  What others put into the registry is shown on somebody's
 * terminal, so nothing that a terminal obeys gets through a cell. */
#include "out.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"

#define FLUSH_AT 65536			/* bytes that wait for more before they are written */
#define COLUMN_MIN 8			/* a column that shrinks keeps at least this */
#define GAP 2

struct out;

struct form {
	void (*begin)(struct out *out);
	void (*row)(struct out *out, const struct out_cell *cells, const char *json);
	void (*end)(struct out *out);
	void (*object)(struct out *out, const char *const *names, const struct out_cell *cells, size_t n,
	    const char *json);
};

struct cell {
	char *text;
	int width;
	enum out_tone tone;
};

struct out {
	const struct form *form;
	bool is_table, is_tty, is_quiet, coloured;
	int fd, width;			/* width 0: unlimited */
	struct str buf;
	int failed;			/* errno of the first failed write */

	const struct out_column *columns;	/* of the list that is open; NULL: none */
	size_t ncolumns, rows;
	bool watching;
	struct cell *cells;		/* table: row after row */
	size_t cap;
};

static const char *const tones[] = {
	[OUT_PLAIN] = "", [OUT_GOOD] = "\033[32m", [OUT_BAD] = "\033[31m", [OUT_WARN] = "\033[33m",
	[OUT_DIM] = "\033[2m", [OUT_STRONG] = "\033[1m",
};

/* --- colours ---------------------------------------------------------------------------- */

bool
out_coloured(const struct out_opts *o, int fd, opts_getenv *get, void *arg)
{
	const char *none = get(arg, "NO_COLOR"), *force = get(arg, "FORCE_COLOR"), *term = get(arg, "TERM");

	if (o->no_colour || o->colour == OUT_COLOUR_NEVER)
		return false;
	if (o->colour == OUT_COLOUR_ALWAYS)
		return true;
	if (none != NULL && none[0] != '\0')
		return false;
	if (force != NULL && force[0] != '\0' && strcmp(force, "0") != 0)
		return true;
	return isatty(fd) && term != NULL && strcmp(term, "dumb") != 0;
}

/* --- tables ---------------------------------------------------------------------------- */

static void
put_tone(struct out *out, enum out_tone tone, bool on)
{
	if (out->coloured && tone != OUT_PLAIN)
		str_puts(&out->buf, on ? tones[tone] : "\033[0m");
}

static void
put_cell(struct out *out, size_t column, const char *text, int width, enum out_tone tone, int room)
{
	const struct out_column *c = &out->columns[column];
	bool last = column + 1 == out->ncolumns;
	int blanks = room > width ? room - width : 0;

	if (c->right)
		for (int i = 0; i < blanks; i++)
			str_putc(&out->buf, ' ');
	put_tone(out, tone, true);
	if (c->shrinks && width > room)
		out_cut(&out->buf, text, room);
	else
		str_puts(&out->buf, text);
	put_tone(out, tone, false);
	for (int i = 0; !last && i < GAP + (c->right ? 0 : blanks); i++)
		str_putc(&out->buf, ' ');
	if (last)
		str_putc(&out->buf, '\n');
}

static void
put_heading(struct out *out, const int *room)
{
	for (size_t i = 0; i < out->ncolumns; i++)
		put_cell(out, i, out->columns[i].name, out_width(out->columns[i].name), OUT_DIM, room[i]);
}

/* measure: the widest cell of each column, then what must go so that the line fits: from
 * the widest column that shrinks, again and again.  If that is not enough the line is
 * long: a cut name cannot be copied. */
static void
measure(const struct out *out, int *room)
{
	int total = (int)(out->ncolumns - 1) * GAP;

	for (size_t i = 0; i < out->ncolumns; i++) {
		room[i] = out_width(out->columns[i].name);
		for (size_t r = 0; r < out->rows; r++)
			if (out->cells[r * out->ncolumns + i].width > room[i])
				room[i] = out->cells[r * out->ncolumns + i].width;
		total += room[i];
	}
	while (out->width > 0 && total > out->width) {
		size_t widest = out->ncolumns;
		for (size_t i = 0; i < out->ncolumns; i++)
			if (out->columns[i].shrinks && room[i] > COLUMN_MIN &&
			    (widest == out->ncolumns || room[i] > room[widest]))
				widest = i;
		if (widest == out->ncolumns)
			break;
		room[widest]--;
		total--;
	}
}

static void
watched_room(const struct out *out, int *room)
{
	for (size_t i = 0; i < out->ncolumns; i++) {
		int least = out_width(out->columns[i].name);
		room[i] = out->columns[i].width > least ? out->columns[i].width : least;
	}
}

static void
table_begin(struct out *out)
{
	int *room = mem_array(out->ncolumns, sizeof *room);

	if (out->watching) {
		watched_room(out, room);
		put_heading(out, room);
	}
	mem_free(room);
}

static void
table_row(struct out *out, const struct out_cell *cells, const char *json)
{
	struct str clean = STR_INIT;

	(void)json;
	if (out->watching) {
		int *room = mem_array(out->ncolumns, sizeof *room);
		watched_room(out, room);
		for (size_t i = 0; i < out->ncolumns; i++) {
			str_clear(&clean);
			out_clean(cells[i].text != NULL ? cells[i].text : "-", &clean);
			int width = out_width(str_text(&clean));
			/* While watching nothing is cut: the next line need not align with this one. */
			put_cell(out, i, str_text(&clean), width, cells[i].tone, width > room[i] ? width : room[i]);
		}
		mem_free(room);
		str_release(&clean);
		return;
	}
	mem_grow(&out->cells, &out->cap, (out->rows + 1) * out->ncolumns, sizeof *out->cells);
	for (size_t i = 0; i < out->ncolumns; i++) {
		str_clear(&clean);
		out_clean(cells[i].text != NULL ? cells[i].text : "-", &clean);
		struct cell *c = &out->cells[out->rows * out->ncolumns + i];
		*c = (struct cell){ mem_text(str_text(&clean)), out_width(str_text(&clean)), cells[i].tone };
	}
	str_release(&clean);
}

static void
table_end(struct out *out)
{
	int *room = mem_array(out->ncolumns, sizeof *room);

	measure(out, room);
	if (out->rows > 0 && !out->watching)
		put_heading(out, room);
	for (size_t r = 0; r < out->rows && !out->watching; r++) {
		for (size_t i = 0; i < out->ncolumns; i++) {
			struct cell *c = &out->cells[r * out->ncolumns + i];
			put_cell(out, i, c->text, c->width, c->tone, room[i]);
		}
	}
	mem_free(room);
}

static void
table_object(struct out *out, const char *const *names, const struct out_cell *cells, size_t n,
    const char *json)
{
	struct str clean = STR_INIT;
	int widest = 0;

	(void)json;
	for (size_t i = 0; i < n; i++)
		if (out_width(names[i]) > widest)
			widest = out_width(names[i]);
	for (size_t i = 0; i < n; i++) {
		str_clear(&clean);
		out_clean(cells[i].text != NULL ? cells[i].text : "-", &clean);
		put_tone(out, OUT_DIM, true);
		str_puts(&out->buf, names[i]);
		put_tone(out, OUT_DIM, false);
		str_printf(&out->buf, "%*s", widest - out_width(names[i]) + GAP, "");
		put_tone(out, cells[i].tone, true);
		str_puts(&out->buf, str_text(&clean));
		put_tone(out, cells[i].tone, false);
		str_putc(&out->buf, '\n');
	}
	str_release(&clean);
}

/* --- JSON ------------------------------------------------------------------------------ */

static void
json_begin(struct out *out)
{
	if (!out->watching)
		str_putc(&out->buf, '[');
}

/* One item per line inside the array: as readable as it is easy to compare. */
static void
json_row(struct out *out, const struct out_cell *cells, const char *json)
{
	(void)cells;
	if (!out->watching)
		str_puts(&out->buf, out->rows == 0 ? "\n" : ",\n");
	str_puts(&out->buf, json);
	if (out->watching)
		str_putc(&out->buf, '\n');
}

static void
json_end(struct out *out)
{
	if (!out->watching)
		str_puts(&out->buf, out->rows == 0 ? "]\n" : "\n]\n");
}

static void
json_object(struct out *out, const char *const *names, const struct out_cell *cells, size_t n,
    const char *json)
{
	(void)names;
	(void)cells;
	(void)n;
	out_value(out, json);
}

static void
lines_begin(struct out *out)
{
	(void)out;
}

static void
lines_row(struct out *out, const struct out_cell *cells, const char *json)
{
	(void)cells;
	str_puts(&out->buf, json);
	str_putc(&out->buf, '\n');
}

static void
lines_object(struct out *out, const char *const *names, const struct out_cell *cells, size_t n,
    const char *json)
{
	(void)names;
	(void)n;
	lines_row(out, cells, json);
}

static const struct form forms[] = {
	[OUT_TABLE] = { table_begin, table_row, table_end, table_object },
	[OUT_JSON] = { json_begin, json_row, json_end, json_object },
	[OUT_NDJSON] = { lines_begin, lines_row, lines_begin, lines_object },
	[OUT_CSV] = { table_begin, table_row, table_end, table_object },
};

/* --- the door -------------------------------------------------------------------------- */

const char *
out_getenv(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

static int
terminal_width(int fd)
{
	struct winsize size;

	return isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

struct out *
out_new(const struct out_opts *o, int fd, int width)
{
	struct out *out = mem_new(sizeof *out);
	enum out_format format = o->json ? OUT_JSON : o->format;

	out->form = &forms[format];
	out->is_table = format == OUT_TABLE;
	out->is_tty = isatty(fd);
	out->is_quiet = o->quiet;
	out->coloured = out_coloured(o, fd, out_getenv, NULL);
	out->fd = fd;
	out->width = width > 0 ? width : terminal_width(fd);
	return out;
}

static void
drop_rows(struct out *out)
{
	for (size_t i = 0; out->cells != NULL && i < out->rows * out->ncolumns; i++)
		mem_free(out->cells[i].text);
	mem_free(out->cells);
	out->cells = NULL;
	out->cap = out->rows = 0;
	out->columns = NULL;
}

void
out_free(struct out *out)
{
	if (out == NULL)
		return;
	drop_rows(out);
	str_release(&out->buf);
	mem_free(out);
}

static void
begin(struct out *out, const struct out_column *columns, size_t n, bool watching)
{
	MUST(out->columns == NULL && n > 0);
	out->columns = columns;
	out->ncolumns = n;
	out->watching = watching;
	out->form->begin(out);
	if (watching)
		out_flush(out, NULL);
}

void
out_list(struct out *out, const struct out_column *columns, size_t n)
{
	begin(out, columns, n, false);
}

void
out_watch(struct out *out, const struct out_column *columns, size_t n)
{
	begin(out, columns, n, true);
}

void
out_row(struct out *out, const struct out_cell *cells, const char *json)
{
	MUST(out->columns != NULL);
	out->form->row(out, cells, json);
	/* A watched table keeps no rows: it has no end to measure them at. */
	if (!(out->watching && out->is_table))
		out->rows++;
	if (out->watching || out->buf.len > FLUSH_AT)
		out_flush(out, NULL);
}

void
out_object(struct out *out, const char *const *names, const struct out_cell *cells, size_t n,
    const char *json)
{
	out->form->object(out, names, cells, n, json);
}

void
out_value(struct out *out, const char *json)
{
	struct data d = { DATA_JSON, json, strlen(json) };
	struct str pretty = STR_INIT;
	struct codec *c = codec_new();
	struct value v;
	struct pack p;

	if (out->is_tty && codec_parse(c, d, &v, NULL) == ERR_OK) {
		pack_init(&p, &pretty, DATA_JSON, PACK_PRETTY);
		pack_value(&p, &v);
		pack_end(&p, NULL);
	}
	/* Whatever cannot be laid out (deeper than we read) still is the answer. */
	if (pretty.len > 0)
		str_add(&out->buf, pretty.p, pretty.len);
	else
		str_add(&out->buf, d.p, d.n);
	str_putc(&out->buf, '\n');
	str_release(&pretty);
	codec_free(c);
}

void
out_text(struct out *out, const char *text)
{
	str_puts(&out->buf, text);
}

static void
say(const char *fmt, va_list ap)
{
	struct str text = STR_INIT;
	char line[1024];

	vsnprintf(line, sizeof line, fmt, ap);
	out_clean(line, &text);
	str_putc(&text, '\n');
	/* Nothing can be done about a broken stderr. */
	ssize_t ignored = write(2, text.p, text.len);
	(void)ignored;
	str_release(&text);
}

void
out_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

void
out_note(struct out *out, const char *fmt, ...)
{
	va_list ap;

	if (out->is_quiet)
		return;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

enum err_code
out_flush(struct out *out, struct err *err)
{
	size_t done = 0;

	while (out->failed == 0 && done < out->buf.len) {
		ssize_t n = write(out->fd, out->buf.p + done, out->buf.len - done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			out->failed = errno;
	}
	str_clear(&out->buf);
	if (out->failed == 0)
		return ERR_OK;
	if (out->failed == EPIPE)
		return err_set(err, ERR_CLOSED, "whoever read the output left");
	return err_errno(err, ERR_OUTPUT, out->failed, "standard output cannot be written");
}

enum err_code
out_end(struct out *out, struct err *err)
{
	if (out->columns != NULL) {
		out->form->end(out);
		drop_rows(out);
	}
	return out_flush(out, err);
}

bool
out_reader_left(const struct out *out)
{
	return out->failed == EPIPE;
}

bool
out_look(struct out *out)
{
	struct pollfd p = { .fd = out->fd };

	/* A pipe without a reader is in error, whether or not anything is written to it. */
	if (out->failed == 0 && poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0)
		out->failed = EPIPE;
	return out_reader_left(out);
}

bool
out_is_table(const struct out *out)
{
	return out->is_table;
}
