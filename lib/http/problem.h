/* problem.h - the one body of every error that leaves by HTTP (conventions.md §3): the members of
 * RFC 9457, and beside them the object that older clients read. */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "model/value.h"

/* One field that is wrong. */
struct problem_error {
	const char *pointer;	/* JSON Pointer into the body, "" for the whole of it */
	const char *detail;
};

struct problem {
	int status;		/* 0: the code's own */
	enum err_code code;	/* ERR_OK: the status alone decides ("HTTP_405") */
	const char *detail;	/* the sentence; nothing of the server's own files or secrets */
	const char *path;	/* of the request; NULL when it could not be read */
	const char *request_id;
	const struct problem_error *errors;
	size_t nerrors;
	struct data details;	/* "error.details": one value, any format; absent: null */
};

/* problem_status(p): what stands in the answer's first line. */
int problem_status(const struct problem *p);

/* problem_phrase(status): the words behind it there, where ours are newer than civetweb's; or NULL. */
const char *problem_phrase(int status);

/* problem_write(out, p): appends the body, as JSON.  What is no UTF-8 in the sentences is left out. */
void problem_write(struct str *out, const struct problem *p);

#endif
