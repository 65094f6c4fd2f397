/* out.h - the answer of a command on stdout: for eyes (table) or for programs (json, ndjson).
 *
 * A command says what it has, once, in both shapes: cells for the table and one compact
 * JSON value.  The format is a table of functions behind this header; a command never
 * looks at it.  Tables adapt to the terminal and may change; JSON may not.
 *
 * A list is an array in json and one value per line in ndjson; what is watched is one
 * value per line in both.  A failed write is remembered and told by out_end; a reader that
 * went away (`| head`) is no failure: out_reader_left says so, and the command stops. */
#ifndef CMD_OUT_H
#define CMD_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/opts.h"
#include "base/str.h"

enum out_format { OUT_TABLE, OUT_JSON, OUT_NDJSON, OUT_CSV };	/* CSV: of verbs whose rows are figures; by out_text */
enum out_colour { OUT_COLOUR_AUTO, OUT_COLOUR_ALWAYS, OUT_COLOUR_NEVER };

struct out_opts {
	enum out_format format;
	bool json;			/* --json: stronger than format */
	enum out_colour colour;
	bool no_colour;
	bool quiet;			/* no notes on stderr */
};

enum out_tone { OUT_PLAIN, OUT_GOOD, OUT_BAD, OUT_WARN, OUT_DIM, OUT_STRONG };

struct out_cell {
	const char *text;		/* NULL: "-" */
	enum out_tone tone;
};

struct out_column {
	const char *name;
	bool right;			/* figures */
	bool shrinks;			/* may be cut on a narrow terminal; others never are */
	int width;			/* least width while watching, where rows cannot be measured */
};

struct out;

/* out_new(o, fd, width): fd stays the caller's.  width 0: the terminal's, unlimited when fd
 * is none. */
struct out *out_new(const struct out_opts *o, int fd, int width);
void out_free(struct out *out);			/* NULL is fine; unwritten bytes are dropped */

/* out_list(out, columns, n): begins a list; columns must live until out_end.  out_watch: the
 * same for an endless one, whose rows are written at once.
 * out_row(out, cells, json): one row; cells of the list's number, json one compact value.
 * Everything is copied. */
void out_list(struct out *out, const struct out_column *columns, size_t n);
void out_watch(struct out *out, const struct out_column *columns, size_t n);
void out_row(struct out *out, const struct out_cell *cells, const char *json);

/* out_object(out, names, cells, n, json): the whole answer is one thing. */
void out_object(struct out *out, const char *const *names, const struct out_cell *cells, size_t n,
    const char *json);

/* out_value(out, json): the answer is one JSON value whatever the format: pretty on a
 * terminal, compact elsewhere.  out_text(out, text): it is text whatever the format. */
void out_value(struct out *out, const char *json);
void out_text(struct out *out, const char *text);

/* out_say(fmt, ...): one line to stderr, without what a terminal would obey.  out_note(out, fmt, ...): likewise,
 * unless quiet. */
void out_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void out_note(struct out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* out_flush(out, err), out_end(out, err): writes what is there; out_end completes the list
 * first.  ERR_OUTPUT, once and for ever, when stdout could not be written; ERR_CLOSED when
 * its reader left. */
enum err_code out_flush(struct out *out, struct err *err);
enum err_code out_end(struct out *out, struct err *err);
bool out_reader_left(const struct out *out);

/* out_look(out): asks now whether the reader left, for a watch that has nothing to write. */
bool out_look(struct out *out);

bool out_is_table(const struct out *out);

/* out_coloured(o, fd, get, arg): --color and --no-color, then NO_COLOR, FORCE_COLOR, then
 * whether fd is a terminal that is not dumb. */
bool out_coloured(const struct out_opts *o, int fd, opts_getenv *get, void *arg);

/* out_getenv: this process's environment, as an opts_getenv. */
const char *out_getenv(void *arg, const char *name);

/* out_width(text): columns that text takes on a terminal.  out_clean(text, out): the text
 * without what a terminal would obey: control characters become '?'.  out_cut(out, text, width): adds text in exactly
 * width columns, filled with blanks; the last is a mark where something is missing. */
int out_width(const char *text);
void out_clean(const char *text, struct str *out);
void out_cut(struct str *out, const char *text, int width);

#endif
