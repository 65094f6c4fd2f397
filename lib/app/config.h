/* config.h - configuration files: JSON as people write it, into the options of a command.
 *
 * A file holds one object per area, and in it the options by their names with '_':
 *
 *	{
 *	  "connection": { "server": "nats://a:4222,nats://b:4222" },
 *	  "run_service": { "heartbeat_interval": "5s", "metadata": { "zone": "a" } },
 *	}
 *
 * Comments and trailing commas are fine.  One file serves all commands, so a key is known
 * when any command has it, and used when this one does.  An unknown key is an error with
 * line, column and suggestion: a typo must not become a default. */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#include <stddef.h>

#include "base/err.h"
#include "base/opts.h"

/* The tables of all commands: a NULL-terminated list of lists. */
typedef const struct opts_table *const *config_known;

/* config_apply(o, known, name, origin, text, n, err): one document of n bytes.  name stands
 * in messages and in the origin of each value.  ERR_CONFIG: "FILE:3:5: …". */
enum err_code config_apply(struct opts *o, config_known known, const char *name,
    enum opts_origin origin, const char *text, size_t n, struct err *err);

/* config_load(o, known, file, get, arg, err): file if it is not NULL ("-" is stdin), which
 * then must exist; otherwise the system's file and the user's over it, as far as they do:
 * /etc/aegis/aegis.json, $XDG_CONFIG_HOME/aegis/aegis.json.  Blocks for reading files. */
enum err_code config_load(struct opts *o, config_known known, const char *file,
    opts_getenv *get, void *arg, struct err *err);

/* config_read(file, out, err): all of a file, at most 1 MiB; "-" is stdin. */
enum err_code config_read(const char *file, struct str *out, struct err *err);

#endif
