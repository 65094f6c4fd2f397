/* reaper.c - one look at who ended, by turns of waitid without taking, then taking.
 *
 * Own children are few (a guardian or two, a probe), so a list does. */
#include "sys/reaper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "sys/procfs.h"

#define TREE_MAX 4096		/* more are seen in the next round */
#define LOOK_AGAIN_NS NS_PER_S	/* a kept zombie hides those behind it until its owner comes */

/* Children that must be left alone: kept by their owner, or let go while they live. */
struct spared {
	pid_t pid;
	bool is_kept;
};

static struct {
	struct loop *loop;
	unsigned users;
	struct reaper_watch *watches;
	struct spared *spared;
	size_t nspared, capspared;
	struct loop_timer again;
	uint64_t orphans;
} reaper;

static struct spared *
spared_find(pid_t pid)
{
	for (size_t i = 0; i < reaper.nspared; i++)
		if (reaper.spared[i].pid == pid)
			return &reaper.spared[i];
	return NULL;
}

static void
spare(pid_t pid, bool is_kept)
{
	struct spared *s = spared_find(pid);

	if (s == NULL) {
		mem_grow(&reaper.spared, &reaper.capspared, reaper.nspared + 1, sizeof *s);
		s = &reaper.spared[reaper.nspared++];
	}
	*s = (struct spared){ pid, is_kept };
}

static void
unspare(pid_t pid)
{
	struct spared *s = spared_find(pid);

	if (s == NULL)
		return;
	*s = reaper.spared[--reaper.nspared];
	if (reaper.nspared == 0) {
		mem_free(reaper.spared);
		reaper.spared = NULL;
		reaper.capspared = 0;
	}
}

static struct reaper_watch **
watch_find(pid_t pid)
{
	struct reaper_watch **p = &reaper.watches;

	while (*p != NULL && (*p)->pid != pid)
		p = &(*p)->next;
	return p;
}

/* take: reaps pid, which has ended, and tells its owner. */
static void
take(pid_t pid)
{
	struct reaper_watch **p = watch_find(pid), *w = *p;
	int wstatus;

	if (waitpid(pid, &wstatus, WNOHANG) != pid)
		return;
	if (w == NULL) {
		if (spared_find(pid) == NULL)
			reaper.orphans++;
		unspare(pid);
		return;
	}
	*p = w->next;
	w->pid = 0;
	w->ended(w->arg, wstatus);
}

static void
collect(void *arg)
{
	(void)arg;
	/* Looked at before it is taken: an owner that waits himself must find it there. */
	for (;;) {
		siginfo_t who = { 0 };
		if (waitid(P_ALL, 0, &who, WEXITED | WNOHANG | WNOWAIT) == -1 || who.si_pid == 0)
			return;
		struct spared *s = spared_find(who.si_pid);
		if (s != NULL && s->is_kept)
			break;
		take(who.si_pid);
	}
	if (reaper.loop != NULL)
		loop_timer_set(reaper.loop, &reaper.again, mono_after(loop_now(reaper.loop), LOOK_AGAIN_NS),
		    collect, NULL);
}

static void
on_sigchld(void *arg, int signo)
{
	(void)signo;
	collect(arg);
}

enum err_code
reaper_start(struct loop *l, struct err *err)
{
	enum err_code rc;

	if (reaper.users > 0) {
		MUST(reaper.loop == l);
		reaper.users++;
		return ERR_OK;
	}
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
		return err_errno(err, ERR_WRAPPER, errno, "cannot become the reaper of orphaned processes");
	if ((rc = loop_signal(l, SIGCHLD, on_sigchld, NULL, err)) != ERR_OK)
		return rc;
	reaper.loop = l;
	reaper.users = 1;
	return ERR_OK;
}

void
reaper_stop(struct loop *l)
{
	MUST(reaper.users > 0 && reaper.loop == l);
	if (--reaper.users > 0)
		return;
	loop_timer_cancel(l, &reaper.again);
	loop_signal(l, SIGCHLD, NULL, NULL, NULL);
	reaper.loop = NULL;
}

void
reaper_watch(struct reaper_watch *w, pid_t pid, void (*ended)(void *arg, int wstatus), void *arg)
{
	*w = (struct reaper_watch){ .next = reaper.watches, .pid = pid, .ended = ended, .arg = arg };
	reaper.watches = w;
}

void
reaper_unwatch(struct reaper_watch *w)
{
	struct reaper_watch **p;

	if (w->pid == 0 || *(p = watch_find(w->pid)) != w)
		return;
	*p = w->next;
	spare(w->pid, false);
	w->pid = 0;
}

void
reaper_keep(pid_t pid)
{
	spare(pid, true);
}

void
reaper_release(pid_t pid)
{
	unspare(pid);
}

/* --- the adopted ----------------------------------------------------------------------- */

struct tree {
	pid_t *pid;
	size_t n;
};

static struct tree
tree_of(pid_t root)
{
	struct tree t = { mem_array(TREE_MAX, sizeof *t.pid), 0 };

	t.n = procfs_descendants(root, t.pid, TREE_MAX);
	return t;
}

/* subtract: own child `root` and what is below it are not adopted. */
static void
subtract(struct tree *t, pid_t root)
{
	struct tree below = tree_of(root);

	for (size_t i = 0; i < t->n; i++) {
		bool is_own = t->pid[i] == root;
		for (size_t k = 0; k < below.n && !is_own; k++)
			is_own = t->pid[i] == below.pid[k];
		if (is_own)
			t->pid[i] = 0;
	}
	mem_free(below.pid);
}

size_t
reaper_kill_adopted(void)
{
	/* All first, own ones second: what is below an own child now stays below it, because
	 * guardians are subreapers, so nothing of theirs can be mistaken for adopted. */
	struct tree t = tree_of(getpid());
	size_t lived = 0;

	for (struct reaper_watch *w = reaper.watches; w != NULL; w = w->next)
		subtract(&t, w->pid);
	for (size_t i = 0; i < reaper.nspared; i++)
		subtract(&t, reaper.spared[i].pid);
	for (size_t i = 0; i < t.n; i++) {
		if (t.pid[i] != 0 && kill(t.pid[i], SIGKILL) == 0)
			lived++;
	}
	mem_free(t.pid);
	return lived;
}

uint64_t
reaper_orphans(void)
{
	return reaper.orphans;
}
