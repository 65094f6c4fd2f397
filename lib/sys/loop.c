/* loop.c - one epoll set; mailbox and signals are descriptors in it like any other.
 *
 * A turn is: wait, fire the timers that are due, call back for descriptors.  Each part is
 * bounded (timers by how many were due when it began, descriptors by READY_MAX, mails by
 * MAILS_PER_TURN), so that a flood of one kind does not starve the others.
 *
 * epoll may report a descriptor that an earlier callback of the same turn removed.  Such
 * a loop_fd is only marked and put on a list; the end of the turn frees it. */
#include "sys/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "sys/thread.h"

#define LOOP_MAGIC 0x100b0001u
#define LOOP_FD_MAGIC 0x100b0002u
#define READY_MAX 64		/* one page of events; epoll hands out the others next time */
#define MAILS_PER_TURN 64	/* some 10 us of work each: timers stay within a millisecond */

struct loop_fd {
	unsigned magic;
	struct loop *loop;
	struct loop_fd *next, **back;	/* among l->fds, or (next alone) among l->dead */
	int fd;
	unsigned want;
	bool is_dead;
	void (*ready)(void *arg, unsigned got);
	void *arg;
};

struct loop {
	unsigned magic;
	const struct clock *clock;
	struct mono now;
	int epoll, sigfd;
	struct mailbox *box;
	struct loop_fd *fds;		/* everything registered, ours included */
	struct loop_fd *dead;		/* removed in this turn, freed at its end */
	struct heap timers;
	sigset_t signals;
	struct { void (*caught)(void *arg, int signo); void *arg; } handler[NSIG];
	bool is_turning, stop;
	bool is_coarse;			/* no epoll_pwait2 here: time-outs in milliseconds */
};

/* Which loop this thread runs: the cheapest way to know whose thread it is. */
static _Thread_local const struct loop *running;

/* --- descriptors ----------------------------------------------------------------------- */

/* A descriptor that nobody wants anything of still reports its hang-up.  Once is enough:
 * level-triggered it would turn the loop for ever. */
static struct epoll_event
event_of(struct loop_fd *f)
{
	struct epoll_event ev = { .data.ptr = f };

	if (f->want & LOOP_READ)
		ev.events |= EPOLLIN;
	if (f->want & LOOP_WRITE)
		ev.events |= EPOLLOUT;
	if (ev.events == 0)
		ev.events = EPOLLONESHOT;
	return ev;
}

struct loop_fd *
loop_fd_add(struct loop *l, int fd, unsigned want, void (*ready)(void *arg, unsigned got), void *arg,
    struct err *err)
{
	struct loop_fd *f = mem_new(sizeof *f);

	MAGIC_CHECK(l, LOOP_MAGIC);
	*f = (struct loop_fd){
		.magic = LOOP_FD_MAGIC, .loop = l, .fd = fd, .want = want & (LOOP_READ | LOOP_WRITE),
		.ready = ready, .arg = arg,
	};
	struct epoll_event ev = event_of(f);
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == -1) {
		err_errno(err, ERR_SYSTEM, errno, "loop: cannot wait for descriptor %d", fd);
		mem_free(f);
		return NULL;
	}
	f->next = l->fds;
	f->back = &l->fds;
	if (f->next != NULL)
		f->next->back = &f->next;
	l->fds = f;
	return f;
}

void
loop_fd_want(struct loop_fd *f, unsigned want)
{
	MAGIC_CHECK(f, LOOP_FD_MAGIC);
	MUST(!f->is_dead);
	want &= LOOP_READ | LOOP_WRITE;
	if (f->want == want)
		return;
	f->want = want;
	struct epoll_event ev = event_of(f);
	MUST(epoll_ctl(f->loop->epoll, EPOLL_CTL_MOD, f->fd, &ev) == 0);
}

void
loop_fd_del(struct loop_fd *f)
{
	if (f == NULL)
		return;
	MAGIC_CHECK(f, LOOP_FD_MAGIC);
	MUST(!f->is_dead);
	struct loop *l = f->loop;
	/* Fails when the descriptor was closed before, which would leave a ghost in epoll. */
	MUST(epoll_ctl(l->epoll, EPOLL_CTL_DEL, f->fd, NULL) == 0);
	*f->back = f->next;
	if (f->next != NULL)
		f->next->back = f->back;
	f->is_dead = true;
	f->next = l->dead;
	l->dead = f;
}

static void
bury(struct loop *l)
{
	struct loop_fd *f;

	while ((f = l->dead) != NULL) {
		l->dead = f->next;
		MAGIC_WIPE(f);
		mem_free(f);
	}
}

/* A hang-up comes with what was wanted, so that callbacks which only know read and write
 * learn of it by the call that fails. */
static unsigned
got_of(const struct loop_fd *f, uint32_t events)
{
	unsigned got = 0;

	if (events & (EPOLLHUP | EPOLLERR))
		return LOOP_HANGUP | f->want;
	if (events & EPOLLIN)
		got |= LOOP_READ;
	if (events & EPOLLOUT)
		got |= LOOP_WRITE;
	return got & f->want;
}

/* --- timers ---------------------------------------------------------------------------- */

void
loop_timer_set(struct loop *l, struct loop_timer *t, struct mono at, void (*fire)(void *arg), void *arg)
{
	t->fire = fire;
	t->arg = arg;
	heap_put(&l->timers, &t->node, at.ns);
}

void
loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
	heap_remove(&l->timers, &t->node);
}

bool
loop_timer_pending(const struct loop_timer *t)
{
	return t->node.at != 0;
}

/* due: how many of the timers at and below place i; a parent is never later than its children. */
static size_t
due(const struct loop *l, size_t i)
{
	const struct heap *h = &l->timers;

	return i >= h->n || h->v[i]->key > l->now.ns ? 0 : 1 + due(l, 2 * i + 1) + due(l, 2 * i + 2);
}

/* No more fire in a turn than were due at its beginning, so that one which sets itself to
 * "now" again does not hold the turn for ever. */
static void
fire_timers(struct loop *l)
{
	struct heap_node *n;

	for (size_t left = due(l, 0); left > 0; left--) {
		n = heap_min(&l->timers);
		if (n == NULL || n->key > l->now.ns)
			break;
		struct loop_timer *t = CONTAINER_OF(n, struct loop_timer, node);
		heap_remove(&l->timers, n);
		t->fire(t->arg);
	}
}

/* --- signals --------------------------------------------------------------------------- */

static void
on_signal(void *arg, unsigned got)
{
	struct loop *l = arg;
	struct signalfd_siginfo info;

	(void)got;
	while (read(l->sigfd, &info, sizeof info) == sizeof info) {
		int signo = (int)info.ssi_signo;
		if (l->handler[signo].caught != NULL)
			l->handler[signo].caught(l->handler[signo].arg, signo);
	}
}

enum err_code
loop_signal(struct loop *l, int signo, void (*caught)(void *arg, int signo), void *arg, struct err *err)
{
	MAGIC_CHECK(l, LOOP_MAGIC);
	if (signo < 1 || signo >= NSIG || signo == SIGKILL || signo == SIGSTOP)
		return err_set(err, ERR_INVALID, "loop: signal %d cannot be caught", signo);
	l->handler[signo].caught = caught;
	l->handler[signo].arg = arg;
	if (caught != NULL)
		sigaddset(&l->signals, signo);
	else
		sigdelset(&l->signals, signo);
	MUST(signalfd(l->sigfd, &l->signals, 0) == l->sigfd);
	return ERR_OK;
}

/* --- life ------------------------------------------------------------------------------ */

static void
on_mail(void *arg, unsigned got)
{
	struct loop *l = arg;

	(void)got;
	mailbox_deliver(l->box, MAILS_PER_TURN);
}

struct loop *
loop_new(const struct clock *clock, size_t mailbox_cap, struct err *err)
{
	struct loop *l = mem_new(sizeof *l);

	l->magic = LOOP_MAGIC;
	l->clock = clock;
	l->now = clock_mono(clock);
	sigemptyset(&l->signals);
	heap_init(&l->timers);
	if ((l->epoll = epoll_create1(EPOLL_CLOEXEC)) == -1) {
		err_errno(err, ERR_SYSTEM, errno, "loop: no epoll descriptor");
		goto err0;
	}
	if ((l->sigfd = signalfd(-1, &l->signals, SFD_CLOEXEC | SFD_NONBLOCK)) == -1) {
		err_errno(err, ERR_SYSTEM, errno, "loop: no signal descriptor");
		goto err1;
	}
	if ((l->box = mailbox_new(mailbox_cap, err)) == NULL)
		goto err2;
	if (loop_fd_add(l, l->sigfd, LOOP_READ, on_signal, l, err) == NULL)
		goto err3;
	if (loop_fd_add(l, mailbox_fd(l->box), LOOP_READ, on_mail, l, err) == NULL)
		goto err4;
	return l;
err4:
	mem_free(l->fds);
err3:
	mailbox_free(l->box);
err2:
	close(l->sigfd);
err1:
	close(l->epoll);
err0:
	mem_free(l);
	return NULL;
}

void
loop_free(struct loop *l)
{
	struct loop_fd *f;

	if (l == NULL)
		return;
	MAGIC_CHECK(l, LOOP_MAGIC);
	MUST(!l->is_turning);
	/* First what calls out: a discarded mail may still cancel its timer or descriptor. */
	mailbox_free(l->box);
	bury(l);
	while ((f = l->fds) != NULL) {
		l->fds = f->next;
		MAGIC_WIPE(f);
		mem_free(f);
	}
	heap_release(&l->timers);
	close(l->sigfd);
	close(l->epoll);
	MAGIC_WIPE(l);
	mem_free(l);
}

/* left: until the next deadline; negative means that there is none. */
static int64_t
left(const struct loop *l)
{
	struct heap_node *n = heap_min(&l->timers);

	if (n == NULL || n->key == INT64_MAX)
		return -1;
	int64_t ns = n->key - clock_mono(l->clock).ns;
	return ns > 0 ? ns : 0;
}

/* wait_ready: epoll_pwait2, which takes nanoseconds; kernels before 5.11 lack it, and
 * some seccomp filters of containers answer EPERM for calls they do not know. */
static int
wait_ready(struct loop *l, struct epoll_event ev[READY_MAX])
{
	int64_t ns = left(l);
	int n;

	if (!l->is_coarse) {
		struct timespec ts = { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
		n = epoll_pwait2(l->epoll, ev, READY_MAX, ns < 0 ? NULL : &ts, NULL);
		if (n >= 0 || (errno != ENOSYS && errno != EPERM))
			return n;
		l->is_coarse = true;
	}
	/* Rounded up: waking early would only mean to wait again. */
	int64_t ms = ns < 0 ? -1 : ns / NS_PER_MS + (ns % NS_PER_MS != 0);
	return epoll_wait(l->epoll, ev, READY_MAX, ms > INT32_MAX ? INT32_MAX : (int)ms);
}

static void
turn(struct loop *l)
{
	struct epoll_event ev[READY_MAX];
	int n = wait_ready(l, ev);

	MUST(n >= 0 || errno == EINTR);
	l->now = clock_mono(l->clock);
	fire_timers(l);
	for (int i = 0; i < n; i++) {
		struct loop_fd *f = ev[i].data.ptr;
		MAGIC_CHECK(f, LOOP_FD_MAGIC);
		unsigned got = f->is_dead ? 0 : got_of(f, ev[i].events);
		if (got != 0)
			f->ready(f->arg, got);
	}
	bury(l);
}

void
loop_run(struct loop *l)
{
	const struct loop *outer = running;

	MAGIC_CHECK(l, LOOP_MAGIC);
	MUST(!l->is_turning);
	running = l;
	l->is_turning = true;
	while (!l->stop)
		turn(l);
	l->stop = false;
	l->is_turning = false;
	running = outer;
}

void
loop_stop(struct loop *l)
{
	l->stop = true;
}

struct mono
loop_now(const struct loop *l)
{
	return l->now;
}

const struct clock *
loop_clock(const struct loop *l)
{
	return l->clock;
}

bool
loop_is_mine(const struct loop *l)
{
	return running == l;
}

const struct mailbox *
loop_mailbox(const struct loop *l)
{
	return l->box;
}

/* --- from other threads ---------------------------------------------------------------- */

enum err_code
loop_post(struct loop *l, struct mail *m)
{
	return mailbox_post(l->box, m);
}

bool
loop_take(struct loop *l, struct mail *m)
{
	return mailbox_take(l->box, m);
}

void
loop_discard(struct loop *l, void (*deliver)(struct mail *m))
{
	mailbox_discard(l->box, deliver);
}

/* A call is shared by the one who waits and by the mail; the last one frees it.  State
 * tells them apart: who moves it out of WAITING decides whether fn runs. */
struct call {
	struct mail mail;
	pthread_mutex_t lock;		/* locks.def: loop call */
	pthread_cond_t changed;
	enum { WAITING, RUNNING, DONE, GIVEN_UP, CLOSED } state;
	int refs;
	void (*fn)(void *arg);
	void *arg;
};

static struct call *
call_new(void (*fn)(void *arg), void *arg)
{
	struct call *c = mem_new(sizeof *c);
	pthread_condattr_t attr;

	MUST(pthread_mutex_init(&c->lock, NULL) == 0);
	MUST(pthread_condattr_init(&attr) == 0);
	MUST(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	MUST(pthread_cond_init(&c->changed, &attr) == 0);
	pthread_condattr_destroy(&attr);
	c->refs = 1;
	c->fn = fn;
	c->arg = arg;
	return c;
}

/* unref: with the lock held, which it gives up. */
static void
call_unref(struct call *c)
{
	bool last = --c->refs == 0;

	pthread_mutex_unlock(&c->lock);
	if (!last)
		return;
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	mem_free(c);
}

static void
call_deliver(struct mail *m)
{
	struct call *c = CONTAINER_OF(m, struct call, mail);

	pthread_mutex_lock(&c->lock);
	if (c->state == WAITING) {
		c->state = RUNNING;
		pthread_mutex_unlock(&c->lock);
		c->fn(c->arg);
		pthread_mutex_lock(&c->lock);
		c->state = DONE;
		pthread_cond_signal(&c->changed);
	}
	call_unref(c);
}

static void
call_discard(struct mail *m)
{
	struct call *c = CONTAINER_OF(m, struct call, mail);

	pthread_mutex_lock(&c->lock);
	if (c->state == WAITING) {
		c->state = CLOSED;
		pthread_cond_signal(&c->changed);
	}
	call_unref(c);
}

/* Waits until the call was made, given up or closed.  Once it runs it is waited for,
 * past the deadline too: fn uses what arg points to, often on the caller's stack. */
static void
call_wait(struct call *c, int64_t timeout_ns)
{
	struct mono until = mono_after(clock_mono(clock_system()), timeout_ns);

	while (c->state == WAITING || c->state == RUNNING) {
		if (c->state == RUNNING)
			pthread_cond_wait(&c->changed, &c->lock);
		else if (!thread_cond_wait(&c->changed, &c->lock, until) && c->state == WAITING)
			c->state = GIVEN_UP;
	}
}

enum err_code
loop_call(struct loop *l, void (*fn)(void *arg), void *arg, int64_t timeout_ns, struct err *err)
{
	struct call *c = call_new(fn, arg);
	enum err_code rc = ERR_OK;

	MUST(!loop_is_mine(l));
	c->mail.deliver = call_deliver;
	c->mail.discard = call_discard;
	pthread_mutex_lock(&c->lock);
	c->refs++;
	pthread_mutex_unlock(&c->lock);
	if (loop_post(l, &c->mail) != ERR_OK) {
		rc = err_set(err, ERR_BUSY, "loop: %zu messages wait already", mailbox_depth(l->box));
		pthread_mutex_lock(&c->lock);
		c->refs--;
		call_unref(c);
		return rc;
	}
	pthread_mutex_lock(&c->lock);
	call_wait(c, timeout_ns);
	if (c->state == GIVEN_UP)
		rc = err_set(err, ERR_TIMEOUT, "loop: did not get to it within %lld ms",
		    (long long)(timeout_ns / NS_PER_MS));
	else if (c->state == CLOSED)
		rc = err_set(err, ERR_CLOSED, "loop: it was ended before it got to it");
	call_unref(c);
	return rc;
}
