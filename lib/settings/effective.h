/* effective.h - which value of each option is in force in one process, where it came from, and what waits
 * for a restart.
 *
 * There are two sets of values: `wanted`, what options, variables, files and the newest good document say,
 * and `running`, which follows wanted at once in live rows and keeps what the process was started with in
 * all others.  A row in which the two differ is pending.  A document that is refused changes neither.
 * Pure but for memory; one owner. */
#ifndef SETTINGS_EFFECTIVE_H
#define SETTINGS_EFFECTIVE_H

#include "settings/rules.h"

struct effective;

/* effective_new(rules, base): base is how the process was told to run, without any document; it is read from time
 * to time, so it must outlive this, as must rules' tables. */
struct effective *effective_new(const struct settings_rules *rules, const struct opts *base);
void effective_free(struct effective *e);		/* NULL is fine */

/* effective_start(e, text, n, revision, err): the document that the process starts with: every row runs as wanted.
 * effective_take(e, text, n, revision, err): the one that is there now.  text NULL: none.  ERR_CORRUPT, ERR_INVALID:
 * refused, and effective_refused tells why until a good one comes. */
enum err_code effective_start(struct effective *e, const char *text, size_t n, uint64_t revision, struct err *err);
enum err_code effective_take(struct effective *e, const char *text, size_t n, uint64_t revision, struct err *err);

const void *effective_running(const struct effective *e);	/* the struct that the rows fill; until the next take */
uint64_t effective_revision(const struct effective *e);		/* of the newest known; 0: none */
uint64_t effective_applied(const struct effective *e);		/* of the newest good one */
const char *effective_refused(const struct effective *e);	/* NULL: nothing is */

/* effective_changed(e, out): the live keys that the last take changed; effective_pending(e, out): those that wait
 * for a restart; appended as "a, b".  Both return how many. */
size_t effective_changed(const struct effective *e, struct str *out);
size_t effective_pending(const struct effective *e, struct str *out);

/* effective_workload(e): the program's own keys as a JSON object, "{}" without; until the next take.
 * effective_workload_changed(e): the last take changed them. */
const char *effective_workload(const struct effective *e);
bool effective_workload_changed(const struct effective *e);

/* effective_write(e, service, instance, secrets, out): what the instance answers when it is asked for its settings:
 * {"service","instance","revision","applied_revision","refused","pending":[…],"settings":[{"key","value",
 * "origin","source","pending","live","secret"}]}, a pending one with "wanted", too.  Secrets, credentials in
 * URLs, and commands, which may hold some, are null and marked; with `secrets` (for the program itself) the
 * program's own keys are told as they are, beside it as "workload". */
void effective_write(const struct effective *e, const char *service, const char *instance, bool secrets, struct str *out);

/* The words of origins in such answers: flag, env, file, central, default. */
const char *effective_origin(enum opts_origin origin);

#endif
