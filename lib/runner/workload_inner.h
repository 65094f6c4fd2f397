/* workload_inner.h - what workload.c and its two ways into the program share.  Private. */
#ifndef RUNNER_WORKLOAD_INNER_H
#define RUNNER_WORKLOAD_INNER_H

#include "base/str.h"
#include "codec/codec.h"
#include "net/http.h"
#include "runner/workload.h"

enum call_state { CALL_FREE, CALL_WAITING, CALL_RUNNING };

struct call {
	unsigned magic;
	struct workload *w;
	struct call *next, *prev;	/* in the list of its state (free: next alone) */
	enum call_state state;
	struct mono deadline;
	struct loop_timer timer;	/* fires then */
	void (*done)(void *arg, const struct workload_result *res);
	void *arg;
	atomic_int *waiting_gauge;	/* the caller's; NULL */
	struct str bytes;		/* the request, until it is handed on */
	size_t left_at;			/* HTTP: where its remaining time is to be written */
	struct http_call *lane;		/* HTTP, running */
	char *id;			/* stdio: the id under which it is known; HTTP: a command's own */
	char *name;			/* of a command */
	bool any_body;			/* what a 2xx says does not matter */
	bool (*may)(void *arg);
	void (*progress)(void *arg, double percent, struct text status);
};

struct call_list {
	struct call *first, *last;
	unsigned n;
};

struct stdio;

struct workload {
	unsigned magic;
	struct loop *loop;
	struct workload_opts opts;
	char *name;
	bool is_up;
	bool is_pumping;
	struct call_list waiting, running;
	struct call *free;
	unsigned nfree;
	struct codec *codec;
	struct str scratch;
	struct http *http;		/* PORT, SOCKET */
	struct stdio *stdio;		/* STDIO */
	struct workload_counters counters;
};

/* workload_left_ms(c): until its deadline, by the clock and not by the turn of the loop, which may have begun
 * before the call did: a program is never promised more time than its caller waits. */
int64_t workload_left_ms(const struct call *c);

/* workload_finish(c, res): ends the call: the one place where done is called. */
void workload_finish(struct call *c, const struct workload_result *res);
void workload_fail(struct call *c, enum workload_outcome o, const char *why, bool maybe_executed);

/* workload_clean(w, t): t if it is valid UTF-8, else a copy in w->scratch with '?' for what
 * is not. */
struct text workload_clean(struct workload *w, struct text t);

/* The two ways.  compose writes the request into c->bytes; send hands it on, ERR_BUSY when
 * it cannot now, ERR_CLOSED when the program does not listen (and may end calls, c too);
 * drop forgets a running call, whose answer may still come. */
enum err_code workload_http_compose(struct call *c, const struct workload_request *q);
enum err_code workload_http_send(struct call *c);
void workload_http_drop(struct call *c);

struct stdio *stdio_new(struct workload *w);
void stdio_free(struct stdio *s);
void stdio_attach(struct stdio *s, int to_child, int from_child);
void stdio_detach(struct stdio *s);	/* takes in what was written before, then closes */
enum err_code stdio_compose(struct stdio *s, struct call *c, const struct workload_request *q);
enum err_code stdio_send(struct stdio *s, struct call *c);
void stdio_drop(struct stdio *s, struct call *c);

/* Each tells the program that a command which it runs is cancelled, if there is room to. */
void workload_http_cancel(struct call *c);
void stdio_cancel(struct stdio *s, struct call *c);
void stdio_role(struct stdio *s, const char *name, uint64_t epoch);
#define WORKLOAD_CANCEL_CONNS 4		/* beside those of calls, which may all be taken */

#endif
