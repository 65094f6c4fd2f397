/* history.h - what happened, as lines of JSON that several processes append to one file
 * (election.md §12): each is one write, so no line is torn and a killed process loses none.
 *
 *	{"t":…,"src":"m1","gid":"drill__g","nonce":"…","ev":"open","epoch":7,"until":…}
 *
 * t and until are CLOCK_BOOTTIME in ns, which all processes of one host share.  Members write
 * what their gate does and what they serve, clients what they asked and were answered, the
 * conductor what it broke and mended.  verify.h judges. */
#ifndef BENCH_HISTORY_H
#define BENCH_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"

#define HISTORY_EVENTS(X) \
	X(open)		/* member: the gate opened; epoch, until */ \
	X(extend)	/* member: it stays open; until */ \
	X(shut)		/* member: nothing exclusive runs any more */ \
	X(release)	/* member: it gave the lease back */ \
	X(work)		/* the program under a member's lease: it lives; epoch */ \
	X(serve_begin)	/* member: req, epoch */ \
	X(serve_end)	/* member: req, epoch; count is what the exclusive counter gave */ \
	X(effect)	/* read back from the stream: seq, epoch, req */ \
	X(invoke)	/* client: req */ \
	X(ok)		/* client: req, epoch, count */ \
	X(fail)		/* client: req; it was not executed */ \
	X(unknown)	/* client: req; nobody knows */ \
	X(inject)	/* conductor: what; nonce of the member that it hits, if any */ \
	X(heal)		/* conductor: what */

#define X(name) HISTORY_##name,
enum history_event { HISTORY_EVENTS(X) HISTORY_EVENT_COUNT };
#undef X

#define HISTORY_NAME_MAX 64

/* Fields that an event does not have are 0 or "". */
struct history_line {
	struct boot t;
	enum history_event ev;
	char src[HISTORY_NAME_MAX], gid[HISTORY_NAME_MAX], what[HISTORY_NAME_MAX];
	char nonce[33];
	struct boot until;
	uint64_t epoch, req, seq, count;
};

struct history {
	struct history_line *v;
	size_t n, cap;
};

const char *history_event_name(enum history_event ev);

/* history_create(path, err): a descriptor that appends, -1 on failure; the caller closes it. */
int history_create(const char *path, struct err *err);

/* history_write(fd, line): one line; any thread.  A line that cannot be written ends the program:
 * a history with holes proves nothing.  fd below 0: nothing is written. */
void history_write(int fd, const struct history_line *line);

/* history_read(path, out, err): all lines, in the order of their time (of equal times, as they stand).
 * ERR_SYNTAX names the line that is none.  history_release frees; fine when empty. */
enum err_code history_read(const char *path, struct history *out, struct err *err);

/* A file that others still write, in pieces: what is taken once does not come again.
 * history_take(r, until, out, err): the whole lines that are there and not later than until, as
 * history_read; later ones are kept.  BOOT_NEVER: everything.  After a failure the reader is only to be closed.
 * history_waiting(r): how many bytes nobody has read yet. */
struct history_reader;
struct history_reader *history_open(const char *path, struct err *err);
enum err_code history_take(struct history_reader *r, struct boot until, struct history *out, struct err *err);
uint64_t history_waiting(const struct history_reader *r);
void history_close(struct history_reader *r);		/* NULL is fine */
void history_add(struct history *h, const struct history_line *line);
void history_sort(struct history *h);
void history_release(struct history *h);

#endif
