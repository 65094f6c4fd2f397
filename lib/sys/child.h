/* child.h - processes that we start: posix_spawn, own group, clean signals, dying with us.
 *
 * Descriptors are close-on-exec everywhere; only those of child_opts.fds reach the
 * child.  With dies_with_parent the child is started through a hidden verb of this same
 * binary (child_shim_main), which asks the kernel for SIGKILL when the spawning thread
 * ends, checks that the parent is still there, and executes the command.  The kernel
 * watches the *thread* that spawned, so spawn such children from one that lasts. */
#ifndef SYS_CHILD_H
#define SYS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct child_fd {
	int ours, theirs;		/* descriptor here, number there */
};

struct child_opts {
	const char *const *argv;	/* NULL-terminated; argv[0] is looked up in PATH */
	char *const *env;		/* NULL: this process's */
	const struct child_fd *fds;	/* besides 0, 1, 2, which are inherited unless named */
	size_t nfds;
	bool own_group;			/* its own process group, led by itself */
	bool dies_with_parent;
	int verdict;			/* dies_with_parent: number there of one of fds, a pipe or
					   socket; see below.  0: none */
};

/* child_spawn(o, pid, err): starts it.  ERR_NO_COMMAND or ERR_NOT_EXECUTABLE when the
 * command cannot be executed (without dies_with_parent; with it the child ends with
 * exit code 127 or 126 instead).  ERR_WRAPPER with dies_with_parent in a program whose main
 * does not know the hidden verb below: copies of it would only make copies.  The caller
 * reaps pid.
 *
 * With a verdict descriptor the caller learns which it was: end of file says that the
 * command is being executed, a sentence that it cannot be (otherwise standard error gets
 * it; the exit code is the same). */
enum err_code child_spawn(const struct child_opts *o, pid_t *pid, struct err *err);

/* child_self(): path of this program's own file, for starting further copies of it. */
const char *child_self(void);

/* child_self_path(): where that file lies, for people and for looking beside it; "" when
 * /proc does not tell. */
const char *child_self_path(void);

/* The hidden verb: main calls it when argv[1] is CHILD_SHIM_VERB; does not return. */
#define CHILD_SHIM_VERB "__exec"
_Noreturn void child_shim_main(int argc, char **argv);

/* child_exit_code(wstatus): the code that a shell would show: its own, or 128 + signal. */
int child_exit_code(int wstatus);

/* child_env_copy(env): a copy of env (NULL: this process's), the caller's to change with
 * child_env_set, which replaces or adds NAME=value, and to free with child_env_free. */
char **child_env_copy(char *const *env);
void child_env_set(char ***env, const char *name, const char *value);	/* value NULL removes */
void child_env_free(char **env);

#endif
