/* mailbox.h - messages from any thread to the core loop: bounded, in order, intrusive.
 *
 * A mail belongs to the sender until mailbox_post succeeds, then to the box, and to the
 * deliver function once that is called; deliver frees it, or whatever it sits in.
 * Policy when full: refuse (ERR_BUSY); the sender still owns the mail and decides.  The
 * bound counts mails, not bytes; senders bound the size of theirs.
 * A mail with `vital` set is taken even when the box is full: for the few messages per
 * process (connection up or down, a stop) whose loss nothing repairs. */
#ifndef SYS_MAILBOX_H
#define SYS_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct mail {
	struct mail *next;
	void (*deliver)(struct mail *m);	/* on the loop's thread */
	void (*discard)(struct mail *m);	/* the box is freed undelivered; may be NULL */
	bool vital;
};

struct mailbox;

/* mailbox_new(cap, err): a box for cap mails, with an eventfd that is readable while
 * mails wait.  NULL only when the system is out of descriptors. */
struct mailbox *mailbox_new(size_t cap, struct err *err);
void mailbox_free(struct mailbox *b);			/* discards what is left */
int mailbox_fd(const struct mailbox *b);

/* mailbox_post(b, m): any thread; never blocks beyond a leaf lock. */
enum err_code mailbox_post(struct mailbox *b, struct mail *m);

/* mailbox_deliver(b, max): delivers at most max mails in order; the loop's thread only. */
void mailbox_deliver(struct mailbox *b, size_t max);

/* mailbox_take(b, m): takes an undelivered mail back, which is the caller's again; false when
 * it was not there.  The loop's thread only: whoever ends frees what its mails sit in. */
bool mailbox_take(struct mailbox *b, struct mail *m);

/* mailbox_discard(b, deliver): discards every undelivered mail with that deliver function, as
 * mailbox_free would; the others stay in order.  The loop's thread only; those mails have a
 * discard function, and nobody posts any more of them. */
void mailbox_discard(struct mailbox *b, void (*deliver)(struct mail *m));

size_t mailbox_depth(const struct mailbox *b);
uint64_t mailbox_refused(const struct mailbox *b);	/* how many posts found it full */

#endif
