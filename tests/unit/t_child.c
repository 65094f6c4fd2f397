/* t_child - starting programs: what they inherit, how they fail, whom they die with.
 *
 * Run with the hidden verb this program is the shim; run with "stand-in" it is a parent
 * that starts a child and is then killed by the test. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/child.h"
#include "sys/thread.h"

static char dir[] = "/tmp/t_child.XXXXXX";

static const char *
in_dir(const char *name)
{
	static char path[4][128];
	static unsigned n;

	snprintf(path[++n % 4], sizeof path[0], "%s/%s", dir, name);
	return path[n % 4];
}

static void
make_file(const char *name, const char *content, mode_t mode)
{
	FILE *f = fopen(in_dir(name), "we");

	assert_non_null(f);
	assert_int_equal(fwrite(content, 1, strlen(content), f), strlen(content));
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in_dir(name), mode), 0);
}

static int
set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	make_file("plain", "just text\n", 0644);
	make_file("no-line", "echo hello\n", 0755);
	make_file("bad-line", "#!/nowhere/interpreter\n", 0755);
	make_file("twice", "#!/bin/sh\nexit 21\n", 0755);
	assert_int_equal(mkdir(in_dir("folder"), 0755), 0);
	assert_int_equal(mkdir(in_dir("early"), 0755), 0);
	make_file("early/twice", "not executable\n", 0644);
	assert_int_equal(mkdir(in_dir("early/folder"), 0755), 0);
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const words[] = { "rm", "-r", dir, NULL };
	int status;
	pid_t pid;

	(void)state;
	if (child_spawn(&(struct child_opts){ .argv = words }, &pid, NULL) != ERR_OK)
		return 1;
	return waitpid(pid, &status, 0) != pid || status != 0;
}

static int
end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return child_exit_code(status);
}

/* out_of: what a child writes to its descriptor 1 until it ends; *code is its exit code. */
static char *
out_of(struct child_opts o, int *code)
{
	struct child_fd fds[8];
	struct str text = STR_INIT;
	struct err err = { 0 };
	int p[2];
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_true(o.nfds < COUNT_OF(fds));
	for (size_t i = 0; i < o.nfds; i++)
		fds[i] = o.fds[i];
	fds[o.nfds] = (struct child_fd){ p[1], 1 };
	o.fds = fds;
	o.nfds++;
	if (child_spawn(&o, &pid, &err) != ERR_OK)
		fail_msg("%s", err.text);
	close(p[1]);
	for (;;) {
		ssize_t n = read(p[0], str_room(&text, 4096), 4096);
		assert_true(n >= 0);
		if (n == 0)
			break;
		text.len += (size_t)n;
	}
	str_end(&text);
	close(p[0]);
	*code = end_of(pid);
	return str_steal(&text);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define ENV(...) ((char *const[]){ __VA_ARGS__, NULL })

static void
assert_says(struct child_opts o, const char *want, int code)
{
	int got;
	char *text = out_of(o, &got);

	assert_string_equal(text, want);
	assert_int_equal(got, code);
	mem_free(text);
}

static void
runs_a_command_found_in_path(void **state)
{
	(void)state;
	assert_says((struct child_opts){ .argv = WORDS("echo", "a b", "c") }, "a b c\n", 0);
	assert_says((struct child_opts){ .argv = WORDS("/bin/sh", "-c", "exit 7") }, "", 7);
	assert_says((struct child_opts){ .argv = WORDS("sh", "-c", "kill -9 $$") }, "", 137);
	assert_says((struct child_opts){ .argv = WORDS("sh", "-c", "kill -TERM $$") }, "", 143);
}

static void
the_environment_is_the_one_given(void **state)
{
	(void)state;
	assert_says((struct child_opts){ .argv = WORDS("/usr/bin/env"), .env = ENV("A=1", "B=") }, "A=1\nB=\n", 0);
	assert_int_equal(setenv("T_CHILD", "inherited", 1), 0);
	assert_says((struct child_opts){ .argv = WORDS("sh", "-c", "echo $T_CHILD") }, "inherited\n", 0);
}

static void
path_is_that_of_the_child(void **state)
{
	char path[300];
	int code;

	(void)state;
	snprintf(path, sizeof path, "PATH=/nowhere:%s:%s", in_dir("early"), dir);
	/* A file there that cannot be executed, or a folder, does not end the search. */
	char *text = out_of((struct child_opts){ .argv = WORDS("twice"), .env = ENV(path) }, &code);
	assert_int_equal(code, 21);
	mem_free(text);
	assert_says((struct child_opts){ .argv = WORDS("echo", "x"), .env = ENV("NO=PATH") }, "x\n", 0);
}

static void
an_empty_element_of_path_is_the_current_folder(void **state)
{
	char *was = getcwd(NULL, 0);

	(void)state;
	assert_int_equal(chdir(dir), 0);
	assert_says((struct child_opts){ .argv = WORDS("twice"), .env = ENV("PATH=/nowhere:") }, "", 21);
	assert_says((struct child_opts){ .argv = WORDS("twice"), .env = ENV("PATH=") }, "", 21);
	assert_int_equal(chdir(was), 0);
	free(was);
}

static void
assert_fails(const char *word, char *const *env, enum err_code code, const char *text)
{
	struct err err = { 0 };
	pid_t pid = -5;

	assert_int_equal(child_spawn(&(struct child_opts){ .argv = WORDS(word), .env = env }, &pid, &err), code);
	assert_int_equal(err.code, code);
	assert_string_equal(err.text, text);
	assert_int_equal(pid, -5);
}

static void
tells_no_command_and_not_executable_apart(void **state)
{
	char text[600], path[300];

	(void)state;
	assert_fails("no-such-command", ENV("PATH=/bin:/usr/bin"), ERR_NO_COMMAND,
	    "there is no command 'no-such-command' in PATH (/bin:/usr/bin)");
	assert_fails("", ENV("PATH=/bin"), ERR_NO_COMMAND, "there is no command '' in PATH (/bin)");
	assert_fails("/nowhere/x", NULL, ERR_NO_COMMAND,
	    "cannot execute '/nowhere/x': No such file or directory");
	snprintf(text, sizeof text, "cannot execute '%s': Permission denied", in_dir("plain"));
	assert_fails(in_dir("plain"), NULL, ERR_NOT_EXECUTABLE, text);
	snprintf(path, sizeof path, "PATH=/nowhere:%s", dir);
	assert_fails("plain", ENV(path), ERR_NOT_EXECUTABLE, text);
	snprintf(text, sizeof text, "cannot execute '%s': Is a directory", in_dir("folder"));
	assert_fails(in_dir("folder"), NULL, ERR_NOT_EXECUTABLE, text);
	snprintf(text, sizeof text, "there is no command 'folder' in PATH (/nowhere:%s)", dir);
	assert_fails("folder", ENV(path), ERR_NO_COMMAND, text);
	snprintf(text, sizeof text, "cannot execute '%s/x': Not a directory", in_dir("plain"));
	assert_fails(in_dir("plain/x"), NULL, ERR_NO_COMMAND, text);
	snprintf(text, sizeof text, "cannot execute '%s': neither a program of this machine nor a script with"
	    " a #! line", in_dir("no-line"));
	assert_fails(in_dir("no-line"), NULL, ERR_NOT_EXECUTABLE, text);
	snprintf(text, sizeof text, "cannot execute '%s': its interpreter does not exist", in_dir("bad-line"));
	assert_fails(in_dir("bad-line"), NULL, ERR_NOT_EXECUTABLE, text);
}

static void
says_when_the_words_are_too_many(void **state)
{
	struct err err = { 0 };
	size_t n = 200000;
	const char **v = mem_array(n + 1, sizeof *v);
	pid_t pid;

	(void)state;
	v[0] = "/bin/true";
	for (size_t i = 1; i < n; i++)
		v[i] = "a word of some length, so that they are too long together";
	assert_int_equal(child_spawn(&(struct child_opts){ .argv = v }, &pid, &err), ERR_SYSTEM);
	assert_string_equal(err.text, "cannot start '/bin/true': Argument list too long");
	mem_free(v);
}

static void
descriptors_arrive_where_they_were_asked_even_crosswise(void **state)
{
	static const char *const text[] = { "a", "b", "c" };
	const struct child_fd cross[] = { { 50, 51 }, { 51, 52 }, { 52, 50 } };

	(void)state;
	for (int i = 0; i < 3; i++) {
		int fd = memfd_create("t_child", MFD_CLOEXEC);
		assert_int_equal(write(fd, text[i], 1), 1);
		assert_int_equal(dup3(fd, 50 + i, O_CLOEXEC), 50 + i);
		close(fd);
	}
	assert_says((struct child_opts){
		.argv = WORDS("cat", "/proc/self/fd/50", "/proc/self/fd/51", "/proc/self/fd/52"),
		.fds = cross, .nfds = 3,
	}, "cab", 0);
	for (int i = 0; i < 3; i++)
		close(50 + i);
}

static void
a_descriptor_may_keep_its_number_and_go_twice(void **state)
{
	static const char say[] = "cat <&7 && echo end >&8 && echo again >&9";
	int in[2], out[2];
	char got[32] = "";
	int code;

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(dup3(in[0], 37, O_CLOEXEC), 37);
	close(in[0]);
	assert_int_equal(write(in[1], "in\n", 3), 3);
	close(in[1]);
	const struct child_fd fds[] = { { 37, 37 }, { 37, 7 }, { out[1], 8 }, { out[1], 9 } };
	char *text = out_of((struct child_opts){ .argv = WORDS("sh", "-c", say), .fds = fds, .nfds = 4 }, &code);
	assert_int_equal(code, 0);
	assert_string_equal(text, "in\n");
	close(out[1]);
	assert_int_equal(read(out[0], got, sizeof got - 1), 10);
	assert_string_equal(got, "end\nagain\n");
	close(out[0]);
	close(37);
	mem_free(text);
}

static void
nothing_else_is_inherited(void **state)
{
	int code, p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	char *text = out_of((struct child_opts){ .argv = WORDS("ls", "/proc/self/fd") }, &code);
	close(p[0]);
	close(p[1]);
	assert_string_equal(text, "0\n1\n2\n3\n");	/* 3 is the folder that ls reads */
	mem_free(text);
}

static void
refuses_a_descriptor_that_is_not_open(void **state)
{
	const struct child_fd fds[] = { { 1, 4 }, { 4321, 3 } };
	struct err err = { 0 };
	pid_t pid;

	(void)state;
	assert_int_equal(child_spawn(&(struct child_opts){ .argv = WORDS("true"), .fds = fds, .nfds = 2 }, &pid, &err),
	    ERR_SYSTEM);
	assert_string_equal(err.text, "cannot hand descriptor 4321 to 'true': Bad file descriptor");
}

static void
signals_are_as_after_boot(void **state)
{
	unsigned long long blocked, ignored;
	int code;

	(void)state;
	/* main blocked many and ignores SIGPIPE; neither must reach the child. */
	char *text = out_of((struct child_opts){ .argv = WORDS("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status") },
	    &code);
	assert_int_equal(sscanf(text, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
	assert_int_equal(blocked, 0);
	/* 32 and 33 are the C library's own, which it keeps to itself. */
	assert_int_equal(ignored & ~0x180000000ULL, 0);
	mem_free(text);
}

static void
own_group_makes_it_the_leader_of_one(void **state)
{
	pid_t pid;

	(void)state;
	const struct child_opts o = { .argv = WORDS("sleep", "100"), .own_group = true };
	assert_int_equal(child_spawn(&o, &pid, NULL), ERR_OK);
	assert_int_equal(getpgid(pid), pid);
	assert_int_equal(kill(-pid, SIGKILL), 0);
	assert_int_equal(end_of(pid), 137);
	const struct child_opts same = { .argv = WORDS("sleep", "100") };
	assert_int_equal(child_spawn(&same, &pid, NULL), ERR_OK);
	assert_int_equal(getpgid(pid), getpgrp());
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(end_of(pid), 137);
}

/* --- the hidden verb ------------------------------------------------------------------- */

static void
the_shim_becomes_the_command(void **state)
{
	const struct child_opts o = {
		.argv = WORDS("sh", "-c", "echo $0 $1 $T_SHIM; exit 5", "zero", "one two"),
		.env = ENV("PATH=/bin:/usr/bin", "T_SHIM=yes"), .dies_with_parent = true, .own_group = true,
	};

	(void)state;
	assert_says(o, "zero one two yes\n", 5);
}

static void
assert_shim(const char *word, int code, const char *text)
{
	int devnull = open("/dev/null", O_WRONLY | O_CLOEXEC), got;
	const struct child_fd fds[] = { { devnull, 1 } };
	int p[2];
	char said[1024] = "";
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	const struct child_fd both[] = { fds[0], { p[1], 2 } };
	assert_int_equal(child_spawn(&(struct child_opts){ .argv = WORDS(word), .env = ENV("PATH=/bin"),
	    .fds = both, .nfds = 2, .dies_with_parent = true }, &pid, NULL), ERR_OK);
	close(p[1]);
	close(devnull);
	for (size_t n = 0; (got = (int)read(p[0], said + n, sizeof said - 1 - n)) > 0;)
		n += (size_t)got;
	close(p[0]);
	assert_int_equal(end_of(pid), code);
	assert_string_equal(said, text);
}

static void
the_shim_ends_with_the_codes_of_a_shell(void **state)
{
	char text[600];

	(void)state;
	assert_shim("no-such-command", 127, "aegis: there is no command 'no-such-command' in PATH (/bin)\n");
	snprintf(text, sizeof text, "aegis: cannot execute '%s': Permission denied\n", in_dir("plain"));
	assert_shim(in_dir("plain"), 126, text);
	snprintf(text, sizeof text, "aegis: cannot execute '%s': neither a program of this machine nor a script with"
	    " a #! line\n", in_dir("no-line"));
	assert_shim(in_dir("no-line"), 126, text);
}

static void
assert_verdict(const char *word, int code, const char *text)
{
	int p[2], end[2];
	char said[600] = "", c;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(pipe2(end, O_CLOEXEC), 0);
	const struct child_fd fds[] = { { p[1], 9 }, { end[0], 0 } };
	assert_int_equal(child_spawn(&(struct child_opts){ .argv = WORDS(word), .env = ENV("PATH=/bin"),
	    .fds = fds, .nfds = 2, .dies_with_parent = true, .verdict = 9 }, &pid, NULL), ERR_OK);
	close(p[1]);
	close(end[0]);
	/* The answer is there before the command ends: cat still waits for its input. */
	assert_int_equal(read(p[0], said, sizeof said - 1), strlen(text));
	assert_string_equal(said, text);
	assert_int_equal(read(p[0], &c, 1), 0);
	close(end[1]);
	assert_int_equal(end_of(pid), code);
	close(p[0]);
}

static void
a_verdict_tells_whether_the_command_is_executed(void **state)
{
	char text[600];

	(void)state;
	assert_verdict("cat", 0, "");
	assert_verdict("no-such-command", 127, "there is no command 'no-such-command' in PATH (/bin)");
	snprintf(text, sizeof text, "cannot execute '%s': its interpreter does not exist", in_dir("bad-line"));
	assert_verdict(in_dir("bad-line"), 126, text);
}

static void
the_shim_refuses_people(void **state)
{
	int devnull = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const struct child_fd fds[] = { { devnull, 2 } };

	static const char *const bad[][3] = {
		{ "1", "--", "true" }, { "x:0", "--", "true" }, { "1:x", "--", "true" }, { "1:-1", "--", "true" },
		{ "1:0", "true", "x" }, { "1:0", "--", NULL }, { "1:2147483647", "--", "true" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_says((struct child_opts){ .argv = WORDS(child_self(), CHILD_SHIM_VERB, bad[i][0], bad[i][1],
		    bad[i][2]), .fds = fds, .nfds = 1 }, "", 125);
	/* A parent that is not the one it was told of is gone, or never was. */
	assert_says((struct child_opts){ .argv = WORDS(child_self(), CHILD_SHIM_VERB, "999999:0", "--", "true"),
	    .fds = fds, .nfds = 1 }, "", 137);
	close(devnull);
}

#define FORGETS "T_CHILD_FORGETS"
#define REFUSED 42

/* forgetful: a main that does not know the hidden verb and starts what it always starts. */
static int
forgetful(void)
{
	const struct child_opts o = { .argv = WORDS("true"), .dies_with_parent = true };
	pid_t pid;

	return child_spawn(&o, &pid, NULL) == ERR_WRAPPER ? REFUSED : 1;
}

static void
a_program_that_does_not_know_the_verb_starts_no_copies(void **state)
{
	(void)state;
	char **env = child_env_copy(NULL);
	child_env_set(&env, FORGETS, "1");
	assert_says((struct child_opts){ .argv = WORDS(child_self(), CHILD_SHIM_VERB, "1:0", "--", "true"), .env = env },
	    "", REFUSED);
	child_env_free(env);
}

/* stand_in: a parent that starts a child which holds descriptor 3 open, then waits. */
static int
stand_in(bool dies_with_parent)
{
	const struct child_fd fds[] = { { 3, 3 } };
	const struct child_opts o = {
		.argv = WORDS("sh", "-c", "echo $$ >&3; exec sleep 1000"), .fds = fds, .nfds = 1,
		.own_group = true, .dies_with_parent = dies_with_parent,
	};
	pid_t pid;

	if (fcntl(3, F_SETFD, FD_CLOEXEC) == -1 || child_spawn(&o, &pid, NULL) != ERR_OK)
		return 1;
	close(3);
	pause();
	return 0;
}

static bool
hangs_up_within(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;

	return poll(&p, 1, ms) == 1 && read(fd, &c, 1) == 0;
}

static void
the_child_dies_with_its_parent(void **state)
{
	char up[16] = "";
	pid_t pid;
	int p[2];

	(void)state;
	for (int dies = 0; dies < 2; dies++) {
		assert_int_equal(pipe2(p, O_CLOEXEC), 0);
		const struct child_fd fds[] = { { p[1], 3 } };
		const struct child_opts o = {
			.argv = WORDS(child_self(), "stand-in", dies ? "dies" : "lives"), .fds = fds, .nfds = 1,
		};
		assert_int_equal(child_spawn(&o, &pid, NULL), ERR_OK);
		close(p[1]);
		assert_true(read(p[0], up, sizeof up - 1) > 1);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(end_of(pid), 137);
		if (dies) {
			assert_true(hangs_up_within(p[0], 60000));
		} else {
			/* The control: without the shim it lives on, as an orphan of ours. */
			assert_false(hangs_up_within(p[0], 100));
			assert_int_equal(kill((pid_t)strtol(up, NULL, 10), SIGKILL), 0);
			assert_true(hangs_up_within(p[0], 60000));
		}
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		close(p[0]);
	}
}

/* --- environments ---------------------------------------------------------------------- */

static void
an_environment_can_be_copied_and_changed(void **state)
{
	char **env = child_env_copy(ENV("A=1", "AB=2", "A=3", "B=x=y"));

	(void)state;
	child_env_set(&env, "C", "new");
	child_env_set(&env, "A", "4");		/* both of them */
	child_env_set(&env, "B", NULL);
	child_env_set(&env, "NOT_THERE", NULL);
	assert_string_equal(env[0], "AB=2");
	assert_string_equal(env[1], "C=new");
	assert_string_equal(env[2], "A=4");
	assert_null(env[3]);
	child_env_free(env);
	child_env_free(NULL);
}

static void
a_copy_of_nothing_is_our_own_environment(void **state)
{
	char **env;
	size_t n = 0;

	(void)state;
	env = child_env_copy(NULL);
	while (env[n] != NULL) {
		assert_string_equal(env[n], environ[n]);
		assert_ptr_not_equal(env[n], environ[n]);
		n++;
	}
	assert_null(environ[n]);
	child_env_free(env);
}

int
main(int argc, char **argv)
{
	if (getenv(FORGETS) != NULL)
		return forgetful();
	if (argc > 1 && strcmp(argv[1], CHILD_SHIM_VERB) == 0)
		child_shim_main(argc, argv);
	if (argc > 2 && strcmp(argv[1], "stand-in") == 0)
		return stand_in(strcmp(argv[2], "dies") == 0);

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_a_command_found_in_path),
		cmocka_unit_test(the_environment_is_the_one_given),
		cmocka_unit_test(path_is_that_of_the_child),
		cmocka_unit_test(an_empty_element_of_path_is_the_current_folder),
		cmocka_unit_test(tells_no_command_and_not_executable_apart),
		cmocka_unit_test(says_when_the_words_are_too_many),
		cmocka_unit_test(descriptors_arrive_where_they_were_asked_even_crosswise),
		cmocka_unit_test(a_descriptor_may_keep_its_number_and_go_twice),
		cmocka_unit_test(nothing_else_is_inherited),
		cmocka_unit_test(refuses_a_descriptor_that_is_not_open),
		cmocka_unit_test(signals_are_as_after_boot),
		cmocka_unit_test(own_group_makes_it_the_leader_of_one),
		cmocka_unit_test(the_shim_becomes_the_command),
		cmocka_unit_test(the_shim_ends_with_the_codes_of_a_shell),
		cmocka_unit_test(a_verdict_tells_whether_the_command_is_executed),
		cmocka_unit_test(the_shim_refuses_people),
		cmocka_unit_test(a_program_that_does_not_know_the_verb_starts_no_copies),
		cmocka_unit_test(the_child_dies_with_its_parent),
		cmocka_unit_test(an_environment_can_be_copied_and_changed),
		cmocka_unit_test(a_copy_of_nothing_is_our_own_environment),
	};

	thread_block_signals();
	alarm(300);		/* TERM is blocked; a test that hangs ends by this */
	/* Orphans come to us, and whatever we were started with goes no further. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), 0);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
