/* completion.c - shell completion: three small scripts, and the one place that knows what
 * may come next.
 *
 * The scripts only ask `aegis __complete WORDS...` and show what it prints, one candidate
 * per line, a tab, and what it means.  Live names cost a round trip, so they have a budget,
 * and the alarm clock ends the process silently when anything at all takes too long: a
 * shell that hangs at the tab key is worse than one that completes nothing. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "cmd.h"
#include "registry/registry.h"

#define ASK_NS (500 * NS_PER_MS)	/* for connecting, and for the listing */
#define ALARM_US 900000			/* the whole process: a second is felt as hanging */
#define NAMES_MAX 1000			/* nobody reads more candidates */

/* --- the scripts ------------------------------------------------------------------------ */

static const char bash_script[] =
	"# bash completion of aegis; load it with: source <(aegis completion bash)\n"
	"_aegis() {\n"
	"	local IFS=$'\\n' line words=(\"${COMP_WORDS[@]:1:COMP_CWORD}\")\n"
	"	COMPREPLY=()\n"
	"	while IFS= read -r line; do\n"
	"		case $line in\n"
	"		:files) compopt -o filenames 2>/dev/null\n"
	"			COMPREPLY+=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\")) ;;\n"
	"		:command) COMPREPLY+=($(compgen -c -- \"${COMP_WORDS[COMP_CWORD]}\")) ;;\n"
	"		*) COMPREPLY+=(\"${line%%$'\\t'*}\") ;;\n"
	"		esac\n"
	"	done < <(\"${COMP_WORDS[0]}\" __complete -- \"${words[@]}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _aegis aegis\n";

static const char zsh_script[] =
	"#compdef aegis\n"
	"# zsh completion of aegis; load it with: source <(aegis completion zsh)\n"
	"_aegis() {\n"
	"	local line\n"
	"	local -a found\n"
	"	while IFS= read -r line; do\n"
	"		case $line in\n"
	"		:files) _files ;;\n"
	"		:command) _command_names -e ;;\n"
	"		*$'\\t'*) found+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\") ;;\n"
	"		*) found+=(\"${line//:/\\\\:}\") ;;\n"
	"		esac\n"
	"	done < <(\"${words[1]}\" __complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
	"	(( ${#found} )) && _describe -t aegis aegis found\n"
	"}\n"
	"if [[ $funcstack[1] = _aegis ]]; then\n"
	"	_aegis \"$@\"\n"
	"else\n"
	"	compdef _aegis aegis\n"
	"fi\n";

static const char fish_script[] =
	"# fish completion of aegis; load it with: aegis completion fish | source\n"
	"function __aegis_complete\n"
	"	set -l words (commandline -opc)\n"
	"	set -l found ($words[1] __complete -- $words[2..-1] (commandline -ct) 2>/dev/null)\n"
	"	for line in $found\n"
	"		switch $line\n"
	"			case :files\n"
	"				__fish_complete_path (commandline -ct)\n"
	"			case :command\n"
	"				complete -C (commandline -ct)\n"
	"			case '*'\n"
	"				printf '%s\\n' $line\n"
	"		end\n"
	"	end\n"
	"end\n"
	"complete -c aegis -f -a '(__aegis_complete)'\n";

struct completion_opts {
	struct cmd_general general;
};

const struct cmd_form completion_form = {
	sizeof(struct completion_opts),
	{ FORM_GENERAL(struct completion_opts) },
};

enum err_code
cmd_completion_run(struct cmd *c, struct err *err)
{
	static const struct { const char *shell, *script; } scripts[] = {
		{ "bash", bash_script }, { "zsh", zsh_script }, { "fish", fish_script },
	};

	for (size_t i = 0; i < COUNT_OF(scripts); i++) {
		if (strcmp(c->words[0], scripts[i].shell) == 0) {
			out_text(c->out, scripts[i].script);
			return ERR_OK;
		}
	}
	return err_set(err, ERR_USAGE, "'%s' is no shell that is known; use bash, zsh or fish", c->words[0]);
}

/* --- what may come next ----------------------------------------------------------------- */

struct ask {
	struct out *out;
	const char *word;		/* what was typed of the word to complete */
	const struct command *command;	/* NULL while it is not known yet */
	const char *noun;
	const char **args;		/* the complete words, without noun and verb */
	size_t nargs;
	const char *operands[8];
	size_t noperands;
};

static void
offer(struct ask *a, const char *prefix, const char *text, const char *meaning)
{
	char *whole = mem_printf("%s%s", prefix, text);

	if (strncmp(whole, a->word, strlen(a->word)) == 0) {
		out_text(a->out, whole);
		if (meaning != NULL) {
			out_text(a->out, "\t");
			out_text(a->out, meaning);
		}
		out_text(a->out, "\n");
	}
	mem_free(whole);
}

static void
offer_commands(struct ask *a)
{
	for (size_t i = 0; i < nnouns; i++)
		offer(a, "", nouns[i].name, nouns[i].summary);
	for (size_t i = 0; i < ncommands; i++)
		if (commands[i].verb == NULL && (commands[i].flags & CMD_HIDDEN) == 0)
			offer(a, "", commands[i].noun, commands[i].summary);
}

static void
offer_verbs(struct ask *a, const char *noun)
{
	for (size_t i = 0; i < ncommands; i++)
		if (commands[i].verb != NULL && strcmp(commands[i].noun, noun) == 0)
			offer(a, "", commands[i].verb, commands[i].summary);
}

static void
offer_options(struct ask *a)
{
	for (const struct opts_table *t = a->command->form->tables; t->title != NULL; t++)
		for (const struct opt *row = t->rows; row->name != NULL; row++)
			if (!row->hidden)
				offer(a, "--", row->name, row->help);
}

/* --- live names ------------------------------------------------------------------------- */

/* connection: the options that the words name, or the environment; what is wrong with them
 * is somebody else's to say. */
static struct registry *
open_registry(struct ask *a, struct cmd *c, struct opts *parsed, struct conn **conn)
{
	struct registry_opts ro = { .create = false };
	struct opts_words words;

	opts_init(parsed, a->command->form->tables, c->opts);
	c->parsed = parsed;
	if (cmd_part(c, nats_rows) == NULL)
		return NULL;
	if (opts_parse(parsed, a->args, &words, NULL) != ERR_OK ||
	    opts_env(parsed, out_getenv, NULL, NULL) != ERR_OK || cmd_context(c, NULL) != ERR_OK)
		return NULL;
	struct conn_opts co = cmd_conn_opts(c, NULL);
	co.timeout_ns = ASK_NS;
	if ((*conn = conn_new(&co, NULL)) == NULL)
		return NULL;
	ro.conn = *conn;
	return registry_new(&ro, NULL);
}

static void
offer_listed(struct ask *a, struct registry *r, const char *service, bool instances)
{
	struct registry_query q = { .definitions = !instances, .instances = true, .service = service };
	struct registry_list list = { .n = 0 };
	const char *last = "";

	if (registry_list(r, &q, &list, NULL) != ERR_OK)
		return;
	for (size_t i = 0; i < list.n && i < NAMES_MAX; i++) {
		const struct registry_item *item = &list.v[i];
		if (instances && item->instance != NULL)
			offer(a, "", item->instance->id, item->instance->service);
		else if (!instances && item->definition != NULL)
			offer(a, "", item->definition->service, item->definition->description);
	}
	/* A service may run without a definition. */
	for (size_t i = 0; !instances && i < list.n && i < NAMES_MAX; i++) {
		const struct instance *in = list.v[i].instance;
		bool defined = false;
		if (in == NULL || strcmp(in->service, last) == 0)
			continue;
		for (size_t k = 0; k < list.n && !defined; k++)
			defined = list.v[k].definition != NULL && strcmp(list.v[k].definition->service, in->service) == 0;
		if (!defined)
			offer(a, "", in->service, NULL);
		last = in->service;
	}
	registry_list_release(&list);
}

static void
offer_names(struct ask *a, const char *service, bool instances)
{
	struct cmd c = { .command = a->command, .opts = mem_new(a->command->form->size) };
	struct conn *conn = NULL;
	struct opts parsed;

	/* Nothing of this may be seen on the command line that is being typed. */
	log_init(&(struct log_opts){ .level = LOG_CRITICAL });
	struct registry *r = open_registry(a, &c, &parsed, &conn);
	if (r != NULL)
		offer_listed(a, r, service, instances);
	registry_free(r);
	conn_free(conn);
	opts_release(&parsed);
	mem_free(c.opts);
}

/* offer_kind: candidates for what help calls `kind`: "SERVICE", "FILE", "bash|zsh|fish". */
static void
offer_kind(struct ask *a, const char *kind, size_t n)
{
	const char *service = a->noperands > 0 && strncmp(a->command->operands, "SERVICE", 7) == 0
	    ? a->operands[0] : NULL;

	if (n == 0)
		return;
	if (strncmp(kind, "SERVICE", n) == 0 || strncmp(kind, "NAME", n) == 0 ||
	    strncmp(kind, "NAME[/INSTANCE]", n) == 0) {
		offer_names(a, NULL, false);
	} else if (strncmp(kind, "INSTANCE", n) == 0) {
		offer_names(a, service, true);
	} else if (strncmp(kind, "FILE", 4) == 0 || strncmp(kind, "DIR", 3) == 0 || strncmp(kind, "PATH", 4) == 0) {
		out_text(a->out, ":files\n");
	} else if (strncmp(kind, "[COMMAND", 8) == 0) {
		offer_commands(a);
		offer(a, "", "exit-codes", "what exit codes mean");
	} else if (memchr(kind, '|', n) != NULL && kind[0] != '[') {
		for (const char *p = kind; p < kind + n; p += strcspn(p, "| ") + 1) {
			char *choice = mem_text_n(p, strcspn(p, "| "));
			offer(a, "", choice, NULL);
			mem_free(choice);
		}
	}
}

static void
offer_operand(struct ask *a)
{
	const char *kind = a->command->operands;

	if ((a->command->flags & CMD_WRAPS) != 0)
		return;
	for (size_t i = 0; i < a->noperands && *kind != '\0'; i++)
		kind += strcspn(kind, " ") + (kind[strcspn(kind, " ")] == ' ');
	if (strcmp(a->command->noun, "help") == 0 && a->noperands == 1) {
		if (noun_has_verbs(a->operands[0]))
			offer_verbs(a, a->operands[0]);
		return;
	}
	offer_kind(a, kind, strcspn(kind, " "));
}

/* row_of: the option that arg is, "--name" or "-n", of any command or of the one known. */
static const struct opt *
row_of(const struct ask *a, const char *arg, size_t n)
{
	for (const struct opts_table *t = a->command->form->tables; t->title != NULL; t++)
		for (const struct opt *row = t->rows; row->name != NULL; row++)
			if ((arg[1] == '-' && strlen(row->name) == n - 2 && strncmp(row->name, arg + 2, n - 2) == 0) ||
			    (arg[1] != '-' && n == 2 && row->letter == arg[1]))
				return row;
	return NULL;
}

static void
offer_value(struct ask *a, const struct opt *row, const char *prefix)
{
	for (size_t i = 0; row->choices != NULL && row->choices[i] != NULL; i++)
		offer(a, prefix, row->choices[i], NULL);
	if (row->choices == NULL && row->value != NULL && prefix[0] == '\0')
		offer_kind(a, row->value, strlen(row->value));
}

/* read_words: the complete words in front of the last one, as plan_make does it in main. */
static bool
read_words(struct ask *a, const char *const *words, size_t n, const struct opt **pending)
{
	const char *verb = NULL;

	*pending = NULL;
	for (size_t i = 0; i < n; i++) {
		int arity = command_arity(a->noun, words[i]);
		if (strcmp(words[i], "--") == 0)
			return false;
		if (arity == -1 && a->noun == NULL) {
			a->noun = words[i];
		} else if (arity == -1 && verb == NULL && noun_has_verbs(a->noun)) {
			verb = words[i];
		} else {
			a->args[a->nargs++] = words[i];
			if (arity == -1 && a->noperands < COUNT_OF(a->operands))
				a->operands[a->noperands++] = words[i];
			if (arity == 1 && i + 1 < n)
				a->args[a->nargs++] = words[++i];
			else if (arity == 1 && a->noun != NULL && (a->command = command_find(a->noun, verb)) != NULL)
				*pending = row_of(a, words[i], strlen(words[i]));
			continue;
		}
		a->command = command_find(a->noun, verb);
	}
	/* An option that waits for its value is no argument yet. */
	if (*pending != NULL)
		a->args[--a->nargs] = NULL;
	return true;
}

static void
complete(struct ask *a, const char *const *words, size_t n)
{
	const struct opt *pending;
	const char *equals;

	if (!read_words(a, words, n, &pending)) {
		if (a->command != NULL && (a->command->flags & CMD_WRAPS) != 0)
			out_text(a->out, ":command\n");
		return;
	}
	if (a->noun == NULL) {
		offer_commands(a);
	} else if (a->command == NULL) {
		if (noun_has_verbs(a->noun))
			offer_verbs(a, a->noun);
	} else if (pending != NULL) {
		offer_value(a, pending, "");
	} else if (a->word[0] == '-' && (equals = strchr(a->word, '=')) != NULL) {
		const struct opt *row = row_of(a, a->word, (size_t)(equals - a->word));
		char *prefix = mem_text_n(a->word, (size_t)(equals - a->word) + 1);
		if (row != NULL)
			offer_value(a, row, prefix);
		mem_free(prefix);
	} else if (a->word[0] == '-' && a->word[1] != '\0') {
		offer_options(a);
	} else {
		offer_operand(a);
	}
}

const struct cmd_form complete_form = {
	sizeof(struct completion_opts),
	{ FORM_GENERAL(struct completion_opts) },
};

static void
give_up(int signo)
{
	(void)signo;
	_exit(0);
}

enum err_code
cmd_complete_run(struct cmd *c, struct err *err)
{
	struct itimerval limit = { .it_value = { .tv_usec = ALARM_US } };
	const char **words = mem_array(c->nwords + 1, sizeof *words);
	struct ask a = { .out = c->out, .args = mem_array(c->nwords + 2, sizeof *a.args), .word = "" };
	size_t n = 0;

	(void)err;
	signal(SIGALRM, give_up);
	setitimer(ITIMER_REAL, &limit, NULL);
	/* bash hands over --output=json as three words and wants the third completed. */
	for (size_t i = 0; i < c->nwords; i++)
		if (strcmp(c->words[i], "=") != 0)
			words[n++] = c->words[i];
	if (n > 0 && strcmp(c->words[c->nwords - 1], "=") != 0)
		a.word = words[--n];
	complete(&a, words, n);
	mem_free(words);
	mem_free(a.args);
	return ERR_OK;
}
