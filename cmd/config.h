/* config.h - what the verbs of `aegis config` share, and the rules of the document that they are about. */
#ifndef CMD_CONFIG_H
#define CMD_CONFIG_H

#include "cmd.h"
#include "settings/settings.h"

/* What `run-service` obeys (run_service.c). */
extern const struct settings_rules run_service_rules;

/* The tables that such verbs share. */
#define CONFIG_FORM(S) \
	FORM_OUTPUT(S), FORM_NATS(S), FORM_CLIENT_LOG(S), FORM_GENERAL(S)

/* The way in: connected, with the bucket looked at; config_close(w) ends both. */
struct config_way {
	struct conn *conn;
	struct settings *all;
};
enum err_code config_open(struct cmd *c, struct config_way *w, struct err *err);
void config_close(struct config_way *w);

/* config_service(service, err): --service was given and is a name. */
enum err_code config_service(const char *service, struct err *err);

/* config_revision(option, text, out, err): a number behind that option; text NULL leaves *out alone. */
enum err_code config_revision(const char *option, const char *text, uint64_t *out, struct err *err);

/* config_file(file, out, err): the settings in a file: a map of them, or a document that holds one as "settings"; as
 * compact JSON, and allowed by the rules. */
enum err_code config_file(const char *file, char **out, struct err *err);	/* *out: mem_free */

/* What differs, as lines for eyes and as JSON for programs. */
struct config_diff {
	struct str text, json;
	size_t n;
};
enum err_code config_compare(const char *was, const char *is, struct config_diff *d, struct err *err);
void config_diff_release(struct config_diff *d);

#endif
