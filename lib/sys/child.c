/* child.c - starting programs.
 *
 * The command is looked up here and not by posix_spawnp: the PATH that counts is the
 * child's, and "there is none" (127) and "it cannot be executed" (126) are different
 * answers that a failed exec does not tell apart for a PATH of many folders. */
#include "sys/child.h"

#include <errno.h>
#include <pthread.h>
#include <limits.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"

/* What a shell without a PATH looks through. */
#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

/* --- looking up ------------------------------------------------------------------------ */

static const char *
env_get(char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; *env != NULL; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

/* runnable: 0, or why the file at path cannot be executed by us. */
static int
runnable(const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == -1 ? errno : 0;
}

static enum err_code
why_not(const char *path, int errnum, struct err *err)
{
	if (errnum == ENOENT || errnum == ENOTDIR)
		return err_errno(err, ERR_NO_COMMAND, errnum, "cannot execute '%s'", path);
	if (errnum == ENOEXEC)
		return err_set(err, ERR_NOT_EXECUTABLE,
		    "cannot execute '%s': neither a program of this machine nor a script with a #! line", path);
	return err_errno(err, ERR_NOT_EXECUTABLE, errnum, "cannot execute '%s'", path);
}

/* find: the file that `command` means; *path is the caller's on success. */
static enum err_code
find(const char *command, char *const *env, char **path, struct err *err)
{
	char *refused = NULL;		/* found, but not executable; a later folder may do */
	int why = 0, rc;

	if (strchr(command, '/') != NULL) {
		if ((rc = runnable(command)) != 0)
			return why_not(command, rc, err);
		*path = mem_text(command);
		return ERR_OK;
	}
	const char *dirs = env_get(env, "PATH");
	if (dirs == NULL)
		dirs = PATH_DEFAULT;
	for (const char *d = dirs; *command != '\0';) {
		size_t n = strcspn(d, ":");
		/* An empty element is the current folder, by old custom. */
		char *file = n > 0 ? mem_printf("%.*s/%s", (int)n, d, command) : mem_printf("./%s", command);
		if ((rc = runnable(file)) == 0) {
			mem_free(refused);
			*path = file;
			return ERR_OK;
		}
		if (rc != ENOENT && rc != ENOTDIR && rc != EISDIR && refused == NULL) {
			refused = file;
			why = rc;
		} else {
			mem_free(file);
		}
		if (d[n] == '\0')
			break;
		d += n + 1;
	}
	if (refused == NULL)
		return err_set(err, ERR_NO_COMMAND, "there is no command '%s' in PATH (%s)", command, dirs);
	enum err_code code = why_not(refused, why, err);
	mem_free(refused);
	return code;
}

/* exec_error: as why_not, for a file that was there a moment ago: then ENOENT speaks of
 * the interpreter that its first line names. */
static enum err_code
exec_error(const char *path, int errnum, struct err *err)
{
	if (errnum == ENOENT && runnable(path) == 0)
		return err_set(err, ERR_NOT_EXECUTABLE, "cannot execute '%s': its interpreter does not exist", path);
	if (errnum == ENOMEM || errnum == EAGAIN || errnum == E2BIG)
		return err_errno(err, ERR_SYSTEM, errnum, "cannot start '%s'", path);
	return why_not(path, errnum, err);
}

/* --- spawning -------------------------------------------------------------------------- */

/* The descriptors go over two steps, so that {3->4, 4->3} comes out right: here to
 * copies above every number that is wanted, in the child from there to their places.
 * The copies are close-on-exec, what dup2 makes of them is not. */
struct move {
	int *copy;
	size_t n;
};

static void
move_release(struct move *m)
{
	while (m->n > 0)
		close(m->copy[--m->n]);
	mem_free(m->copy);
}

static enum err_code
move_init(struct move *m, const struct child_opts *o, posix_spawn_file_actions_t *fa, struct err *err)
{
	int floor = 3;

	for (size_t i = 0; i < o->nfds; i++)
		if (o->fds[i].theirs >= floor)
			floor = o->fds[i].theirs + 1;
	m->copy = mem_array(o->nfds, sizeof *m->copy);
	for (m->n = 0; m->n < o->nfds; m->n++) {
		const struct child_fd *f = &o->fds[m->n];
		int copy = fcntl(f->ours, F_DUPFD_CLOEXEC, floor);
		if (copy == -1) {
			enum err_code rc = err_errno(err, ERR_SYSTEM, errno, "cannot hand descriptor %d to '%s'",
			    f->ours, o->argv[0]);
			move_release(m);
			return rc;
		}
		m->copy[m->n] = copy;
		MUST(posix_spawn_file_actions_adddup2(fa, copy, f->theirs) == 0);
	}
	return ERR_OK;
}

static void
attr_init(posix_spawnattr_t *attr, bool own_group)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (own_group ? POSIX_SPAWN_SETPGROUP : 0);
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	MUST(posix_spawnattr_init(attr) == 0);
	MUST(posix_spawnattr_setflags(attr, flags) == 0);
	MUST(posix_spawnattr_setsigmask(attr, &none) == 0);
	MUST(posix_spawnattr_setsigdefault(attr, &all) == 0);
	MUST(posix_spawnattr_setpgroup(attr, 0) == 0);
}

static enum err_code
spawn(const char *path, const char *const *argv, char *const *env, const struct child_opts *o, pid_t *pid,
    struct err *err)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	struct move m;
	enum err_code rc;
	pid_t got;

	MUST(posix_spawn_file_actions_init(&fa) == 0);
	attr_init(&attr, o->own_group);
	if ((rc = move_init(&m, o, &fa, err)) != ERR_OK)
		goto done;
	/* The words are only read; POSIX has its const in the wrong place. */
	int no = posix_spawn(&got, path, &fa, &attr, (char *const *)(void *)argv, env);
	if (no == 0)
		*pid = got;
	else
		rc = exec_error(path, no, err);
	move_release(&m);
done:
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&fa);
	return rc;
}

/* with_shim: "aegis __exec <our pid>:<verdict> -- cmd...": the words of the copy that
 * becomes cmd. */
static const char **
with_shim(const char *const *argv, const char *self)
{
	size_t n = 0;

	while (argv[n] != NULL)
		n++;
	const char **v = mem_array(n + 5, sizeof *v);
	v[0] = "aegis";
	v[1] = CHILD_SHIM_VERB;
	v[2] = self;
	v[3] = "--";
	memcpy(v + 4, argv, n * sizeof *v);
	return v;
}

/* undispatched_shim(): this process is itself a shim copy whose main went on as if it were
 * the program.  Every further copy would do the same: a fork bomb, so none is started. */
static bool
undispatched_shim(void)
{
	char words[64];		/* "aegis\0__exec\0..." and more, which does not matter */
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, words, sizeof words - 1);
	close(fd);
	if (n <= 0)
		return false;
	words[n] = '\0';
	size_t first = strlen(words) + 1;
	return first < (size_t)n && strcmp(words + first, CHILD_SHIM_VERB) == 0;
}

enum err_code
child_spawn(const struct child_opts *o, pid_t *pid, struct err *err)
{
	char *const *env = o->env != NULL ? o->env : environ;
	enum err_code rc;

	MUST(o->argv != NULL && o->argv[0] != NULL);
	if (o->dies_with_parent) {
		if (undispatched_shim())
			return err_set(err, ERR_WRAPPER, "%s was started as %s, which its main must hand to child_shim_main",
			    child_self_path(), CHILD_SHIM_VERB);
		char self[2 * NUM_TEXT_MAX];
		snprintf(self, sizeof self, "%d:%d", (int)getpid(), o->verdict);
		const char **argv = with_shim(o->argv, self);
		rc = spawn(child_self(), argv, env, o, pid, err);
		mem_free(argv);
		return rc;
	}
	char *path;
	if ((rc = find(o->argv[0], env, &path, err)) != ERR_OK)
		return rc;
	rc = spawn(path, o->argv, env, o, pid, err);
	mem_free(path);
	return rc;
}

/* The link and not what it points to: the file may have been replaced by another version
 * since, or deleted, and a copy of this very program is what callers want. */
const char *
child_self(void)
{
	return "/proc/self/exe";
}

static char self_path[PATH_MAX];

static void
read_self_path(void)
{
	ssize_t n = readlink("/proc/self/exe", self_path, sizeof self_path - 1);

	self_path[n > 0 ? n : 0] = '\0';
}

const char *
child_self_path(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_self_path);
	return self_path;
}

/* The verdict goes where it was asked for; 0 means that nobody did. */
_Noreturn static void
shim_fail(int verdict, const struct err *err)
{
	if (verdict == 0 || write(verdict, err->text, strlen(err->text)) == -1)
		fprintf(stderr, "aegis: %s\n", err->text);
	_exit(err_exit(err->code));
}

/* shim_words: "PID:VERDICT". */
static bool
shim_words(char *word, int64_t *parent, int64_t *verdict)
{
	char *colon = strchr(word, ':');

	if (colon == NULL)
		return false;
	*colon = '\0';
	return num_int(word, parent) && num_int(colon + 1, verdict) && *verdict >= 0 && *verdict < INT32_MAX;
}

_Noreturn void
child_shim_main(int argc, char **argv)
{
	struct err err = { 0 };
	int64_t parent, number = 0;
	char *path;

	if (argc < 5 || !shim_words(argv[2], &parent, &number) || strcmp(argv[3], "--") != 0) {
		err_set(&err, ERR_WRAPPER, "%s is for aegis itself: %s PARENT-PID:VERDICT -- COMMAND", CHILD_SHIM_VERB,
		    CHILD_SHIM_VERB);
		shim_fail(0, &err);
	}
	int verdict = (int)number;
	if (verdict != 0)
		fcntl(verdict, F_SETFD, FD_CLOEXEC);
	/* First the wish, then the look: a parent that ends in between is seen by one of them. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1) {
		err_errno(&err, ERR_WRAPPER, errno, "cannot ask to end with the parent");
		shim_fail(verdict, &err);
	}
	if (getppid() != (pid_t)parent)
		raise(SIGKILL);
	if (find(argv[4], environ, &path, &err) != ERR_OK)
		shim_fail(verdict, &err);
	execve(path, argv + 4, environ);
	exec_error(path, errno, &err);
	shim_fail(verdict, &err);
}

int
child_exit_code(int wstatus)
{
	return WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus);
}

/* --- environments ---------------------------------------------------------------------- */

char **
child_env_copy(char *const *env)
{
	return (char **)(uintptr_t)mem_texts((const char *const *)(env != NULL ? env : environ));
}

void
child_env_set(char ***env, const char *name, const char *value)
{
	size_t n = strlen(name), kept = 0;
	char **v = *env;

	/* An environment may hold a name twice, and readers differ in which one they take. */
	for (size_t i = 0; v[i] != NULL; i++) {
		if (strncmp(v[i], name, n) == 0 && v[i][n] == '=')
			mem_free(v[i]);
		else
			v[kept++] = v[i];
	}
	v[kept] = NULL;
	if (value == NULL)
		return;
	v = mem_resize(v, kept + 2, sizeof *v);
	v[kept] = mem_printf("%s=%s", name, value);
	v[kept + 1] = NULL;
	*env = v;
}

void
child_env_free(char **env)
{
	mem_texts_free((const char *const *)env);
}
