/* turns.h - inside lib/client: at most so many requests of one method in hand at once.
 *
 * What comes beyond that waits here, first come first served, up to a bound (the policy: refuse), so
 * that one slow method does not take all workers.  A turn lasts until the request is answered,
 * whoever answers it.  Any thread. */
#ifndef CLIENT_TURNS_H
#define CLIENT_TURNS_H

struct turns;
struct turn_item { struct turn_item *next; };

struct turns *turns_new(unsigned at_once, unsigned max_waiting);
void turns_free(struct turns *t);	/* NULL is fine; nobody waits any more */

/* turns_enter(t, i): GO: its turn has begun.  WAIT: t keeps i, and turns_leave will hand it out.
 * FULL: neither. */
enum turns_word { TURNS_GO, TURNS_WAIT, TURNS_FULL };
enum turns_word turns_enter(struct turns *t, struct turn_item *i);

/* turns_leave(t): a turn is over: the next one that waited, whose turn has begun, or NULL. */
struct turn_item *turns_leave(struct turns *t);

/* turns_close(t): nobody waits any more, now and from now on (FULL); those who did, linked. */
struct turn_item *turns_close(struct turns *t);

#endif
