/* leaders.h - who leads, as a caller sees it: per group the holder with the highest epoch.
 *
 * Never a right to act, only where to send (election.md §7).  It is fed from what the registry
 * says, from fast beats once a service is followed, and from what replies tell; never backwards.
 * Any thread, one lock; bound: 1,024 groups, those beyond are not remembered. */
#ifndef DISCOVERY_LEADERS_H
#define DISCOVERY_LEADERS_H

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct directory;
struct leaders;
struct service_group;

/* changed(arg), may be NULL: a newer hold, or the end of one, became known; on a library thread or
 * that of leaders_note, and must not block. */
struct leaders *leaders_new(struct conn *conn, void (*changed)(void *arg), void *arg);
void leaders_free(struct leaders *l);		/* NULL is fine */

struct leader {
	char instance[132];	/* "": nobody is known to lead now */
	uint64_t epoch;		/* the highest that was heard of */
	uint64_t released;	/* holds up to it are known to have ended by a release, so what they
				   answered was answered in time */
};

/* leaders_follow(l, service): listens to the beats of its members from now on.  What is not heard
 * is learned later from replies, so a failure is none of the caller's business. */
void leaders_follow(struct leaders *l, const char *service);

/* leaders_note(l, service, group, instance, epoch): this one leads.  leaders_forget: the holder of
 * this epoch does not, or does not answer; the epoch stays known.  leaders_released: it let go. */
void leaders_note(struct leaders *l, const char *service, const char *group, const char *instance, uint64_t epoch);
void leaders_forget(struct leaders *l, const char *service, const char *group, uint64_t epoch);
void leaders_released(struct leaders *l, const char *service, const char *group, uint64_t epoch);

/* leaders_read(l, g, version): what the records of a service say, in that version of the directory; the same
 * ones twice in a row are read once.  g may be NULL. */
void leaders_read(struct leaders *l, const struct service_group *g, uint64_t version);

/* leaders_get(l, service, group, out): all zero when nothing is known. */
void leaders_get(struct leaders *l, const char *service, const char *group, struct leader *out);

/* leaders_group(g, out): the only group of a service's members; its name, or NULL when there is none
 * or more than one (then *several). */
const char *leaders_group(const struct service_group *g, bool *several);

#endif
