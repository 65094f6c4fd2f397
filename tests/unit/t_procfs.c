/* t_procfs - the tree below a process, by both of its ways.
 *
 * The source is included, so that the scan of all of /proc is tested as well where the
 * kernel lists children. */
#include "sys/procfs.c"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/magic.h"

#define MANY 64

/* A child that starts a grandchild in a session of its own and tells both pids. */
static pid_t
family(pid_t *grandchild)
{
	pid_t pid;
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	if ((pid = fork()) == 0) {
		pid_t below = fork();
		if (below == 0) {
			setsid();
			ssize_t n = write(p[1], &(pid_t){ getpid() }, sizeof below);
			_exit(n == sizeof below ? (pause(), 0) : 1);
		}
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(read(p[0], grandchild, sizeof *grandchild), sizeof *grandchild);
	close(p[0]);
	close(p[1]);
	return pid;
}

static void
end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static size_t
place(const pid_t *v, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == pid)
			return i;
	return SIZE_MAX;
}

typedef size_t way(pid_t root, pid_t *out, size_t max);

static size_t
children_way(pid_t root, pid_t *out, size_t max)
{
	struct found f = { out, 0, max, 0 };

	by_children(&f, root);
	return f.n;
}

static size_t
scan_way(pid_t root, pid_t *out, size_t max)
{
	struct found f = { out, 0, max, 0 };

	by_scan(&f, root);
	return f.n;
}

static way *const ways[] = { procfs_descendants, scan_way, children_way };

/* Where the kernel does not list children the third way finds nothing, rightly. */
static size_t
nways(void)
{
	return access("/proc/thread-self/children", R_OK) == 0 ? 3 : 2;
}

static void
finds_everybody_below_parents_first(void **state)
{
	pid_t v[MANY], grandchild, child = family(&grandchild);

	(void)state;
	for (size_t i = 0; i < nways(); i++) {
		assert_int_equal(ways[i](getpid(), v, MANY), 2);
		assert_int_equal(v[0], child);
		assert_int_equal(v[1], grandchild);
		assert_int_equal(ways[i](child, v, MANY), 1);
		assert_int_equal(v[0], grandchild);
		assert_int_equal(ways[i](grandchild, v, MANY), 0);
	}
	end(child);
	/* The orphan comes to us, as this process is a subreaper. */
	for (size_t i = 0; i < nways(); i++) {
		assert_int_equal(ways[i](getpid(), v, MANY), 1);
		assert_int_equal(v[0], grandchild);
	}
	end(grandchild);
	for (size_t i = 0; i < nways(); i++)
		assert_int_equal(ways[i](getpid(), v, MANY), 0);
}

static void
finds_at_most_what_fits(void **state)
{
	pid_t v[4] = { 0 }, below[3], pid[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		pid[i] = family(&below[i]);
	for (size_t i = 0; i < nways(); i++) {
		v[3] = 0;
		assert_int_equal(ways[i](getpid(), v, 3), 3);
		assert_int_equal(v[3], 0);
		for (int k = 0; k < 3; k++)
			assert_true(place(v, 3, pid[k]) < 3);
		assert_int_equal(ways[i](getpid(), v, 0), 0);
	}
	for (int i = 0; i < 3; i++) {
		end(pid[i]);
		end(below[i]);
	}
}

static void
zombies_are_left_out(void **state)
{
	pid_t v[MANY], pid = fork();
	siginfo_t info;

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	for (size_t i = 0; i < nways(); i++)
		assert_int_equal(ways[i](getpid(), v, MANY), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void *
go_on(void *arg)
{
	ssize_t n = write(*(int *)arg, "x", 1);

	_exit(n == 1 ? (pause(), 0) : 1);
}

static void
a_process_whose_first_thread_ended_is_alive(void **state)
{
	pid_t v[MANY], pid;
	pthread_t t;
	int p[2];
	char c;

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	if ((pid = fork()) == 0) {
		if (pthread_create(&t, NULL, go_on, &p[1]) != 0)
			_exit(1);
		pthread_exit(NULL);
	}
	assert_int_equal(read(p[0], &c, 1), 1);
	/* Its main thread shows as Z a moment after; it must be found before and after. */
	struct stat_line s;
	char path[48], line[512], mode = 'R';
	for (int i = 0; i < 60000 && mode != 'Z'; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = i < 1000 ? 0 : 1000000 }, NULL);
		snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
		FILE *f = fopen(path, "re");
		assert_non_null(f);
		assert_non_null(fgets(line, sizeof line, f));
		fclose(f);
		assert_int_equal(sscanf(strrchr(line, ')') + 1, " %c", &mode), 1);
		assert_true(stat_read(pid, &s) && s.is_alive);
	}
	assert_int_equal(mode, 'Z');
	for (size_t i = 0; i < nways(); i++) {
		assert_int_equal(ways[i](getpid(), v, MANY), 1);
		assert_int_equal(v[0], pid);
	}
	end(pid);
	close(p[0]);
	close(p[1]);
}

static _Atomic uint64_t *turns;		/* shared with the child whose threads turn */

static void *
turn(void *arg)
{
	for (;;)
		atomic_fetch_add((_Atomic uint64_t *)arg, 1);
	return NULL;
}

/* becomes: still or not, within a minute or more. */
static bool
becomes(pid_t pid, bool still)
{
	for (int i = 0; i < 60000 && procfs_stands_still(pid) != still; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	return procfs_stands_still(pid) == still;
}

static void
who_stands_still_does_nothing(void **state)
{
	uint64_t before[2];
	pthread_t t;
	pid_t pid;

	(void)state;
	turns = mmap(NULL, 2 * sizeof *turns, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(turns != MAP_FAILED);
	if ((pid = fork()) == 0) {
		if (pthread_create(&t, NULL, turn, &turns[1]) != 0)
			_exit(1);
		turn(&turns[0]);
	}
	while (atomic_load(&turns[0]) == 0 || atomic_load(&turns[1]) == 0)
		sched_yield();
	assert_false(procfs_stands_still(pid));
	for (int round = 0; round < 20; round++) {
		assert_int_equal(kill(pid, SIGSTOP), 0);
		assert_true(becomes(pid, true));
		for (int i = 0; i < 2; i++)
			before[i] = atomic_load(&turns[i]);
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);	/* nothing happens in it */
		for (int i = 0; i < 2; i++)
			assert_true(atomic_load(&turns[i]) == before[i]);
		assert_int_equal(kill(pid, SIGCONT), 0);
		assert_true(becomes(pid, false));
	}
	end(pid);
	assert_true(procfs_stands_still(pid));
	munmap(turns, 2 * sizeof *turns);
}

static void
names_with_brackets_and_blanks_are_no_riddle(void **state)
{
	struct stat_line s;
	char was[16];

	(void)state;
	prctl(PR_GET_NAME, was);
	prctl(PR_SET_NAME, "a) Z 1 (b) X 0");
	assert_true(stat_read(getpid(), &s));
	prctl(PR_SET_NAME, was);
	assert_true(s.is_alive);
	assert_int_equal(s.parent, getppid());
}

static void
nobody_is_below_a_process_that_is_not_there(void **state)
{
	pid_t v[MANY];
	struct stat_line s;

	(void)state;
	for (size_t i = 0; i < nways(); i++)
		assert_int_equal(ways[i](0x7fffffff, v, MANY), 0);
	assert_false(stat_read(0x7fffffff, &s));
}

static void *
spawn_in_thread(void *arg)
{
	*(pid_t *)arg = fork();
	if (*(pid_t *)arg == 0) {
		pause();
		_exit(0);
	}
	pthread_exit(NULL);
}

static void
children_of_other_threads_count_too(void **state)
{
	pid_t v[MANY], pid;
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, spawn_in_thread, &pid), 0);
	pthread_join(t, NULL);
	for (size_t i = 0; i < nways(); i++) {
		assert_int_equal(ways[i](getpid(), v, MANY), 1);
		assert_int_equal(v[0], pid);
	}
	end(pid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_everybody_below_parents_first),
		cmocka_unit_test(finds_at_most_what_fits),
		cmocka_unit_test(zombies_are_left_out),
		cmocka_unit_test(a_process_whose_first_thread_ended_is_alive),
		cmocka_unit_test(who_stands_still_does_nothing),
		cmocka_unit_test(names_with_brackets_and_blanks_are_no_riddle),
		cmocka_unit_test(nobody_is_below_a_process_that_is_not_there),
		cmocka_unit_test(children_of_other_threads_count_too),
	};

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
