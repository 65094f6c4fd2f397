/* help.h - what help, man pages and completion say of an option; made from its row. */
#ifndef CMD_HELP_H
#define CMD_HELP_H

#include "cmd.h"

/* help_names(row, out): "-s, --server URL" ("    --tls-ca FILE" without a letter).
 * help_value(row, out): what stands behind it, "" for flags: "URL", "auto|always|never".
 * help_variables(row, out): "AEGIS_SERVER, NATS_URL", "" when there are none.
 * help_details(row, out): "duration, 10ms to 1h; default 5s; AEGIS_TIMEOUT"; may be "". */
void help_names(const struct opt *row, struct str *out);
void help_value(const struct opt *row, struct str *out);
void help_variables(const struct opt *row, struct str *out);
void help_details(const struct opt *row, struct str *out);

/* help_lines(text, fn, arg): calls fn for each line; the text between two line ends. */
void help_lines(const char *text, void (*fn)(void *arg, const char *line, size_t n), void *arg);

/* The rows of help's list of exit codes; each returns false behind the last. */
bool help_exit_row(size_t i, struct str *code, struct str *meaning);

#endif
