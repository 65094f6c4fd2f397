/* work.h - a service that works off commands and remembers what it saw, and whoever sends them. */
#ifndef SUPPORT_WORK_H
#define SUPPORT_WORK_H

#include "handle.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "nats/conn.h"
#include "nats/consumer.h"
#include "nats/stream.h"
#include "sys/loop.h"

static struct conn *conn;
static aegis *sender, *json_sender;
static struct err err;

/* --- a service --------------------------------------------------------------------------- */

/* What the handlers saw. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char seen[4096];			/* one word per run */
static atomic_int runs;
static atomic_bool hold;		/* handlers of "gate" wait while it is set */

static inline void
note(const char *word)
{
	pthread_mutex_lock(&lock);
	snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s ", word);
	pthread_mutex_unlock(&lock);
	atomic_fetch_add(&runs, 1);
}

/* saw: what ran so far, word by word. */
static inline void
saw(const char *words)
{
	char copy[sizeof seen];

	pthread_mutex_lock(&lock);
	memcpy(copy, seen, sizeof copy);
	pthread_mutex_unlock(&lock);
	assert_string_equal(copy, words);
}

static inline void
forget(void)
{
	pthread_mutex_lock(&lock);
	seen[0] = '\0';
	pthread_mutex_unlock(&lock);
	atomic_store(&runs, 0);
}

static inline void
rest(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

static inline void
on_work(void *arg, aegis_job *j)
{
	aegis_out *out = aegis_out_new();
	int64_t i = 0;

	(void)arg;
	aegis_job_progress(j, 50, "half");
	aegis_job_progress(j, 1e9, NULL);
	aegis_job_int(j, "n", &i);
	aegis_out_int(out, "n", i + 1);
	aegis_out_text(out, "text", aegis_job_text(j, "text"));
	aegis_out_text(out, "command", aegis_job_command(j));
	aegis_out_int(out, "deliveries", (int64_t)aegis_job_deliveries(j));
	aegis_out_text(out, "trace_id", aegis_job_trace_id(j));
	note(aegis_job_id(j));
	aegis_job_done(j, out);
}

static inline void
on_fail(void *arg, aegis_job *j)
{
	char word[32];

	(void)arg;
	snprintf(word, sizeof word, "%llu", (unsigned long long)aegis_job_deliveries(j));
	note(word);
	aegis_job_fail(j, "no \"stock\"");
}

/* gate: waits until it may go on, or is not wanted any more. */
static inline void
on_gate(void *arg, aegis_job *j)
{
	(void)arg;
	note(aegis_job_id(j));
	while (atomic_load(&hold) && !aegis_job_cancelled(j))
		rest();
	aegis_job_done_json(j, "{\"passed\": true}");
}

static inline aegis *
worker_of(const char *service)
{
	static const aegis_work_options quick = { .backoff_ms = 20, .ack_wait_ms = 60000 };
	static const aegis_work_options one = { .concurrency = 1, .window = 32, .backoff_ms = 20, .ack_wait_ms = 60000 };
	aegis *a = connect_as(NULL);

	ok(aegis_work(a, "work", on_work, NULL, &quick, &e));
	ok(aegis_work(a, "fail", on_fail, NULL, &quick, &e));
	ok(aegis_work(a, "gate", on_gate, NULL, &one, &e));
	ok(aegis_register(a, &(aegis_identity){ .service = service }, &e));
	return a;
}

static inline uint64_t
stored(const char *stream)
{
	struct stream_state s;

	return stream_look(conn, stream, &s, &err) == ERR_OK ? s.messages : UINT64_MAX;
}

/* --- the way there and back -------------------------------------------------------------- */

static char heard[256];

static inline void
on_progress(void *arg, double percent, const char *status)
{
	(void)arg;
	snprintf(heard + strlen(heard), sizeof heard - strlen(heard), "%.0f:%s ", percent, status);
}

/* --- failing ----------------------------------------------------------------------------- */

static atomic_int told;
static atomic_bool marked;

static inline void
on_told(void *arg, struct msg *m)
{
	(void)arg;
	atomic_fetch_add(&told, 1);
	if (strcmp(msg_subject(m), "commands.progress.last") == 0)
		atomic_store(&marked, true);
	msg_free(m);
}

/* --- the queue itself -------------------------------------------------------------------- */

static inline int
begin(void **state)
{
	(void)state;
	if (!bus_start(&bus))
		return -1;
	conn = conn_new(&(struct conn_opts){ .servers = bus_url(&bus) }, &err);
	sender = connect_as(NULL);
	json_sender = connect_as(&(aegis_options){ .json = true });
	return conn != NULL && stream_ensure(conn, STREAM_COMMANDS, 1, NULL, &err) == ERR_OK &&
	    stream_ensure(conn, STREAM_COMMANDS_DLQ, 1, NULL, &err) == ERR_OK ? 0 : -1;
}

static inline int
end(void **state)
{
	(void)state;
	aegis_close(sender);
	aegis_close(json_sender);
	conn_free(conn);
	bus_end(&bus);
	conn_library_close();
	return 0;
}

#endif
