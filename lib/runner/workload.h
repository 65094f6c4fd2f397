/* workload.h - calls into the wrapped program, over HTTP or over its stdin and stdout.
 *
 * A call that may run is sent at once; at most max_inflight run, at most max_queue wait
 * behind them, and what comes then is refused with BUSY at once (the policy: refuse, the
 * caller of the call knows best).  Every call ends exactly once: with the program's answer,
 * at its deadline, or with DOWN when the program goes away.  Nothing is ever sent twice
 * once the program can have seen it.
 *
 * Everything belongs to the loop's thread; nothing blocks. */
#ifndef RUNNER_WORKLOAD_H
#define RUNNER_WORKLOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"
#include "model/value.h"
#include "sys/loop.h"

#define WORKLOAD_ANSWER_MAX (16u << 20)		/* HTTP body */
#define WORKLOAD_LINE_MAX (1u << 20)		/* line of a stdio program */
#define WORKLOAD_INFLIGHT 64			/* defaults of design.md §7 */
#define WORKLOAD_QUEUE 1024

struct workload;

enum workload_kind { WORKLOAD_NONE, WORKLOAD_PORT, WORKLOAD_SOCKET, WORKLOAD_STDIO };

struct workload_opts {
	enum workload_kind kind;
	uint16_t port;			/* PORT: on 127.0.0.1 */
	const char *socket;		/* SOCKET: path; copied */
	unsigned max_inflight, max_queue;	/* 0: the defaults */
	const char *name;		/* for log lines; copied */
};

enum workload_outcome {
	WORKLOAD_OK,		/* text: the result as JSON, checked to be that */
	WORKLOAD_APP_ERROR,	/* text: the program's own words */
	WORKLOAD_BUSY,		/* too much waits already; it was not sent */
	WORKLOAD_TIMEOUT,	/* no answer by the deadline; the program may still be at it */
	WORKLOAD_DOWN,		/* the program does not run, is not ready, or went away meanwhile */
	WORKLOAD_BAD_ANSWER,	/* text says what is wrong: not JSON, too large, no HTTP … */
};

struct workload_result {
	enum workload_outcome outcome;
	struct text text;	/* valid UTF-8, during the callback; never absent (OK without a body: "null") */
	int http_status;	/* 0 when it was not HTTP, or none came */
	bool maybe_executed;	/* the program can have seen the call */
};

struct workload_header {
	const char *name;	/* Aegis-Message-Id, Aegis-Trace-Id, traceparent, … */
	struct text value;
};

/* What a request is to the program: the kind of its line, the beginning of its path. */
enum workload_type {
	WORKLOAD_RPC,		/* "rpc", POST /rpc/{method} */
	WORKLOAD_COMMAND,	/* "command", POST /commands/{method}; can be cancelled, may tell its progress */
	WORKLOAD_EVENT,		/* "event", POST /events/{domain}/{type}; any 2xx will do, its body is not looked at */
};

struct workload_request {
	enum workload_type type;
	const char *method;			/* or the command's name, or the event's {domain}.{type} */
	struct text message_id;
	struct text params;			/* valid JSON; absent = null */
	const struct workload_header *headers;
	size_t nheaders;
	struct mono deadline;
	atomic_int *waiting;			/* a gauge that counts this call while it waits for a place;
						   NULL, or it outlives the call */
	/* may(arg): asked right before it is sent, perhaps after a wait; false: it is not, and ends with BUSY.  arg is that of
	 * done; may be NULL. */
	bool (*may)(void *arg);
	/* progress(arg, percent, status): a line of progress came; arg is that of done.  stdio only;
	 * may be NULL.  status is absent when not told, else lives during the call. */
	void (*progress)(void *arg, double percent, struct text status);
};

struct workload *workload_new(struct loop *loop, const struct workload_opts *o, struct err *err);
void workload_free(struct workload *w);		/* NULL is fine; pending calls end with DOWN */

/* workload_call(w, q, done, arg): everything in q is only read during the call.  done is
 * called exactly once on the loop, possibly before this returns (BUSY, DOWN, a deadline
 * that has passed).  It may call again, but free neither workload nor runner. */
void workload_call(struct workload *w, const struct workload_request *q,
    void (*done)(void *arg, const struct workload_result *res), void *arg);

/* workload_limit(w, max_inflight, max_queue): as in workload_opts, from now on; what runs or waits beyond them stays. */
void workload_limit(struct workload *w, unsigned max_inflight, unsigned max_queue);

/* workload_cancel(w, arg): the program is told that nobody waits for the command whose done has
 * this arg: a line of kind "cancel" with its id, or DELETE /commands/{method}/{message_id}.  Best
 * effort.  The call goes on until its answer or its deadline; one that the program has not seen
 * yet ends at once with BUSY.  Nothing happens when there is no such call. */
void workload_cancel(struct workload *w, const void *arg);

/* workload_role(w, name, epoch): a stdio program that runs is told its role by a line of kind "role"
 * (params: {"epoch":n} unless 0); others find it in their environment and the local API. */
void workload_role(struct workload *w, const char *name, uint64_t epoch);

struct workload_counters {
	uint64_t calls, ok, app_errors, busy, timeouts, down, bad_answers;
	uint64_t late;			/* stdio: answers to calls that had ended */
	uint64_t stray_lines;		/* stdio: lines that are no message */
	unsigned inflight, waiting;	/* now */
};
void workload_count(const struct workload *w, struct workload_counters *out);

const char *workload_outcome_name(enum workload_outcome o);	/* "bad_answer" */

/* What the runner does: the program's end of stdin and stdout (STDIO only; the workload
 * takes them over and closes them), whether calls are let through, and the news that the
 * program is gone, upon which every pending call ends with DOWN. */
void workload_attach(struct workload *w, int to_child, int from_child);
void workload_up(struct workload *w);
void workload_down(struct workload *w);

/* workload_yield(w): lets go of connections that are merely kept; a program that serves
 * one at a time may be deaf to its health check because of ours. */
void workload_yield(struct workload *w);

#endif
