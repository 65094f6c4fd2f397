/* log.c - formatting and rate of log lines.
 *
 * A line is composed in a buffer on the stack and written by one write call, so lines of
 * different threads and processes on one terminal never mix; what does not fit is cut.
 *
 * Nobody waits for a reader of the log: a line that has no room is dropped and counted.
 * O_NONBLOCK belongs to the open file, which we share with whoever started us, so pipes and
 * terminals are opened anew through /proc; where that is not possible, a look whether there
 * is room must do. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"

#define LINE_MAX_BYTES 4096		/* PIPE_BUF: a pipe takes it whole or not at all */
#define FIELDS_MAX 15			/* of the caller's */
#define RATE_NS (5 * NS_PER_S)

enum sink_kind {
	SINK_ASKED,		/* the user's descriptor, asked for room before each line */
	SINK_OWN,		/* our own open file, which does not wait */
	SINK_SOCKET,
	SINK_FILE,		/* never waits */
};

/* Where lines go.  A reload replaces it while other threads write, so none is ever freed:
 * a few hundred bytes per reload, found again by `before`. */
struct sink {
	struct log_opts opts;
	struct sink *before;
	enum sink_kind kind;
	int fd;			/* to write to */
};

static struct sink initial = { .opts = { .format = LOG_TEXT, .fd = 2 }, .kind = SINK_ASKED, .fd = 2 };
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

/* What could not be written since the last line that could; and whether that one was cut. */
static atomic_llong lost;
static atomic_bool torn;

/* own_copy: an open file of our own for what s logs to.  Reloads find that of an earlier one
 * again, so there is one for each place and not one for each reload. */
static int
own_copy(const struct sink *s, const struct stat *st)
{
	char path[32];
	struct stat have;

	for (const struct sink *b = s->before; b != NULL; b = b->before)
		if (b->kind == SINK_OWN && fstat(b->fd, &have) == 0 && have.st_dev == st->st_dev &&
		    have.st_ino == st->st_ino && have.st_rdev == st->st_rdev)
			return b->fd;
	snprintf(path, sizeof path, "/proc/self/fd/%d", s->opts.fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

static void
sink_open(struct sink *s)
{
	struct stat st;
	int copy;

	s->fd = s->opts.fd;
	s->kind = SINK_ASKED;
	if (fstat(s->fd, &st) == -1)
		return;
	if (S_ISSOCK(st.st_mode)) {
		s->kind = SINK_SOCKET;
	} else if (S_ISREG(st.st_mode)) {
		s->kind = SINK_FILE;
	} else if ((S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) && (copy = own_copy(s, &st)) != -1) {
		s->fd = copy;
		s->kind = SINK_OWN;
	}
}

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
	sink_open(s);
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

/* put: one line, or nothing; false when there was no room for it. */
static bool
put(const struct sink *s, const char *p, size_t n)
{
	struct pollfd room = { .fd = s->fd, .events = POLLOUT };

	if (s->kind == SINK_ASKED && poll(&room, 1, 0) == 0)
		return false;
	ssize_t done = s->kind == SINK_SOCKET ? send(s->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) : write(s->fd, p, n);
	/* A terminal or a socket may take a part; what follows then begins a line of its own. */
	if (done > 0 && (size_t)done < n)
		atomic_store(&torn, true);
	/* Nothing can be done about a broken stderr, least of all logged. */
	return done == (ssize_t)n || (done == -1 && errno != EAGAIN);
}

/* put_line: the same, or it is counted, with the `was_lost` that it would have told. */
static void
put_line(const struct sink *s, const char *p, size_t n, long long was_lost)
{
	bool ended = !atomic_exchange(&torn, false);

	if (!ended && !put(s, "\n", 1))
		atomic_store(&torn, true);
	else if (put(s, p, n))
		return;
	atomic_fetch_add(&lost, was_lost + 1);
}

void
log_write(enum log_level level, enum log_event ev, const struct log_field *fields, const char *fmt, ...)
{
	struct log_field with[FIELDS_MAX + 3] = { { NULL, NULL, 0 } };	/* and repeated, lost, the end */
	char msg[1024], when[WALL_TEXT_MAX];
	struct timespec ts;
	const struct sink *s = atomic_load(&current);
	const struct log_opts *o = &s->opts;
	struct line l = { .n = 0 };
	int64_t held;
	va_list ap;
	size_t n = 0, own;

	if (!due(ev, &held))
		return;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	for (; fields != NULL && fields[n].key != NULL && n < FIELDS_MAX; n++)
		with[n] = fields[n];
	own = n;
	if (held > 0)
		with[own++] = (struct log_field)LOG_N("repeated", held);
	long long was_lost = atomic_exchange(&lost, 0);
	if (was_lost > 0)
		with[own++] = (struct log_field)LOG_N("lost", was_lost);
	clock_gettime(CLOCK_REALTIME, &ts);
	wall_rfc3339((struct wall){ ts.tv_sec * NS_PER_S + ts.tv_nsec }, when);

	if (o->format == LOG_JSON) {
		as_json(&l, o, level, ev, msg, with, when);
		/* What we say of the log itself stays. */
		if (l.n == 0 && n > 0) {
			with[n - 1] = (struct log_field)LOG_N("fields_left_out", n);
			as_json(&l, o, level, ev, msg, with + n - 1, when);
		}
		if (l.n == 0)
			as_json(&l, o, level, ev, "(record too long, left out)", with + n, when);
	} else {
		as_text(&l, o->colour, level, ev, msg, with, when);
	}
	l.p[l.n++] = '\n';
	put_line(s, l.p, l.n, was_lost);
}
