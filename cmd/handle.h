/* handle.h - what commands share that go through the public C interface. */
#ifndef CMD_HANDLE_H
#define CMD_HANDLE_H

#include "client/aegis.h"
#include "cmd.h"

/* cmd_handle(c, stale_ns, err): a handle on the connection that the options name; the caller's
 * (aegis_close).  stale_ns 0: the default. */
aegis *cmd_handle(struct cmd *c, int64_t stale_ns, struct err *err);

/* cmd_map_read(what, word, out, err): a JSON object given as text, as @FILE or on stdin (-); NULL: an
 * empty one.  what names it in the sentence of a refusal. */
enum err_code cmd_map_read(const char *what, const char *word, struct str *out, struct err *err);

/* cmd_payload_read(c, what, data, out, err): what a message carries: the option --data, or the third
 * word, or nothing; both is refused. */
enum err_code cmd_payload_read(const struct cmd *c, const char *what, const char *data, struct str *out,
    struct err *err);

#endif
