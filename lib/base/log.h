/* log.h - one line per record to stderr, as text for people or JSON for machines.
 *
 * A record has a level, an event (a stable name from logevents.def that alerts match), a
 * sentence that says what happened and what aegis does next, and fields.  Each record is
 * one write call.  Events marked RATED are repeated at most once per 5 s and then say how
 * often they happened in between (`repeated`).  Any thread may call; the only lock is a
 * leaf around the rate table.  Nobody waits for a reader: what finds a pipe or a terminal
 * full is dropped, and the next line that gets through says how many were (`lost`).
 *
 *	log_info(EV_RUNNER_CHILD_EXIT, LOG_F(LOG_S("service", name), LOG_N("pid", pid)),
 *	    "child %d ended with exit code %d, starting it again in %s", pid, code, wait);
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_CRITICAL };
enum log_format { LOG_AUTO, LOG_TEXT, LOG_JSON };	/* AUTO: text on a terminal, else JSON */

enum log_event {
#define LOG_EVENT(id, name, rated, text) EV_##id,
#include "base/logevents.def"
#undef LOG_EVENT
	EV_COUNT
};

struct log_field {
	const char *key;	/* NULL ends a list */
	const char *text;	/* NULL: the number counts */
	int64_t number;
};

#define LOG_S(k, v) { (k), (v) != NULL ? (v) : "", 0 }
#define LOG_N(k, v) { (k), NULL, (int64_t)(v) }
#define LOG_F(...) ((const struct log_field[]){ __VA_ARGS__, { NULL, NULL, 0 } })
#define LOG_NONE NULL

struct log_opts {
	enum log_level level;
	enum log_format format;
	bool colour;			/* text only */
	const char *service, *instance;	/* members of every record; may be NULL; copied */
	int fd;				/* 0 means 2, stderr */
};

/* log_init(opts): sets the process-wide sink; before it, warnings and worse go to stderr
 * as text.  The flags of opts->fd stay as they are, and what it led to then is written to,
 * wherever it leads later.  Call from the main thread before others exist, or again on reload. */
void log_init(const struct log_opts *opts);
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* log_level_parse: "INFO", "debug", …; false when it is none. */
bool log_level_parse(const char *text, enum log_level *out);

void log_write(enum log_level level, enum log_event ev, const struct log_field *fields,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#define log_at(level, ...) (log_enabled(level) ? log_write((level), __VA_ARGS__) : (void)0)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

/* log_event_name(ev): "runner.child_exit"; log_event_text(ev): the sentence of the table. */
const char *log_event_name(enum log_event ev);
const char *log_event_text(enum log_event ev);

#endif
