/* workload_stdio.c - calls as lines of JSON over the program's stdin and stdout.
 *
 * Both pipes are non-blocking.  What the program does not read piles up in one buffer
 * with a bound (calls beyond it are refused); what it writes is taken in pieces, so that
 * a flood on stdout costs it its own pipe and not our loop. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/map.h"
#include "base/mem.h"
#include "runner/workload_inner.h"

#define INPUT_MAX (4u << 20)	/* bytes that wait for the program to read them */
#define READ_BYTES (16u << 10)
#define READS_PER_TURN 8
#define LAST_READS 128		/* at the end: what a pipe can hold at most, twice */
#define TAIL_BYTES 512		/* of an overlong line: its id may stand at the end */
#define ID_MAX 128

struct stdio {
	struct workload *w;
	int to, from;			/* -1 when closed */
	struct loop_fd *to_fd, *from_fd;
	struct str input;		/* for the program */
	size_t written;			/* of input */
	struct str line;		/* from the program, up to its line break */
	bool is_overlong;		/* line was given up; the rest is skipped, its tail kept */
	struct map calls;		/* id -> struct call that runs */
	uint64_t serial;
};

struct stdio *
stdio_new(struct workload *w)
{
	struct stdio *s = mem_new(sizeof *s);

	*s = (struct stdio){ .w = w, .to = -1, .from = -1 };
	map_init(&s->calls);
	return s;
}

/* --- towards the program ---------------------------------------------------------------- */

static void
close_to(struct stdio *s)
{
	loop_fd_del(s->to_fd);
	s->to_fd = NULL;
	if (s->to != -1)
		close(s->to);
	s->to = -1;
	str_clear(&s->input);
	s->written = 0;
}

/* end_all: the program cannot be spoken to any more, though it may still run.  `to` is
 * closed, so what waits behind these is refused when its turn comes. */
static void
end_all(struct stdio *s, const char *why)
{
	struct call *c;

	while ((c = s->w->running.first) != NULL) {
		stdio_drop(s, c);
		workload_fail(c, WORKLOAD_DOWN, why, true);
	}
}

static void
write_out(struct stdio *s)
{
	while (s->written < s->input.len) {
		ssize_t n = write(s->to, s->input.p + s->written, s->input.len - s->written);
		if (n > 0) {
			s->written += (size_t)n;
			continue;
		}
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN) {
			loop_fd_want(s->to_fd, LOOP_WRITE);
			return;
		}
		close_to(s);
		return;
	}
	str_clear(&s->input);
	s->written = 0;
	loop_fd_want(s->to_fd, 0);
}

static void
on_writable(void *arg, unsigned got)
{
	struct stdio *s = arg;

	if (got & LOOP_WRITE)
		write_out(s);
	else if (got & LOOP_HANGUP)
		close_to(s);
	if (s->to == -1)
		end_all(s, "the program closed its standard input");
}

/* compact: moves what is left to the front before the buffer would grow for nothing. */
static void
compact(struct stdio *s)
{
	if (s->written == 0)
		return;
	memmove(s->input.p, s->input.p + s->written, s->input.len - s->written);
	s->input.len -= s->written;
	s->written = 0;
	str_end(&s->input);
}

/* choose_id: the message's own id, unless it is no plain word or a running call has it (a
 * repeated message): an answer must find exactly one call. */
static char *
choose_id(struct stdio *s, const char *own)
{
	size_t n = strlen(own), i = 0;

	while (i < n && own[i] >= 0x20 && own[i] <= 0x7e)
		i++;
	if (n > 0 && n <= ID_MAX && i == n && map_get(&s->calls, own) == NULL)
		return mem_text(own);
	return mem_printf("aegis-%llu", (unsigned long long)++s->serial);
}

static void
pack_headers(struct workload *w, struct pack *p, const struct workload_request *q)
{
	pack_key_map(p, "headers", (uint32_t)q->nheaders);
	for (size_t i = 0; i < q->nheaders; i++)
		pack_key_text(p, q->headers[i].name, workload_clean(w, q->headers[i].value));
}

/* The id and the time that is left are known only when the call is sent, so they frame
 * what is written here: {"id":…, THIS ,"deadline_ms":n}. */
enum err_code
stdio_compose(struct stdio *s, struct call *c, const struct workload_request *q)
{
	static const char *const kinds[] = {
		[WORKLOAD_RPC] = "rpc", [WORKLOAD_COMMAND] = "command", [WORKLOAD_EVENT] = "event",
	};
	struct pack p;

	pack_init(&p, &c->bytes, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 4);
	pack_key_puts(&p, "kind", kinds[q->type]);
	pack_key_text(&p, "name", workload_clean(s->w, text_of(q->method)));
	pack_key_data(&p, "params", (struct data){ DATA_JSON, q->params.p, q->params.n });
	pack_headers(s->w, &p, q);
	enum err_code rc = pack_end(&p, NULL);
	if (rc != ERR_OK)
		return rc;
	/* Between the tokens of JSON a line break is white space, but here it ends the message. */
	for (size_t i = 0; i < c->bytes.len; i++)
		if (c->bytes.p[i] == '\n' || c->bytes.p[i] == '\r')
			c->bytes.p[i] = ' ';
	if (q->message_id.p != NULL)
		c->id = mem_text_n(q->message_id.p, q->message_id.n);
	return ERR_OK;
}

enum err_code
stdio_send(struct stdio *s, struct call *c)
{
	struct pack p;

	if (s->to == -1 || s->from == -1)
		return ERR_CLOSED;
	if (s->input.len - s->written + c->bytes.len > INPUT_MAX)
		return ERR_BUSY;
	char *id = choose_id(s, c->id != NULL ? c->id : "");
	mem_free(c->id);
	c->id = id;
	map_set(&s->calls, id, c);
	compact(s);
	bool was_empty = s->input.len == 0;
	str_puts(&s->input, "{\"id\":");
	pack_init(&p, &s->input, DATA_JSON, PACK_COMPACT);
	pack_puts(&p, id);
	MUST(pack_end(&p, NULL) == ERR_OK);
	str_putc(&s->input, ',');
	str_add(&s->input, c->bytes.p + 1, c->bytes.len - 2);
	str_printf(&s->input, ",\"deadline_ms\":%lld}\n", (long long)workload_left_ms(c));
	str_clear(&c->bytes);
	if (was_empty)
		write_out(s);
	if (s->to == -1)
		end_all(s, "the program closed its standard input");
	return ERR_OK;
}

/* tell: a line that wants no answer; all members that every line has.  epoch 0: no parameters. */
static void
tell(struct stdio *s, const char *id, const char *kind, const char *name, uint64_t epoch)
{
	struct pack p;

	/* A program that does not read has other troubles. */
	if (s->to == -1 || s->input.len - s->written > INPUT_MAX)
		return;
	compact(s);
	bool was_empty = s->input.len == 0;
	pack_init(&p, &s->input, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 6);
	pack_key_puts(&p, "id", id);
	pack_key_puts(&p, "kind", kind);
	pack_key_puts(&p, "name", name);
	pack_key_map(&p, "params", epoch != 0);
	if (epoch != 0)
		pack_key_uint(&p, "epoch", epoch);
	pack_key_map(&p, "headers", 0);
	pack_key_int(&p, "deadline_ms", 0);
	MUST(pack_end(&p, NULL) == ERR_OK);
	str_putc(&s->input, '\n');
	if (was_empty)
		write_out(s);
	if (s->to == -1)
		end_all(s, "the program closed its standard input");
}

void
stdio_cancel(struct stdio *s, struct call *c)
{
	tell(s, c->id, "cancel", c->name, 0);
}

void
stdio_role(struct stdio *s, const char *name, uint64_t epoch)
{
	tell(s, "", "role", name, epoch);
}

void
stdio_drop(struct stdio *s, struct call *c)
{
	if (c->id == NULL)
		return;
	if (map_get(&s->calls, c->id) == c)
		map_remove(&s->calls, c->id);
	mem_free(c->id);
	c->id = NULL;
}

/* --- from the program ------------------------------------------------------------------- */

static void
stray(struct stdio *s, const char *p, size_t n)
{
	s->w->counters.stray_lines++;
	if (n > 0)
		log_info(EV_RUNNER_CHILD_OUTPUT, LOG_F(LOG_S("workload", s->w->name)), "%s says: %.*s%s", s->w->name,
		    (int)(n < 300 ? n : 300), p, n > 300 ? " …" : "");
}

static struct call *
find_call(struct stdio *s, struct text id)
{
	char key[ID_MAX + 1];

	if (id.n > ID_MAX)
		return NULL;
	memcpy(key, id.p, id.n);
	key[id.n] = '\0';
	return map_get(&s->calls, key);
}

static void
end_ok(struct stdio *s, struct call *c, const struct value *result)
{
	struct workload_result r = { .outcome = WORKLOAD_OK, .maybe_executed = true };
	struct str out = STR_INIT;
	struct pack p;

	pack_init(&p, &out, DATA_JSON, PACK_COMPACT);
	pack_value(&p, result);
	stdio_drop(s, c);
	if (pack_end(&p, NULL) == ERR_OK) {
		r.text = (struct text){ out.p, out.len };
		workload_finish(c, &r);
	} else {
		workload_fail(c, WORKLOAD_BAD_ANSWER, "the result cannot be passed on as JSON", true);
	}
	str_release(&out);
}

static void
end_error(struct stdio *s, struct call *c, const struct value *error)
{
	struct workload_result r = { .outcome = WORKLOAD_APP_ERROR, .maybe_executed = true };
	struct str out = STR_INIT;
	struct pack p;

	if (!value_text(error, &r.text)) {
		/* Not text, as it should be, but what it says is worth more than our complaint. */
		pack_init(&p, &out, DATA_JSON, PACK_COMPACT);
		pack_value(&p, error);
		pack_end(&p, NULL);
		r.text = (struct text){ str_text(&out), out.len };
	}
	stdio_drop(s, c);
	workload_finish(c, &r);
	str_release(&out);
}

static void
take_progress(struct call *c, const struct value *progress, const struct value *status)
{
	struct text t = { NULL, 0 };
	double percent;

	value_text(status, &t);
	if (c->progress != NULL && value_real(progress, &percent))
		c->progress(c->arg, percent, t);
}

/* take_message: false when the line is none of the protocol's. */
static bool
take_message(struct stdio *s, const char *p, size_t n)
{
	const struct value *error, *result, *progress;
	struct value v;
	struct call *c;
	struct text id;

	if (n == 0 || p[0] != '{' ||
	    codec_parse(s->w->codec, (struct data){ DATA_JSON, p, n }, &v, NULL) != ERR_OK ||
	    !value_text(value_field(&v, "id"), &id))
		return false;
	error = value_field(&v, "error");
	result = value_field(&v, "result");
	progress = value_field(&v, "progress");
	bool is_answer = error != NULL || result != NULL;
	if ((c = find_call(s, id)) == NULL) {
		s->w->counters.late += is_answer;
		return is_answer;
	}
	if (error != NULL && error->type != VALUE_NULL) {
		end_error(s, c, error);
	} else if (result != NULL) {
		end_ok(s, c, result);
	} else if (progress != NULL) {
		take_progress(c, progress, value_field(&v, "status"));
	} else {
		stdio_drop(s, c);
		workload_fail(c, WORKLOAD_BAD_ANSWER, "the answer has neither result nor error", true);
	}
	return true;
}

static void
take_line(struct stdio *s, const char *p, size_t n)
{
	if (n > 0 && p[n - 1] == '\r')
		n--;
	if (!take_message(s, p, n))
		stray(s, p, n);
}

/* find_id: the text behind `"id":` in a piece of a line too long to be read; the last one
 * when is_tail, else the first. */
static bool
find_id(const char *p, size_t n, bool is_tail, struct text *id)
{
	bool found = false;

	for (size_t i = 0; i + 5 < n; i++) {
		if (memcmp(p + i, "\"id\"", 4) != 0)
			continue;
		size_t k = i + 4;
		while (k < n && (p[k] == ' ' || p[k] == ':'))
			k++;
		const char *end = k < n && p[k] == '"' ? memchr(p + k + 1, '"', n - k - 1) : NULL;
		if (end == NULL)
			continue;
		*id = (struct text){ p + k + 1, (size_t)(end - p) - k - 1 };
		found = true;
		if (!is_tail)
			break;
	}
	return found;
}

static bool
fail_overlong(struct stdio *s, const char *p, size_t n, bool is_tail)
{
	struct text id;
	struct call *c;

	if (!find_id(p, n, is_tail, &id) || (c = find_call(s, id)) == NULL)
		return false;
	stdio_drop(s, c);
	workload_fail(c, WORKLOAD_BAD_ANSWER, "the answer is longer than a line of 1 MiB", true);
	return true;
}

static void
keep_tail(struct stdio *s)
{
	if (s->line.len <= TAIL_BYTES)
		return;
	memmove(s->line.p, s->line.p + s->line.len - TAIL_BYTES, TAIL_BYTES);
	s->line.len = TAIL_BYTES;
	str_end(&s->line);
}

static void
begin_overlong(struct stdio *s)
{
	s->is_overlong = true;
	s->w->counters.stray_lines++;
	log_warning(EV_RUNNER_CHILD_OUTPUT, LOG_F(LOG_S("workload", s->w->name)),
	    "%s wrote a line of more than 1 MiB, skipping it", s->w->name);
	fail_overlong(s, s->line.p, TAIL_BYTES, false);
	keep_tail(s);
}

/* end_overlong: the id may stand behind a long result. */
static void
end_overlong(struct stdio *s)
{
	keep_tail(s);
	fail_overlong(s, s->line.p, s->line.len, true);
	s->is_overlong = false;
	str_release(&s->line);
}

static void
take_bytes(struct stdio *s, const char *p, size_t n)
{
	const char *nl;

	while ((nl = memchr(p, '\n', n)) != NULL) {
		size_t k = (size_t)(nl - p);
		if (s->line.len == 0 && !s->is_overlong) {
			take_line(s, p, k);
		} else {
			str_add(&s->line, p, k);
			if (!s->is_overlong && s->line.len > WORKLOAD_LINE_MAX)
				begin_overlong(s);
			if (s->is_overlong)
				end_overlong(s);
			else
				take_line(s, s->line.p, s->line.len);
			str_clear(&s->line);
		}
		p = nl + 1;
		n -= k + 1;
	}
	str_add(&s->line, p, n);
	if (s->is_overlong)
		keep_tail(s);
	else if (s->line.len > WORKLOAD_LINE_MAX)
		begin_overlong(s);
}

static void
close_from(struct stdio *s)
{
	loop_fd_del(s->from_fd);
	s->from_fd = NULL;
	if (s->from != -1)
		close(s->from);
	s->from = -1;
}

/* read_in: at most `times` pieces; true at the end of the stream. */
static bool
read_in(struct stdio *s, unsigned times)
{
	char buf[READ_BYTES];

	for (unsigned i = 0; i < times; i++) {
		ssize_t n = read(s->from, buf, sizeof buf);
		if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
			return true;
		if (n == -1)
			return false;
		take_bytes(s, buf, (size_t)n);
		/* An answer's receiver may have brought the workload down. */
		if (s->from == -1)
			return false;
	}
	return false;
}

static void
on_readable(void *arg, unsigned got)
{
	struct stdio *s = arg;

	(void)got;
	if (!read_in(s, READS_PER_TURN))
		return;
	/* Nor is it told anything more: nobody would hear the answer. */
	close_from(s);
	close_to(s);
	end_all(s, "the program closed its standard output");
}

/* --- life ------------------------------------------------------------------------------ */

static struct loop_fd *
adopt(struct stdio *s, int fd, unsigned want, void (*ready)(void *, unsigned))
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return loop_fd_add(s->w->loop, fd, want, ready, s, NULL);
}

void
stdio_attach(struct stdio *s, int to_child, int from_child)
{
	stdio_detach(s);
	s->to = to_child;
	s->from = from_child;
	s->to_fd = adopt(s, to_child, 0, on_writable);
	s->from_fd = adopt(s, from_child, LOOP_READ, on_readable);
	/* Out of descriptors for epoll: without a way to wait there is no way to talk. */
	if (s->to_fd == NULL)
		close_to(s);
	if (s->from_fd == NULL)
		close_from(s);
}

void
stdio_detach(struct stdio *s)
{
	if (s->from != -1)
		read_in(s, LAST_READS);
	if (s->from != -1 && s->line.len > 0 && !s->is_overlong)
		take_line(s, s->line.p, s->line.len);
	close_from(s);
	close_to(s);
	str_release(&s->line);
	s->is_overlong = false;
}

void
stdio_free(struct stdio *s)
{
	if (s == NULL)
		return;
	close_from(s);
	close_to(s);
	str_release(&s->input);
	str_release(&s->line);
	map_release(&s->calls);
	mem_free(s);
}
