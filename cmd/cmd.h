/* cmd.h - what a command is: one row of commands.def, a form of options, one function.
 *
 * main finds the row, fills the form's struct from every source of options, and calls run.
 * A command makes one library call, answers through c->out, and returns: it never prints
 * to stderr by itself, never exits.  README.md tells how to add one. */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "base/opts.h"
#include "nats/conn.h"
#include "out.h"

enum cmd_flags {
	CMD_HIDDEN = 1,		/* in no help and no completion */
	CMD_WRAPS = 2,		/* needs "-- CMD ..." */
	CMD_MAY_WRAP = 8,	/* with CMD_WRAPS: there are ways without a command */
	CMD_SERVES = 4,		/* runs until it is stopped: signals are the loop's, logs start at info */
};

enum cmd_access { CMD_READS, CMD_WRITES };

/* The options of a command: tables, and the size of the struct that they fill. */
struct cmd_form {
	size_t size;
	struct opts_table tables[12];		/* ended by one without a title */
};

struct cmd;

struct command {
	const char *noun, *verb;	/* verb NULL: the noun alone is the command */
	const char *operands;		/* "SERVICE METHOD [DATA]" */
	unsigned min, max;		/* how many of them */
	enum cmd_access access;
	unsigned flags;
	const char *summary;		/* half a line */
	const char *text;		/* paragraphs, divided by an empty line */
	const char *examples;		/* one per line */
	const struct cmd_form *form;
	enum err_code (*run)(struct cmd *c, struct err *err);
};

/* One run of one command. */
struct cmd {
	const struct command *command;
	void *opts;			/* the form's struct, filled */
	struct opts *parsed;		/* where each value came from */
	const char *const *words;	/* operands; NULL behind the last */
	size_t nwords;
	const char *const *wrapped;	/* behind "--", NULL-terminated; NULL without */
	struct out *out;
	int exit_code;			/* when run returns ERR_OK */
	int by_signal;			/* the process ends itself with this one, unless 0 */
};

/* --- the parts that forms share (options.c) --------------------------------------------- */

struct cmd_general {
	bool help;
	const char *config;
	struct out_opts out;
};

enum cmd_environment { CMD_DEVELOPMENT, CMD_STAGING, CMD_PRODUCTION, CMD_LOCAL_K8S, CMD_DOCKER };

struct cmd_nats {
	struct conn_opts conn;
	const char *context;
	enum cmd_environment environment;
	struct opts_list forbidden;	/* hosts that production refuses */
};

struct cmd_log {
	enum log_level level;
	enum log_format format;
};

extern const struct opt general_rows[];		/* struct cmd_general: every form begins with it */
extern const struct opt output_rows[];		/* struct cmd_general, too: -o, --json */
extern const struct opt nats_rows[];		/* struct cmd_nats */
extern const struct opt serve_log_rows[];	/* struct cmd_log, of commands that serve */
extern const struct opt client_log_rows[];	/* struct cmd_log, of commands that ask */

/* The tables of a form S whose members are called general, nats and log. */
#define FORM_GENERAL(S)    { "General options", NULL, general_rows, offsetof(S, general) }
#define FORM_OUTPUT(S)     { "Output options", NULL, output_rows, offsetof(S, general) }
#define FORM_NATS(S)       { "Connection options", "connection", nats_rows, offsetof(S, nats) }
#define FORM_SERVE_LOG(S)  { "Logging options", "logging", serve_log_rows, offsetof(S, log) }
#define FORM_CLIENT_LOG(S) { "Logging options", "logging", client_log_rows, offsetof(S, log) }

/* cmd_part(c, rows): the struct that the table with these rows fills, NULL when the form
 * has no such table. */
void *cmd_part(const struct cmd *c, const struct opt *rows);

/* cmd_log_start(c, service, instance): logs as the options want it; main calls it before run,
 * and who knows a name for every line calls it again.  Both may be NULL; copied. */
void cmd_log_start(const struct cmd *c, const char *service, const char *instance);

/* cmd_context(c, err): fills what options and variables left open from the NATS context that
 * --context or NATS_CONTEXT names, or else, when no server
 * is named at all, from the one that the user selected. */
enum err_code cmd_context(struct cmd *c, struct err *err);

/* cmd_nats_check(c, err): what no single row can say of the connection (a context's values,
 * hosts refused in production, secrets inside URLs).  main calls it before run. */
enum err_code cmd_nats_check(struct cmd *c, struct err *err);

/* cmd_conn_opts(c, instance): the connection as asked for, named "aegis VERB INSTANCE@HOST";
 * instance NULL: our pid.  The strings live as long as c->opts. */
struct conn_opts cmd_conn_opts(struct cmd *c, const char *instance);

/* cmd_read(c, args, options_alone, err): fills c->opts from every source, and c's words from args, which must outlive
 * c->parsed; options_alone: whatever operands there are will do. */
enum err_code cmd_read(struct cmd *c, const char *const *args, bool options_alone, struct err *err);

/* The age check of everything that reads instances (wire.md §8.2), as a row of form S. */
#define STALE_ROW(S) \
	OPT_DURATION(S, stale_ns, "stale-threshold", 0, \
	    "take instances for gone whose heartbeat is older than this", .def = "35s", \
	    .min = 1 * NS_PER_S, .max = 300 * NS_PER_S, .env = true, \
	    .inherit = (const char *const[]){ "STALE_THRESHOLD_SECONDS", NULL }, .inherit_seconds = true)

/* cmd_ask(question, out, size): one line from the terminal into out; false when there is no terminal or no
 * answer. */
bool cmd_ask(const char *question, char *out, size_t size);

/* --- the table (commands.c) ------------------------------------------------------------- */

/* Each row's form and function, in the command's own file. */
#define NOUN(name, summary)
#define COMMAND(id, ...) \
	extern const struct cmd_form id##_form; \
	enum err_code cmd_##id##_run(struct cmd *c, struct err *err);
#include "commands.def"
#undef COMMAND
#undef NOUN

struct noun {
	const char *name, *summary;	/* of those whose verbs are the commands */
};

extern const struct command commands[];
extern const size_t ncommands;
extern const struct noun nouns[];
extern const size_t nnouns;

const struct command *command_find(const char *noun, const char *verb);	/* NULL: none */
bool noun_has_verbs(const char *noun);

/* command_tables(): those of all commands, NULL-terminated, for config_load. */
const struct opts_table *const *command_tables(void);

/* command_arity(noun, arg): opts_arity over the commands of a noun, or, where they do not know it or
 * noun is NULL, over all: 0, 1, -1 or -2. */
int command_arity(const char *noun, const char *arg);

/* command_usage(c, out): "aegis call [options] SERVICE METHOD [DATA]". */
void command_usage(const struct command *c, struct str *out);
void command_name(const struct command *c, struct str *out);		/* "registry ls" */

/* --- help (help.c, man.c) --------------------------------------------------------------- */

/* help_write(noun, verb, width, colour, out): help of one command, of a noun, or of all. */
void help_write(const char *noun, const char *verb, int width, bool colour, struct str *out);
void help_exit_codes(struct str *out);
void help_json(struct str *out);
void man_write(const char *noun, struct str *out);	/* noun NULL: aegis.1 */

/* help_show(out, text): through a pager when it is long and stdout is a terminal. */
void help_show(struct out *out, const char *text);

#endif
