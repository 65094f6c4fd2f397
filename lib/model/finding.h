/* finding.h - what is not as it should be: how bad, a sentence, and what to type about it.
 *
 * Collected by check rows (nats/checkup.h), shown by `aegis doctor` and `aegis status`.  One owner. */
#ifndef MODEL_FINDING_H
#define MODEL_FINDING_H

#include <stddef.h>

#include "base/err.h"

/* A note changes no exit code: it is worth knowing and nothing is to be done. */
enum finding_severity { FINDING_NOTE, FINDING_WARNING, FINDING_CRITICAL };

struct finding {
	const char *check;		/* id of the row that found it; static */
	enum finding_severity severity;
	enum err_code code;		/* what kind of fault it is; the exit code comes from it */
	char *what;			/* a sentence about what is wrong and what follows */
	char *remedy;			/* a command that can be typed, perhaps with a word before it; "" when there is none */
};

#define FINDINGS_PER_CHECK 20		/* what one row adds beyond is counted, not kept */

struct findings {
	struct finding *v;
	size_t n, cap;
	const char *check;		/* whose row is running */
	size_t of_check, more;		/* how many it has added; how many were not kept */
};

/* findings_begin(f, check): what is added from now on is of this row.  findings_end(f): says how many of its
 * findings were not kept, as a note. */
void findings_begin(struct findings *f, const char *check);
void findings_end(struct findings *f);

/* findings_add(f, severity, code, remedy, fmt, ...): remedy is copied, NULL for none. */
void findings_add(struct findings *f, enum finding_severity severity, enum err_code code, const char *remedy,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* findings_worst(f): the first of the worst, NULL without any. */
const struct finding *findings_worst(const struct findings *f);
void findings_release(struct findings *f);

const char *finding_severity_name(enum finding_severity s);	/* "note", "warning", "critical" */

#endif
