/* status.h - the state of everything on one screen: counts, who leads, what is degraded. */
#ifndef APP_STATUS_H
#define APP_STATUS_H

#include "app/doctor.h"
#include "election/groups.h"

struct status {
	char *servers;			/* that we are connected to, without credentials */
	size_t services;		/* defined, or with instances */
	size_t instances, active, standby, unhealthy, stale;
	const struct groups_list *groups;	/* NULL when they could not be looked at */
	size_t led, leaderless;
	struct doctor_report report;	/* its findings are what is degraded */
};

/* status_look(c, stale_ns, out): out is the caller's (status_release).  What cannot be had is missing and stands among
 * the findings.  Blocks, as long as a group without a leader needs to be sure. */
void status_look(struct conn *c, int64_t stale_ns, struct status *out);
void status_release(struct status *s);

#endif
