/* trail.h - what commands change, in the audit trail of the management API (audit/audit.h). */
#ifndef CMD_TRAIL_H
#define CMD_TRAIL_H

#include "audit/audit.h"
#include "cmd.h"

/* cmd_trail(c, conn, e, make): writes e down, with the actor "cli" and the user's name.  make: also where there is no
 * trail yet; otherwise, where nobody uses the management API, nothing is kept and nothing said.  A trail that
 * refuses, or that these NATS credentials may not write, is told in a note: the change was made. */
void cmd_trail(struct cmd *c, struct conn *conn, struct audit_entry e, bool make);

/* cmd_author(): the user at this machine, "ann@host", as $USER says, or else by number.  The caller's (mem_free). */
char *cmd_author(void);

/* cmd_json(d): a document of an entry; NULL is none. */
struct data cmd_json(const char *text);

#endif
