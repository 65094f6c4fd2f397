/* output.c - prefixing, and writing to a descriptor that is not ours to make non-blocking.
 *
 * O_NONBLOCK belongs to the open file, which we share with whoever started us (a shell's
 * terminal), so it is not set.  Pipes and terminals are opened anew through /proc, which
 * gives an open file of our own; sockets take MSG_DONTWAIT; plain files never wait. */
#include "runner/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/clock.h"

#define OUTPUT_MAGIC 0x007b0701u
#define PENDING_MAX (64u << 10)
#define LINE_MAX_BYTES (16u << 10)	/* a longer line is passed on in pieces */
#define READ_BYTES (16u << 10)
#define LAST_READS 64			/* a pipe holds 64 KiB, a process may have made it 1 MiB */

struct output {
	unsigned magic;
	struct loop *loop;
	char *prefix;
	int from;			/* the program's pipe, -1 without one */
	struct loop_fd *from_fd;
	struct str line;		/* not ended yet */
	int to;				/* a descriptor of our own for stdout or stderr */
	bool is_socket, is_gone;
	struct loop_fd *to_fd;		/* NULL for plain files */
	struct str pending;
	size_t written;			/* of pending */
	uint64_t bytes;
};

static size_t
backlog(const struct output *o)
{
	return o->pending.len - o->written;
}

/* --- writing --------------------------------------------------------------------------- */

static void
pause_or_go(struct output *o)
{
	if (o->from_fd != NULL)
		loop_fd_want(o->from_fd, backlog(o) < PENDING_MAX ? LOOP_READ : 0);
}

static void
give_up(struct output *o)
{
	o->is_gone = true;
	str_clear(&o->pending);
	o->written = 0;
	loop_fd_del(o->to_fd);
	o->to_fd = NULL;
}

static void
write_out(struct output *o)
{
	while (o->written < o->pending.len) {
		const char *p = o->pending.p + o->written;
		ssize_t n = o->is_socket ? send(o->to, p, backlog(o), MSG_DONTWAIT | MSG_NOSIGNAL)
		    : write(o->to, p, backlog(o));
		if (n > 0) {
			o->written += (size_t)n;
			continue;
		}
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN && o->to_fd != NULL) {
			loop_fd_want(o->to_fd, LOOP_WRITE);
			return;
		}
		give_up(o);
		return;
	}
	str_clear(&o->pending);
	o->written = 0;
	if (o->to_fd != NULL)
		loop_fd_want(o->to_fd, 0);
}

static void
on_writable(void *arg, unsigned got)
{
	struct output *o = arg;

	MAGIC_CHECK(o, OUTPUT_MAGIC);
	if (got & LOOP_WRITE)
		write_out(o);
	else
		give_up(o);
	pause_or_go(o);
}

static void
put_line(struct output *o, const char *p, size_t n)
{
	if (o->is_gone)
		return;
	str_puts(&o->pending, o->prefix);
	str_add(&o->pending, p, n);
	str_putc(&o->pending, '\n');
}

/* --- reading --------------------------------------------------------------------------- */

static void
take(struct output *o, const char *p, size_t n)
{
	const char *nl;

	o->bytes += n;
	while ((nl = memchr(p, '\n', n)) != NULL) {
		size_t k = (size_t)(nl - p);
		str_add(&o->line, p, k);
		put_line(o, str_text(&o->line), o->line.len);
		str_clear(&o->line);
		p = nl + 1;
		n -= k + 1;
	}
	str_add(&o->line, p, n);
	if (o->line.len >= LINE_MAX_BYTES) {
		put_line(o, o->line.p, o->line.len);
		str_clear(&o->line);
	}
}

/* read_some: false when there is nothing (more) to read for now. */
static bool
read_some(struct output *o)
{
	char buf[READ_BYTES];
	ssize_t n = read(o->from, buf, sizeof buf);

	if (n > 0) {
		take(o, buf, (size_t)n);
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		loop_fd_del(o->from_fd);
		o->from_fd = NULL;
	}
	return false;
}

static void
on_readable(void *arg, unsigned got)
{
	struct output *o = arg;

	MAGIC_CHECK(o, OUTPUT_MAGIC);
	if (!(got & LOOP_READ) && (got & LOOP_HANGUP)) {
		/* Paused while the program hung up: what it left is read by output_detach. */
		return;
	}
	read_some(o);
	write_out(o);
	pause_or_go(o);
}

void
output_attach(struct output *o, int from)
{
	MAGIC_CHECK(o, OUTPUT_MAGIC);
	output_detach(o);
	fcntl(from, F_SETFL, fcntl(from, F_GETFL) | O_NONBLOCK);
	o->from = from;
	o->from_fd = loop_fd_add(o->loop, from, backlog(o) < PENDING_MAX ? LOOP_READ : 0, on_readable, o, NULL);
}

void
output_detach(struct output *o)
{
	MAGIC_CHECK(o, OUTPUT_MAGIC);
	if (o->from == -1)
		return;
	for (unsigned i = 0; i < LAST_READS && read_some(o); i++)
		continue;
	if (o->line.len > 0) {
		put_line(o, o->line.p, o->line.len);
		str_clear(&o->line);
	}
	loop_fd_del(o->from_fd);
	o->from_fd = NULL;
	close(o->from);
	o->from = -1;
	write_out(o);
}

void
output_flush(struct output *o, int64_t max_ns)
{
	const struct clock *clock = loop_clock(o->loop);
	struct mono until = mono_after(clock_mono(clock), max_ns);

	while (write_out(o), backlog(o) > 0) {
		int64_t left = mono_since(until, clock_mono(clock));
		struct pollfd p = { .fd = o->to, .events = POLLOUT };
		if (left <= 0 || poll(&p, 1, (int)(left / NS_PER_MS) + 1) == 0)
			return;
	}
}

/* --- life ------------------------------------------------------------------------------ */

/* own_copy: a descriptor for the same place on which waiting is up to us. */
static int
own_copy(int fd, bool *is_socket)
{
	char path[32];
	struct stat st;
	int copy = -1;

	if (fstat(fd, &st) == -1)
		return -1;
	*is_socket = S_ISSOCK(st.st_mode);
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		copy = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	}
	/* A terminal of another user cannot be opened anew; then it may make us wait. */
	return copy != -1 ? copy : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

struct output *
output_new(struct loop *loop, int fd, const char *prefix)
{
	struct output *o = mem_new(sizeof *o);

	*o = (struct output){ .magic = OUTPUT_MAGIC, .loop = loop, .from = -1, .prefix = mem_text(prefix) };
	o->to = own_copy(fd, &o->is_socket);
	o->is_gone = o->to == -1;
	if (!o->is_gone)
		o->to_fd = loop_fd_add(loop, o->to, 0, on_writable, o, NULL);	/* NULL for a plain file */
	return o;
}

void
output_free(struct output *o)
{
	if (o == NULL)
		return;
	output_detach(o);
	loop_fd_del(o->to_fd);
	if (o->to != -1)
		close(o->to);
	str_release(&o->line);
	str_release(&o->pending);
	mem_free(o->prefix);
	MAGIC_WIPE(o);
	mem_free(o);
}

uint64_t
output_bytes(const struct output *o)
{
	return o->bytes;
}
