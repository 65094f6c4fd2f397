/* log.c - formatting and rate of log lines.
 *
 * A line is composed in a buffer on the stack and written by one write call, so lines of
 * different threads and processes on one terminal never mix; what does not fit is cut. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"

#define LINE_MAX_BYTES 4096
#define RATE_NS (5 * NS_PER_S)

/* Where lines go.  A reload replaces it while other threads write, so none is ever freed:
 * a few hundred bytes per reload, found again by `before`. */
struct sink {
	struct log_opts opts;
	struct sink *before;
};

static struct sink initial = { .opts = { .format = LOG_TEXT, .fd = 2 } };
static _Atomic(struct sink *) current = &initial;
static atomic_int lowest = LOG_WARNING;		/* the level, apart, as each record asks for it */

static const struct { const char *name, *text; bool rated; } events[EV_COUNT] = {
#define LOG_EVENT(id, ev_name, ev_rated, ev_text) [EV_##id] = { ev_name, ev_text, ev_rated },
#include "base/logevents.def"
#undef LOG_EVENT
};

static const char *const level_names[] = { "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL" };
static const char *const level_colours[] = { "\033[2m", "\033[32m", "\033[33m", "\033[31m", "\033[1;31m" };

/* The rate table: when an event was last written, and how many were held back since. */
static pthread_mutex_t rate_lock = PTHREAD_MUTEX_INITIALIZER;
static struct { int64_t last_ns; int64_t held; } rate[EV_COUNT];

void
log_init(const struct log_opts *o)
{
	struct sink *s = mem_new(sizeof *s);

	s->opts = *o;
	if (o->fd == 0)
		s->opts.fd = 2;
	if (o->format == LOG_AUTO)
		s->opts.format = isatty(s->opts.fd) ? LOG_TEXT : LOG_JSON;
	s->opts.service = mem_text(o->service);
	s->opts.instance = mem_text(o->instance);
	s->before = atomic_load(&current);
	atomic_store(&current, s);
	log_set_level(o->level);
}

void
log_set_level(enum log_level level)
{
	atomic_store_explicit(&lowest, (int)level, memory_order_relaxed);
}

bool
log_enabled(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&lowest, memory_order_relaxed);
}

bool
log_level_parse(const char *text, enum log_level *out)
{
	for (size_t i = 0; i < COUNT_OF(level_names); i++) {
		if (strcasecmp(text, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

const char *
log_event_name(enum log_event ev)
{
	return events[ev].name;
}

const char *
log_event_text(enum log_event ev)
{
	return events[ev].text;
}

/* A line under construction.  Room for the closing bytes is kept back from the start. */
struct line {
	char p[LINE_MAX_BYTES];
	size_t n;
};

static void
add(struct line *l, const char *s, size_t n)
{
	size_t room = sizeof l->p - 8 - l->n;

	if (n > room)
		n = room;
	memcpy(l->p + l->n, s, n);
	l->n += n;
}

static void
puts_(struct line *l, const char *s)
{
	add(l, s, strlen(s));
}

static void
number(struct line *l, int64_t v)
{
	char t[24];

	snprintf(t, sizeof t, "%lld", (long long)v);
	puts_(l, t);
}

/* utf8_length: bytes of the character at s, or 0 when it is none.  What is logged may come
 * from anywhere, and one bad byte would spoil the line for every JSON reader. */
static size_t
utf8_length(const unsigned char *s)
{
	static const struct { unsigned char mask, lead, second_min; } kind[] = {
		{ 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0xa0 }, { 0xf8, 0xf0, 0x90 },
	};

	if (s[0] < 0x80)
		return 1;
	for (size_t n = 2; n <= 4; n++) {
		if ((s[0] & kind[n - 2].mask) != kind[n - 2].lead)
			continue;
		/* No overlong forms, no surrogates, nothing above U+10FFFF. */
		if (s[0] < 0xc2 || s[0] > 0xf4 || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f))
			return 0;
		for (size_t i = 1; i < n; i++)
			if ((s[i] & 0xc0) != 0x80)
				return 0;
		/* Only a lead byte without bits of its own can be overlong. */
		bool is_lowest = (s[0] & ~kind[n - 2].mask) == 0;
		return is_lowest && s[1] < kind[n - 2].second_min ? 0 : n;
	}
	return 0;
}

/* quoted: a JSON string; control bytes are escaped, bytes that are no UTF-8 replaced. */
static void
quoted(struct line *l, const char *s)
{
	size_t n;

	puts_(l, "\"");
	for (; *s != '\0'; s += n) {
		unsigned char c = (unsigned char)*s;
		char esc[8];
		n = 1;
		if (c == '"' || c == '\\') {
			esc[0] = '\\';
			esc[1] = (char)c;
			add(l, esc, 2);
		} else if (c < 0x20 || c == 0x7f) {
			snprintf(esc, sizeof esc, "\\u%04x", c);
			puts_(l, esc);
		} else if ((n = utf8_length((const unsigned char *)s)) > 0) {
			add(l, s, n);
		} else {
			puts_(l, "\xef\xbf\xbd");
			n = 1;
		}
	}
	puts_(l, "\"");
}

/* plain: text for people; a line break inside would make two records of one. */
static void
plain(struct line *l, const char *s)
{
	for (; *s != '\0'; s++)
		add(l, (unsigned char)*s < 0x20 ? " " : s, 1);
}

static void
member(struct line *l, const char *key, const struct log_field *f)
{
	puts_(l, ",");
	quoted(l, key);
	puts_(l, ":");
	if (f->text != NULL)
		quoted(l, f->text);
	else
		number(l, f->number);
}

static void
as_json(struct line *l, const struct log_opts *o, enum log_level level, enum log_event ev, const char *msg,
    const struct log_field *f, const char *when)
{
	puts_(l, "{\"ts\":");
	quoted(l, when);
	member(l, "level", &(struct log_field)LOG_S("level", level_names[level]));
	member(l, "msg", &(struct log_field)LOG_S("msg", msg));
	member(l, "event", &(struct log_field)LOG_S("event", events[ev].name));
	if (o->service != NULL)
		member(l, "service", &(struct log_field)LOG_S("service", o->service));
	if (o->instance != NULL)
		member(l, "instance", &(struct log_field)LOG_S("instance", o->instance));
	for (; f != NULL && f->key != NULL; f++)
		member(l, f->key, f);
	/* A cut line would be no JSON: empty tells the caller to try with less. */
	if (l->n >= sizeof l->p - 8)
		l->n = 0;
	else
		puts_(l, "}");
}

static void
as_text(struct line *l, bool colour, enum log_level level, enum log_event ev, const char *msg,
    const struct log_field *f, const char *when)
{
	char head[64];

	/* The date is on the wall; people need the time: 01:02:03.456 of …T01:02:03.456Z. */
	snprintf(head, sizeof head, "%.12s %s%-7s%s ", when + 11, colour ? level_colours[level] : "",
	    level_names[level], colour ? "\033[0m" : "");
	puts_(l, head);
	plain(l, msg);
	for (; f != NULL && f->key != NULL; f++) {
		puts_(l, " ");
		puts_(l, f->key);
		puts_(l, "=");
		if (f->text != NULL)
			plain(l, f->text);
		else
			number(l, f->number);
	}
	puts_(l, "  [");
	puts_(l, events[ev].name);
	puts_(l, "]");
}

/* due: whether a rated event may be written now; *held is what was held back before. */
static bool
due(enum log_event ev, int64_t *held)
{
	struct timespec ts;
	bool yes;

	*held = 0;
	if (!events[ev].rated)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	int64_t now = ts.tv_sec * NS_PER_S + ts.tv_nsec;
	pthread_mutex_lock(&rate_lock);
	yes = rate[ev].last_ns == 0 || now - rate[ev].last_ns >= RATE_NS;
	if (yes) {
		*held = rate[ev].held;
		rate[ev].held = 0;
		rate[ev].last_ns = now;
	} else {
		rate[ev].held++;
	}
	pthread_mutex_unlock(&rate_lock);
	return yes;
}

void
log_write(enum log_level level, enum log_event ev, const struct log_field *fields, const char *fmt, ...)
{
	struct log_field with[17] = { { NULL, NULL, 0 } };
	char msg[1024], when[WALL_TEXT_MAX];
	struct timespec ts;
	const struct log_opts *o = &atomic_load(&current)->opts;
	struct line l = { .n = 0 };
	int64_t held;
	va_list ap;
	size_t n = 0;

	if (!due(ev, &held))
		return;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	for (; fields != NULL && fields[n].key != NULL && n < COUNT_OF(with) - 2; n++)
		with[n] = fields[n];
	if (held > 0)
		with[n] = (struct log_field)LOG_N("repeated", held);
	clock_gettime(CLOCK_REALTIME, &ts);
	wall_rfc3339((struct wall){ ts.tv_sec * NS_PER_S + ts.tv_nsec }, when);

	if (o->format == LOG_JSON) {
		as_json(&l, o, level, ev, msg, with, when);
		if (l.n == 0)
			as_json(&l, o, level, ev, msg, LOG_F(LOG_N("fields_left_out", n)), when);
		if (l.n == 0)
			as_json(&l, o, level, ev, "(record too long, left out)", NULL, when);
	} else {
		as_text(&l, o->colour, level, ev, msg, with, when);
	}
	l.p[l.n++] = '\n';
	/* Nothing can be done about a broken stderr, least of all logged. */
	ssize_t ignored = write(o->fd, l.p, l.n);
	(void)ignored;
}
