/* checkup.h - what the rows of a check-up have in common: the connection, what is known of the server, and
 * where they put their findings.
 *
 * Each domain exports rows of its own (registry_checks, election_checks, …), app/doctor.h runs them all.
 * A row asks and never changes anything.  Rows block; not on the loop. */
#ifndef NATS_CHECKUP_H
#define NATS_CHECKUP_H

#include "model/finding.h"
#include "nats/conn.h"
#include "nats/facts.h"
#include "nats/stream.h"

/* Who the credentials are for: what a role needs and may not do is a note, and for the role that was named critical. */
enum checkup_role { ROLE_ANY, ROLE_CALLER, ROLE_MEMBER, ROLE_LEADER, ROLE_ADMIN };

struct checkup {
	struct conn *conn;
	int64_t stale_ns;		/* the age check of instances */
	enum checkup_role role;
	struct server_facts server;
	bool told;			/* server is known */
	struct err silence;		/* else why not */
	struct jetstream_info jetstream;
	size_t blind;			/* rows and streams that could not be looked at */
	struct findings *out;
};

/* Rows run in order; what a row needs and is not there ends the run of all that need it. */
enum check_need { NEEDS_NATS, NEEDS_JETSTREAM };

struct check {
	const char *id, *title;		/* "registry.stale", "instances that are not heard of" */
	enum check_need need;
	void (*run)(struct checkup *c);
	const char *const *asks;	/* what it publishes to, NULL-terminated; NULL: it looks after that by itself */
};

/* checkup_begin(c, conn, err): asks the server who it is and what it offers.  ERR_NO_JETSTREAM and others of
 * jetstream_probe.  checkup_end frees what was learned. */
enum err_code checkup_begin(struct checkup *c, struct conn *conn, struct err *err);
void checkup_end(struct checkup *c);

/* checkup_replicas(c): how many replicas a stream should have here. */
int checkup_replicas(const struct checkup *c);

/* checkup_now(c): the time of the server, by which stored times are judged; ours when it does not tell. */
struct wall checkup_now(const struct checkup *c);

/* checkup_failed(c, err): a row could not look; one finding that says so. */
void checkup_failed(struct checkup *c, const struct err *err);

/* checkup_may(c, subject): whether the user may publish there, as far as the server told; a subject of JetStream's API
 * is written with $JS.API.  Else it is a finding: the request would not be answered. */
bool checkup_may(struct checkup *c, const char *subject);

extern const struct check nats_checks[];		/* ended by a row without an id */

#endif
