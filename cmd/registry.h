/* registry.h - what the verbs of `aegis registry` share: the way in, and how an entry looks. */
#ifndef CMD_REGISTRY_H
#define CMD_REGISTRY_H

#include "base/str.h"
#include "cmd.h"
#include "registry/contracts.h"
#include "registry/registry.h"

/* cmd_registry_open(c, create, conn, err): connects and opens the bucket; NULL on failure, and
 * then *conn is NULL as well.  cmd_registry_close(r, conn) ends both. */
struct registry *cmd_registry_open(struct cmd *c, bool create, struct conn **conn, struct err *err);
void cmd_registry_close(struct registry *r, struct conn *conn);

/* The stored record as JSON, with further members at its end: rest is "" or begins with a
 * comma: ",\"revision\":42". */
void cmd_registry_definition_json(const struct definition *d, const char *rest, struct str *out);
void cmd_registry_instance_json(const struct instance *i, const char *rest, struct str *out);

/* cmd_registry_age(since, now, out): "12s", "3m", "5h", "2d". */
#define CMD_REGISTRY_AGE_MAX 24
void cmd_registry_age(struct wall since, struct wall now, char out[CMD_REGISTRY_AGE_MAX]);

/* cmd_registry_tone(s, fresh): how a status is coloured. */
enum out_tone cmd_registry_tone(enum instance_status s, bool fresh);

/* cmd_registry_split(word, service, instance): "NAME" or "NAME/INSTANCE"; *instance is NULL for
 * the first.  Both are the caller's (mem_free). */
void cmd_registry_split(const char *word, char **service, char **instance);

/* cmd_registry_rest(revision, more, out): ",\"revision\":42" and more behind it. */
void cmd_registry_rest(uint64_t revision, const char *more, struct str *out);

/* A definition as the cells of out_object: its six fields and the revision. */
void cmd_registry_show_definition(struct out *out, const struct definition *d, uint64_t revision);

/* cmd_registry_parse_revision(text, out, err): --if-revision; NULL is CMD_REGISTRY_UNSET. */
#define CMD_REGISTRY_UNSET UINT64_MAX
enum err_code cmd_registry_parse_revision(const char *text, uint64_t *out, struct err *err);

/* cmd_registry_read(file, use, arg, expect, err): hands the file's one JSON value to use(), without a
 * "revision" in it, which becomes *expect where the options left that unset. */
enum err_code cmd_registry_read(const char *file, enum err_code (*use)(void *arg, const struct value *v, struct err *err),
    void *arg, uint64_t *expect, struct err *err);

/* Contracts (registry_contract.c): the way in, as cmd_registry_open; `put SERVICE --contract FILE`, of
 * which the revision was read; `get SERVICE --contract`; and for `ls`, the names of all that have one:
 * *out is the caller's, names and array (cmd_contract_names_free). */
struct cmd_contract_name {
	char *service;
	uint64_t revision;
	bool listed;			/* for the caller */
};
struct cmd_contract_names {
	struct cmd_contract_name *v;
	size_t n, cap;
};
struct contracts *cmd_contract_open(struct cmd *c, bool create, struct conn **conn, struct err *err);
void cmd_contract_close(struct contracts *all, struct conn *conn);
enum err_code cmd_contract_put(struct cmd *c, uint64_t expect, bool create, bool dry_run, struct err *err);
enum err_code cmd_contract_get(struct cmd *c, const char *service, struct err *err);
enum err_code cmd_contract_names(struct conn *conn, const char *service, struct cmd_contract_names *out, struct err *err);
struct cmd_contract_name *cmd_contract_find(const struct cmd_contract_names *names, const char *service);
void cmd_contract_names_free(struct cmd_contract_names *names);

#endif
