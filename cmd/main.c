/* main.c - from the words on the command line to one function, and from its error to stderr
 * and an exit code.  The only place that prints errors and that decides how the process ends. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/drill.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/near.h"
#include "bench/drill.h"
#include "cmd.h"
#include "nats/tls.h"
#include "runner/guardian.h"
#include "sys/child.h"
#include "sys/thread.h"

#define EXIT_USAGE 2

/* What the command line asks for, before any option is read. */
struct plan {
	const struct command *command;	/* NULL: help of noun, or of everything */
	const char *noun;
	const char **args;		/* the arguments without noun and verb, NULL-terminated */
	bool help;
};

/* open_standard: a descriptor that is closed would be taken by the first socket, which then
 * gets our output.  What replaces it fails as a closed one does. */
static void
open_standard(void)
{
	static const int modes[] = { O_RDONLY, O_RDONLY, O_WRONLY };

	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", modes[fd]) != fd)
			exit(err_exit(ERR_SYSTEM));
}

/* --- which command ---------------------------------------------------------------------- */

/* unknown: a word that is no command (noun NULL) or no verb of noun. */
static int
unknown(const char *noun, const char *word)
{
	const char *names[64], *near[3];
	struct str list = STR_INIT;
	size_t n = 0;

	for (size_t i = 0; i < ncommands && n < COUNT_OF(names); i++) {
		const struct command *c = &commands[i];
		if ((c->flags & CMD_HIDDEN) != 0 || (noun != NULL && strcmp(c->noun, noun) != 0))
			continue;
		const char *name = noun != NULL ? c->verb : c->noun;
		if (n == 0 || strcmp(names[n - 1], name) != 0)
			names[n++] = name;
	}
	size_t found = near_pick(word, names, n, near, COUNT_OF(near));
	while (found > 1 && near_distance(word, near[found - 1]) > near_distance(word, near[0]))
		found--;		/* two slips in a word of two letters are another word */
	for (size_t i = 0; i < found; i++)
		str_printf(&list, "%s'%s'", i == 0 ? "" : " or ", near[i]);
	out_say("aegis%s%s: unknown %s '%s'%s%s%s", noun != NULL ? " " : "", noun != NULL ? noun : "",
	    noun != NULL ? "verb" : "command", word, found > 0 ? "; did you mean " : "", str_text(&list),
	    found > 0 ? "?" : "");
	out_say("usage: aegis %s%s [options] ...; `aegis help%s%s` lists them", noun != NULL ? noun : "COMMAND",
	    noun != NULL ? " VERB" : "", noun != NULL ? " " : "", noun != NULL ? noun : "");
	str_release(&list);
	return EXIT_USAGE;
}

/* plan_make: takes noun and verb out of argv, wherever options stand around them.  Returns 0,
 * or the exit code after saying what is wrong. */
static int
plan_make(const char *const *argv, struct plan *p)
{
	const char *verb = NULL;
	size_t n = 0, i = 0;

	while (argv[n] != NULL)
		n++;
	*p = (struct plan){ .args = mem_array(n + 1, sizeof *p->args) };
	for (n = 0; argv[i] != NULL && strcmp(argv[i], "--") != 0; i++) {
		int arity = command_arity(p->noun, argv[i]);
		bool wants_verb = p->noun != NULL && verb == NULL && noun_has_verbs(p->noun);
		if (arity == -1 && strcmp(argv[i], "-") != 0 && p->noun == NULL) {
			p->noun = argv[i];
			continue;
		}
		if (arity == -1 && wants_verb) {
			verb = argv[i];
			continue;
		}
		p->help = p->help || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
		p->args[n++] = argv[i];
		if (arity == 1 && argv[i + 1] != NULL && strcmp(argv[i + 1], "--") != 0)
			p->args[n++] = argv[++i];
	}
	while (argv[i] != NULL)
		p->args[n++] = argv[i++];
	if (p->noun == NULL)
		return 0;
	p->command = command_find(p->noun, verb);
	if (p->command == NULL && !noun_has_verbs(p->noun))
		return unknown(NULL, p->noun);
	if (p->command == NULL && verb != NULL)
		return unknown(p->noun, verb);
	return 0;
}

static int
show_help(const struct plan *p)
{
	struct out_opts o = { .format = OUT_TABLE };
	struct str text = STR_INIT;
	struct err err = { .code = ERR_OK };
	struct out *out = out_new(&o, 1, 0);

	help_write(p->noun, p->command != NULL ? p->command->verb : NULL, 0,
	    out_coloured(&o, 1, out_getenv, NULL), &text);
	help_show(out, str_text(&text));
	enum err_code code = out_end(out, &err);
	if (code == ERR_OUTPUT)
		out_say("aegis help: %s", err.text);
	out_free(out);
	str_release(&text);
	return code == ERR_OUTPUT ? err_exit(code) : 0;
}

/* no_command: options alone.  None at all, or a wish for help, is help; the rest is misuse. */
static int
no_command(const struct plan *p)
{
	if (p->args[0] == NULL || p->help)
		return show_help(p);
	if (p->noun != NULL)
		out_say("aegis %s: a verb is missing", p->noun);
	else
		out_say("aegis: a command is missing beside '%s'", p->args[0]);
	out_say("usage: aegis %s [options] ...; `aegis help%s%s` lists them", p->noun != NULL ? p->noun : "COMMAND",
	    p->noun != NULL ? " " : "", p->noun != NULL ? p->noun : "");
	return EXIT_USAGE;
}

/* --- running it ------------------------------------------------------------------------- */

/* finish: what was not written yet, then the sentence of what went wrong.  A reader that
 * left is no failure of ours. */
static int
finish(struct cmd *c, enum err_code code, struct err *err)
{
	struct str name = STR_INIT;
	struct err late = { .code = ERR_OK };
	enum err_code flushed = c->out != NULL ? out_end(c->out, &late) : ERR_OK;

	if (c->out != NULL && out_reader_left(c->out))
		return 0;
	command_name(c->command, &name);
	if (code != ERR_OK) {
		out_say("aegis %s: %s", str_text(&name), err->text[0] != '\0' ? err->text : err_text(code));
		if (code == ERR_USAGE) {
			struct str usage = STR_INIT;
			command_usage(c->command, &usage);
			out_say("usage: %s", str_text(&usage));
			str_release(&usage);
		}
	} else if (flushed != ERR_OK) {
		code = flushed;
		out_say("aegis %s: %s", str_text(&name), late.text);
	}
	str_release(&name);
	return code != ERR_OK ? err_exit(code) : c->exit_code;
}

static int
run(const struct plan *p, int *by_signal)
{
	struct cmd c = { .command = p->command, .opts = mem_new(p->command->form->size) };
	struct cmd_general *general = c.opts;
	struct err err = { .code = ERR_OK };
	struct str name = STR_INIT;
	struct opts parsed;

	opts_init(&parsed, p->command->form->tables, c.opts);
	c.parsed = &parsed;
	enum err_code code = cmd_read(&c, p->args, false, &err);
	command_name(c.command, &name);
	for (size_t i = 0; i < parsed.warnings.n && !general->out.quiet; i++)
		out_say("aegis %s: warning: %s", str_text(&name), parsed.warnings.v[i]);
	str_release(&name);
	if (code == ERR_OK) {
		c.out = out_new(&general->out, 1, 0);
		cmd_log_start(&c, NULL, NULL);
		if ((c.command->flags & CMD_SERVES) != 0)
			thread_block_signals();
		code = c.command->run(&c, &err);
	}
	int exit_code = finish(&c, code, &err);
	*by_signal = c.by_signal;
	out_free(c.out);
	opts_release(&parsed);
	mem_free(c.opts);
	return exit_code;
}

/* end_by: as our child ended, so that whoever waits for us sees the same; its core dump is
 * enough, ours would be about nothing and hold our credentials. */
static void
end_by(int signo)
{
	sigset_t set;

	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	/* A core_pattern that is a pipe does not care about the limit. */
	prctl(PR_SET_DUMPABLE, 0);
	signal(signo, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	raise(signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* arguments: argv without the program's name, with the command in front that a link is named
 * after: `elect`, `aegis-elect`. */
static const char **
arguments(int argc, char **argv)
{
	const char **args = mem_array((size_t)argc + 2, sizeof *args);
	const char *base = argc > 0 ? strrchr(argv[0], '/') : NULL;
	size_t n = 0;

	base = base != NULL ? base + 1 : argc > 0 ? argv[0] : "aegis";
	if (strncmp(base, "aegis-", 6) == 0)
		base += 6;
	if (strcmp(base, "aegis") != 0 && (command_find(base, NULL) != NULL || noun_has_verbs(base)))
		args[n++] = base;
	/* `aegis --version` is the one question that is no command; run-service has an option
	 * of that name, which takes a value. */
	if (n == 0 && argc > 1 && strcmp(argv[1], "--version") == 0 && (argc == 2 || argv[2][0] == '-')) {
		args[n++] = "version";
		argv++;
		argc--;
	}
	for (int i = 1; i < argc; i++)
		args[n++] = argv[i];
	return args;
}

int
main(int argc, char **argv)
{
	struct plan plan;
	int by_signal = 0, exit_code;

	tls_init();
	if (argc > 1 && strcmp(argv[1], CHILD_SHIM_VERB) == 0)
		child_shim_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], GUARDIAN_VERB) == 0)
		guardian_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], DRILL_VERB) == 0)
		drill_main(argc, argv);
	open_standard();
	signal(SIGPIPE, SIG_IGN);
	const char **args = arguments(argc, argv);
	exit_code = plan_make(args, &plan);
	if (exit_code == 0 && plan.command == NULL)
		exit_code = no_command(&plan);
	else if (exit_code == 0 && plan.help)
		exit_code = show_help(&plan);
	else if (exit_code == 0)
		exit_code = run(&plan, &by_signal);
	mem_free(plan.args);
	mem_free(args);
	conn_library_close();
	if (by_signal != 0)
		end_by(by_signal);
	return exit_code;
}
