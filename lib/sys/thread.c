/* thread.c - starting threads; a trampoline names them before their first line runs. */
#include "sys/thread.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/magic.h"
#include "base/mem.h"
#include "sys/clock.h"

struct birth {
	char name[16];			/* the kernel keeps 15 bytes */
	void *(*fn)(void *);
	void *arg;
};

static void *
trampoline(void *p)
{
	struct birth b = *(struct birth *)p;

	mem_free(p);
	pthread_setname_np(pthread_self(), b.name);
	return b.fn(b.arg);
}

/* Everything but what a thread does to itself: a blocked fault would end the process
 * past any crash report, and blocking abort's signal only makes abort slower. */
static void
all_but_faults(sigset_t *set)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };

	sigfillset(set);
	for (size_t i = 0; i < COUNT_OF(faults); i++)
		sigdelset(set, faults[i]);
}

enum err_code
thread_start(pthread_t *t, const char *name, void *(*fn)(void *), void *arg, struct err *err)
{
	struct birth *b = mem_new(sizeof *b);
	sigset_t block, was;

	memcpy(b->name, name, strnlen(name, sizeof b->name - 1));
	b->fn = fn;
	b->arg = arg;
	/* A thread inherits the mask of its creator: nothing slips in between. */
	all_but_faults(&block);
	MUST(pthread_sigmask(SIG_BLOCK, &block, &was) == 0);
	int rc = pthread_create(t, NULL, trampoline, b);
	MUST(pthread_sigmask(SIG_SETMASK, &was, NULL) == 0);
	if (rc != 0) {
		mem_free(b);
		return err_errno(err, ERR_SYSTEM, rc, "thread: cannot start '%s'", name);
	}
	return ERR_OK;
}

void
thread_block_signals(void)
{
	static const int ours[] = {
		SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT,
		SIGTSTP,	/* a wrapper passes it on */
	};
	sigset_t block;

	sigemptyset(&block);
	for (size_t i = 0; i < COUNT_OF(ours); i++)
		sigaddset(&block, ours[i]);
	MUST(pthread_sigmask(SIG_BLOCK, &block, NULL) == 0);
	/* A peer that is gone shows as EPIPE where the write is made. */
	MUST(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

void
thread_cond_init(pthread_cond_t *c)
{
	pthread_condattr_t mono;

	MUST(pthread_condattr_init(&mono) == 0);
	MUST(pthread_condattr_setclock(&mono, CLOCK_MONOTONIC) == 0);
	MUST(pthread_cond_init(c, &mono) == 0);
	pthread_condattr_destroy(&mono);
}

bool
thread_cond_wait(pthread_cond_t *c, pthread_mutex_t *lock, struct mono until)
{
	int64_t ns = clock_machine_mono(until).ns;
	struct timespec t = { ns / NS_PER_S, ns % NS_PER_S };

	return pthread_cond_timedwait(c, lock, &t) == 0;
}

void
thread_pause(int64_t ns)
{
	nanosleep(&(struct timespec){ ns / NS_PER_S, ns % NS_PER_S }, NULL);
}
