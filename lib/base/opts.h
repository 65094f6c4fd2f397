/* opts.h - options as data: one row tells an option's names, type, bounds, default and help.
 *
 * A row fills one member of the caller's struct, found by its offset; the OPT_* macros
 * check the member's type and refuse a row without a sentence of help, both at compile
 * time.  Rows form tables, and a command has a list of tables, so that what many commands
 * share (connection, logging, output) is written once.
 *
 * A value may come from several places; the strongest wins, whatever the order in which
 * they are read, and each value remembers where it came from:
 *
 *	option > AEGIS_* variable > inherited variable > NATS context named by the user >
 *	--config or the user's file > the system's file > the service's central document >
 *	selected NATS context > default
 *
 * Names map one to one: --heartbeat-interval, AEGIS_HEARTBEAT_INTERVAL and, in files,
 * heartbeat_interval.  Nothing here knows of files of any format, prints, or exits: the
 * file layer is app/config.h.  One owner, not thread-safe. */
#ifndef BASE_OPTS_H
#define BASE_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum opts_type {
	OPTS_FLAG,		/* bool; the option stands alone */
	OPTS_TEXT,		/* const char * */
	OPTS_FILE,		/* const char *: a path; "-" is stdin or stdout */
	OPTS_INT,		/* int64_t */
	OPTS_UINT,		/* uint64_t */
	OPTS_DURATION,		/* int64_t, in ns */
	OPTS_SIZE,		/* uint64_t, in bytes */
	OPTS_CHOICE,		/* int or an enum: the place in choices */
	OPTS_LIST,		/* struct opts_list: the option may be repeated */
	OPTS_SECRET,		/* const char *: what stands in the file that the option names */
	OPTS_SECRET_FD,		/* the same, from a descriptor that the option names */
};

/* From weak to strong. */
enum opts_origin {
	OPTS_DEFAULT, OPTS_SELECTED, OPTS_CENTRAL, OPTS_SYSTEM_FILE, OPTS_USER_FILE, OPTS_CONTEXT,
	OPTS_INHERITED, OPTS_ENV, OPTS_LINE,
};

struct opts_list {
	const char **v;			/* not NULL-terminated; NULL when n == 0 */
	size_t n;
};

/* How a variable is looked up: getenv, or a test's own. */
typedef const char *opts_getenv(void *arg, const char *name);

struct opt {
	const char *name;		/* "heartbeat-interval" */
	char letter;			/* 's' for -s, 0 for none */
	enum opts_type type;
	size_t at;			/* offset of the member */
	const char *value;		/* what stands for the value in help: "URL"; NULL for flags */
	const char *help;		/* one sentence, small start, no full stop */
	const char *def;		/* default as text; NULL: the member stays zero */
	const char *def_text;		/* how help names a default that is not a constant */
	int64_t min, max;		/* bounds when max > min: numbers, ns or bytes */
	const char *const *choices;	/* NULL-terminated */
	bool env;			/* AEGIS_<NAME> and the configuration file set it too */
	bool live;			/* a change applies at once; else it waits for a restart */
	bool central;			/* the service's central document may set it: nothing of one machine,
					   and nothing that makes others' words run as a program */
	bool hidden;			/* not in help, not completed */
	const char *const *inherit;	/* older variables, strongest first; NULL-terminated */
	bool inherit_seconds;		/* there, bare seconds are durations */
	bool inherit_inverted;		/* there, true means false */
	/* inherit_make: for what no plain look-up can say.  Returns the text, in *buf if it is
	 * made up, or NULL for unset, and names the variable.  Asked before inherit. */
	const char *(*inherit_make)(opts_getenv *get, void *arg, struct str *buf, const char **variable);
	const char *inherit_note;	/* the variables that inherit_make reads, for help */
};

/* One table as part of a command.  base: where the struct that its rows point into lies
 * in the command's own.  area: its object in configuration files; NULL: not there. */
struct opts_table {
	const char *title;		/* heading in help; NULL ends a list of tables */
	const char *area;
	const struct opt *rows;		/* ended by a row without a name */
	size_t base;
};

#define OPTS_END { .name = NULL }

/* The rows.  Two rows may fill one member: then the stronger origin counts, and of equal
 * ones the later.  S: the struct's type, F: its member; what follows HELP are further columns by
 * name, such as .def = "5s", .env = true. */
#define OPT_FLAG(S, F, NAME, LETTER, HELP, ...) \
	OPTS_ROW(OPTS_FLAG, OPTS_TYPED(S, F, bool), S, F, NAME, LETTER, NULL, HELP, ##__VA_ARGS__)
#define OPT_TEXT(S, F, NAME, LETTER, VALUE, HELP, ...) \
	OPTS_ROW(OPTS_TEXT, OPTS_TYPED(S, F, const char *), S, F, NAME, LETTER, VALUE, HELP, ##__VA_ARGS__)
#define OPT_FILE(S, F, NAME, LETTER, VALUE, HELP, ...) \
	OPTS_ROW(OPTS_FILE, OPTS_TYPED(S, F, const char *), S, F, NAME, LETTER, VALUE, HELP, ##__VA_ARGS__)
#define OPT_INT(S, F, NAME, LETTER, VALUE, HELP, ...) \
	OPTS_ROW(OPTS_INT, OPTS_TYPED(S, F, int64_t), S, F, NAME, LETTER, VALUE, HELP, ##__VA_ARGS__)
#define OPT_UINT(S, F, NAME, LETTER, VALUE, HELP, ...) \
	OPTS_ROW(OPTS_UINT, OPTS_TYPED(S, F, uint64_t), S, F, NAME, LETTER, VALUE, HELP, ##__VA_ARGS__)
#define OPT_DURATION(S, F, NAME, LETTER, HELP, ...) \
	OPTS_ROW(OPTS_DURATION, OPTS_TYPED(S, F, int64_t), S, F, NAME, LETTER, "TIME", HELP, ##__VA_ARGS__)
#define OPT_SIZE(S, F, NAME, LETTER, HELP, ...) \
	OPTS_ROW(OPTS_SIZE, OPTS_TYPED(S, F, uint64_t), S, F, NAME, LETTER, "SIZE", HELP, ##__VA_ARGS__)
#define OPT_CHOICE(S, F, NAME, LETTER, CHOICES, HELP, ...) \
	OPTS_ROW(OPTS_CHOICE, sizeof(((S *)0)->F) == sizeof(int), S, F, NAME, LETTER, NULL, HELP, \
	    .choices = (CHOICES), ##__VA_ARGS__)
#define OPT_LIST(S, F, NAME, LETTER, VALUE, HELP, ...) \
	OPTS_ROW(OPTS_LIST, OPTS_TYPED(S, F, struct opts_list), S, F, NAME, LETTER, VALUE, HELP, ##__VA_ARGS__)
#define OPT_SECRET(S, F, NAME, HELP, ...) \
	OPTS_ROW(OPTS_SECRET, OPTS_TYPED(S, F, const char *), S, F, NAME, 0, "FILE", HELP, ##__VA_ARGS__)
#define OPT_SECRET_FD(S, F, NAME, HELP, ...) \
	OPTS_ROW(OPTS_SECRET_FD, OPTS_TYPED(S, F, const char *), S, F, NAME, 0, "N", HELP, ##__VA_ARGS__)

#define OPTS_TYPED(S, F, T) __builtin_types_compatible_p(__typeof__(((S *)0)->F), T)
#define OPTS_ROW(TYPE, FITS, S, F, NAME, LETTER, VALUE, HELP, ...) { \
	.name = "" NAME, .letter = (LETTER), .type = TYPE, \
	.at = offsetof(S, F) + 0 * sizeof(char[(FITS) && sizeof("" HELP) > 8 ? 1 : -1]), \
	.value = VALUE, .help = "" HELP, ##__VA_ARGS__ }

/* What is known of one row of one command. */
struct opts_mark {
	const struct opt *row;
	const struct opts_table *table;
	enum opts_origin origin;
	const char *source;		/* "--timeout", "AEGIS_TIMEOUT", "FILE:3:5"; "" for defaults */
	const char *text;		/* the value as it was written; NULL when unset or secret */
};

struct opts {
	const struct opts_table *tables;
	char *target;
	struct opts_mark *marks;	/* every row of every table, in order */
	size_t n;
	struct opts_list warnings;	/* sentences for stderr: a secret in a plain variable */
	struct opts_list owned;		/* copies that die with this */
	const char **words;		/* the array of opts_parse */
};

/* What stood on the command line besides options. */
struct opts_words {
	const char **v;			/* pointers of argv; the array is opts's */
	size_t n;
	const char *const *wrapped;	/* what follows "--", as it stands in argv; NULL without */
};

/* opts_init(o, tables, target): all defaults are in target afterwards, which must be zeroed
 * before and outlive o.  tables end with an empty one.  opts_release frees what texts and
 * lists of target point to, and wipes the secrets among them. */
void opts_init(struct opts *o, const struct opts_table *tables, void *target);
void opts_release(struct opts *o);

/* opts_parse(o, argv, words, err): reads argv, NULL-terminated and without the program's
 * name; argv must outlive o.  Options stand anywhere before "--"; -ab is -a -b, -sX is
 * -s X; names are never abbreviated; of a repeated option the last one counts, except for
 * lists.  ERR_USAGE names option, value and remedy. */
enum err_code opts_parse(struct opts *o, const char *const *argv, struct opts_words *words,
    struct err *err);

/* opts_env(o, get, arg, err): the variables of every row that no option has set.  Empty
 * counts as unset.  Lists are separated by commas.  ERR_CONFIG names the variable. */
enum err_code opts_env(struct opts *o, opts_getenv *get, void *arg, struct err *err);

/* opts_find(o, area, key): the row that files call area.key ("heartbeat_interval"), or NULL
 * when this command has none. */
struct opts_mark *opts_find(struct opts *o, const char *area, const char *key);

/* opts_set(o, m, origin, source, text, err): gives row m a value, unless a stronger one is
 * there; lists of one origin grow.  text and source are copied.  Refusals begin with the
 * source: "FILE:3:5: timeout: …"; what the row cannot take is ERR_USAGE from the command
 * line and ERR_CONFIG from elsewhere. */
enum err_code opts_set(struct opts *o, struct opts_mark *m, enum opts_origin origin,
    const char *source, const char *text, struct err *err);

/* opts_set_secret(o, m, origin, source, value): as above with the secret itself, for sources
 * that hold one (a NATS context).  value is copied. */
void opts_set_secret(struct opts *o, struct opts_mark *m, enum opts_origin origin,
    const char *source, const char *value);

/* opts_overlay(o, from, above): what `from` has of stronger origin than `above`, under its own origin
 * and source; both have the same tables.  Lists and secrets stay as they are.
 * opts_same(a, b, i): whether the i-th rows' members are equal; no lists. */
void opts_overlay(struct opts *o, const struct opts *from, enum opts_origin above);
bool opts_same(const struct opts *a, const struct opts *b, size_t i);

/* opts_mark(o, name): where the option stands; name must be one of o's (MUST). */
struct opts_mark *opts_mark(const struct opts *o, const char *name);
const char *opts_origin_name(enum opts_origin origin);		/* "option", "environment", … */

/* opts_keep(o, text): a copy that lives as long as o. */
const char *opts_keep(struct opts *o, const char *text);

/* opts_warn(o, fmt, ...): one more sentence for stderr. */
void opts_warn(struct opts *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* opts_arity(tables, arg): how many arguments arg takes besides itself: 0 or 1; -1 when it
 * is no option, -2 when it looks like one that tables do not have. */
int opts_arity(const struct opts_table *tables, const char *arg);

#define OPTS_NAME_MAX 64
void opts_env_name(const struct opt *row, char out[OPTS_NAME_MAX]);	/* "AEGIS_LOG_LEVEL" */
void opts_secret_name(const struct opt *row, char out[OPTS_NAME_MAX]);	/* plain: "AEGIS_PASSWORD" */
void opts_key_name(const struct opt *row, char out[OPTS_NAME_MAX]);	/* "log_level" */
const char *opts_type_name(enum opts_type type);			/* "duration" */

/* opts_bounds_text(row, out): "1s to 5m", or "" when there are none. */
void opts_bounds_text(const struct opt *row, struct str *out);

/* opts_lint(tables, err): what no compiler sees: doubled names or letters, a default that
 * the row itself refuses, a variable that is reserved for workloads.  For tests. */
enum err_code opts_lint(const struct opts_table *tables, struct err *err);

#endif
