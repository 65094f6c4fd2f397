/* err.h - how a function says that it failed: a code for programs, a sentence for people.
 *
 * A function that can fail returns enum err_code and takes a struct err * last.  It
 * leaves the struct alone on success, so calls can be chained and checked once.  The
 * function that notices the failure writes the sentence (err_set); each caller that
 * knows more puts its context in front, once (err_prefix).  Sentences start small,
 * end without a full stop and quote their subject:
 *
 *	registry: put 'orders': revision is 42, not 41
 *
 * A NULL struct err is allowed everywhere and means that only the code matters.
 * Nothing here allocates; a struct err belongs to one thread at a time. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

enum err_code {
	ERR_OK = 0,
#define CODE(name, wire, text, http, exit, retry) ERR_##name,
#include "base/errcodes.def"
#undef CODE
	ERR_COUNT
};

struct err {
	enum err_code code;
	char text[504];		/* cut, never overflown, when a sentence is longer */
};

/* err_set(e, code, fmt, ...): writes code and sentence, replacing what was there.
 * Returns code, so that a function can end with `return err_set(...)`. */
enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* err_errno(e, code, errnum, fmt, ...): as err_set, with ": " and the system's words
 * for errnum behind the sentence. */
enum err_code err_errno(struct err *e, enum err_code code, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* err_prefix(e, fmt, ...): puts "context: " before the sentence.  Returns e's code,
 * ERR_OK for a NULL e: use it as a statement, and return the code you have. */
enum err_code err_prefix(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* err_clear(e): back to success with an empty sentence. */
void err_clear(struct err *e);

/* The columns of errcodes.def.  ERR_OK is "OK", 200, exit 0. */
const char *err_name(enum err_code code);	/* "SERVICE_UNKNOWN" */
const char *err_wire(enum err_code code);	/* "SERVICE_NOT_FOUND" */
const char *err_text(enum err_code code);	/* "no such service" */
int err_http(enum err_code code);
int err_exit(enum err_code code);
bool err_retry(enum err_code code);

#endif
