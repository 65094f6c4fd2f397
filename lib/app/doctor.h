/* doctor.h - runs the check rows of all domains, and makes or mends the streams that they know.
 *
 * `aegis doctor` shows the findings, `aegis status` and the management API what is degraded.  Adding a check is one
 * row in the domain whose matter it is.  Everything blocks. */
#ifndef APP_DOCTOR_H
#define APP_DOCTOR_H

#include "nats/checkup.h"
#include "nats/store.h"

struct doctor_opts {
	struct conn *conn;
	int64_t stale_ns;		/* 0: STALE_AFTER_S */
	enum checkup_role role;
	const char *only;		/* the id of a row, or of all rows before its dot; NULL: all */
};

/* What the check-up learned besides its findings. */
struct doctor_report {
	struct findings findings;
	size_t rows;			/* that were run */
	size_t blind;			/* what could not be looked at; each has its finding */
	char server[129], version[33], cluster[129];	/* "" when the server does not tell */
	int64_t rtt_ns;
	bool jetstream;
};

/* doctor_run(o, out, err): out is the caller's (doctor_release), also on failure.  What goes wrong is a finding;
 * ERR_USAGE: no row is called o->only. */
enum err_code doctor_run(const struct doctor_opts *o, struct doctor_report *out, struct err *err);
void doctor_release(struct doctor_report *r);

/* doctor_unreachable(why, out): the report of a server that no connection could be made to. */
void doctor_unreachable(const struct err *why, struct doctor_report *out);

/* doctor_rows(each, arg): every row there is, in their order. */
void doctor_rows(void (*each)(void *arg, const struct check *row), void *arg);

/* doctor_stores(c, upgrade, dry_run, each, arg, err): every stream and bucket of ours is made when it is missing
 * and, with upgrade, brought back as far as an update can.  code is that of store_mend, why its sentence.  When one of
 * them fails, that is the code in the end; the others are done nevertheless. */
enum err_code doctor_stores(struct conn *c, bool upgrade, bool dry_run,
    void (*each)(void *arg, const struct store *s, const struct store_change *done, enum err_code code, const char *why),
    void *arg, struct err *err);

#endif
