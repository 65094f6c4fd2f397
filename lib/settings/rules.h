/* rules.h - what may stand in the central document of a service.
 *
 * A document is a flat map: options of `run-service` by the names that files have for them
 * ("heartbeat_interval"), as far as their rows are marked central, and "workload": a map of the
 * program's own keys, which nobody here looks into.  One row says what a setting is, for --help,
 * files and documents alike.  What belongs to one machine (ports, paths, names), secrets, and
 * whatever would run as a program (probes by shell) is no central setting: who may write a document
 * shall not thereby run commands on every host.  Pure but for memory; any thread. */
#ifndef SETTINGS_RULES_H
#define SETTINGS_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/opts.h"
#include "model/value.h"

struct codec;
struct pack;

#define SETTINGS_MAX_BYTES (64 * 1024)		/* of a document; each change travels to every instance */
#define SETTINGS_WORKLOAD "workload"

struct settings_rules {
	const struct opts_table *tables;	/* of the command that obeys: run-service */
	size_t size;				/* of the struct that they fill */
	enum err_code (*check)(const void *opts, struct err *err);	/* what no single row can say; or NULL */
};

/* settings_row(rules, key): the row of a central setting; NULL when it is none. */
const struct opt *settings_row(const struct settings_rules *rules, const char *key);

/* Which member of a map is wrong: "heartbeat_interval", "workload/pool"; "" for the whole. */
#define SETTINGS_CULPRIT_MAX 160
struct settings_culprit { char key[SETTINGS_CULPRIT_MAX]; };

/* settings_apply(rules, o, v, source, culprit, err): each setting of the map v into o, as OPTS_CENTRAL
 * and with source in front of refusals.  ERR_INVALID with the sentence and the remedy; then some may be
 * set already.  culprit may be NULL. */
enum err_code settings_apply(const struct settings_rules *rules, struct opts *o, const struct value *v, const char *source,
    struct settings_culprit *culprit, struct err *err);

/* settings_check(rules, v, culprit, err): whether v may be stored: as above, and then rules->check with
 * defaults for all else. */
enum err_code settings_check(const struct settings_rules *rules, const struct value *v, struct settings_culprit *culprit,
    struct err *err);

/* A document as it is stored: {"settings":{…},"updated_by":"…"}.  settings lies in the decoder's arena. */
struct settings_content {
	const struct value *settings;
	struct text by;			/* absent when it does not say */
};

/* settings_read(c, text, n, root, out, err): ERR_CORRUPT when it is no document; whether its settings are
 * allowed is another question.  root is the caller's, for the tree to hang on. */
enum err_code settings_read(struct codec *c, const char *text, size_t n, struct value *root, struct settings_content *out,
    struct err *err);

/* settings_is_secret(m): nobody else is to see the value: it is a secret, a command line, which may hold one, or a URL
 * with credentials. */
bool settings_is_secret(const struct opts_mark *m);

/* settings_pack(p, row, text): a value as JSON has it: number, true or false, else text; text NULL is
 * null, or of a flag false. */
void settings_pack(struct pack *p, const struct opt *row, const char *text);

/* settings_schema(rules, out): JSON Schema (draft 2020-12) of the map, for editors.
 * settings_property(p, row): the schema of one row's value; lists as arrays. */
void settings_schema(const struct settings_rules *rules, struct str *out);
void settings_property(struct pack *p, const struct opt *row);

#endif
