/* table.h - the tokens and sessions that this process knows, and what follows from them.  Pure.
 *
 * One owner at a time (the shell's lock).  Full at AUTH_TOKENS_MAX and AUTH_SESSIONS_MAX: what comes
 * beyond is not taken, so it is asked for in the store at each use.  DESIGN.md has the table of
 * verdicts. */
#ifndef AUTH_TABLE_H
#define AUTH_TABLE_H

#include "auth/token.h"

#define AUTH_TOKENS_MAX 16384
#define AUTH_SESSIONS_MAX 65536
#define AUTH_SESSIONS_EACH 256		/* of one token */

enum auth_verdict {
	AUTH_KNOWN,		/* let in */
	AUTH_UNKNOWN,		/* nothing here: the store may know more */
	AUTH_OVER,		/* it was one, and has expired or was idle for too long */
	AUTH_WRONG,		/* a record of that id is of another secret */
};

struct auth_table;
struct auth_table *auth_table_new(void);
void auth_table_free(struct auth_table *t);		/* NULL is fine */

/* auth_table_token(t, x), auth_table_session(t, x): takes a copy of what was read or written, in place of
 * what was there; false when the table is full.  auth_table_used(t, id, at): the use that is written. */
bool auth_table_token(struct auth_table *t, const struct auth_token *x);
bool auth_table_session(struct auth_table *t, const struct auth_session *x);
void auth_table_used(struct auth_table *t, const char *id, struct wall at);

/* auth_table_remove(t, kind, id): a token takes its sessions along.  Whether there was one. */
bool auth_table_remove(struct auth_table *t, enum auth_kind kind, const char *id);

/* auth_judge_token(t, digest, now, who), auth_judge_session: *who is set with AUTH_KNOWN.  A use that is
 * worth writing is remembered for auth_table_due. */
enum auth_verdict auth_judge_token(struct auth_table *t, const struct digest *d, struct wall now, struct auth_who *who);
enum auth_verdict auth_judge_session(struct auth_table *t, const struct digest *d, struct wall now, struct auth_who *who);

/* auth_table_due(t, due): one use that is to be written, taken off; false when there is none. */
struct auth_due {
	enum auth_kind kind;			/* AUTH_KIND_USED or AUTH_KIND_SESSION */
	char id[AUTH_ID_MAX];
	struct wall at;
	struct auth_session session;		/* with touched = at; of AUTH_KIND_SESSION */
};
bool auth_table_due(struct auth_table *t, struct auth_due *due);

/* auth_table_sync(t): what is not put again before auth_table_synced(t) is gone then.  Returns how many
 * went. */
void auth_table_sync(struct auth_table *t);
size_t auth_table_synced(struct auth_table *t);

/* auth_table_drop(t, now): what is over goes, tokens a day later. */
void auth_table_drop(struct auth_table *t, struct wall now);

/* auth_table_carry(to, from): uses that are only known in `from`. */
void auth_table_carry(struct auth_table *to, const struct auth_table *from);

size_t auth_table_tokens(const struct auth_table *t);
size_t auth_table_sessions(const struct auth_table *t);
size_t auth_table_sessions_of(const struct auth_table *t, const char *token);

#endif
