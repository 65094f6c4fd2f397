/* aegis_command.c - commands: sending them, and working them off.
 *
 * A job is handed to a worker thread as a pool job of its own; the worker of the messaging
 * floor decides on the loop what its end means. */
#include <stdatomic.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "client/client.h"
#include "messaging/sender.h"
#include "messaging/worker.h"
#include "model/names.h"
#include "nats/conn.h"
#include "sys/clock.h"

#define AEGIS_JOB_MAGIC 0xae615003u

/* --- sending ----------------------------------------------------------------------------- */

struct follower {
	const aegis_send_options *o;
	struct kept kept;
};

static void
on_progress(void *arg, const struct command_progress *p)
{
	struct follower *f = arg;

	f->o->progress(f->o->arg, p->progress, p->status.p != NULL ? kept_text(&f->kept, p->status) : "");
	kept_release(&f->kept);
}

static const enum priority priorities[] = {
	[AEGIS_NORMAL] = PRIORITY_NORMAL, [AEGIS_LOW] = PRIORITY_LOW,
	[AEGIS_HIGH] = PRIORITY_HIGH, [AEGIS_CRITICAL] = PRIORITY_CRITICAL,
};

static void
fill_send(struct send_spec *s, struct follower *f, const char *service, const char *command,
    const aegis_send_options *o)
{
	MUST((size_t)o->priority < COUNT_OF(priorities));
	*s = (struct send_spec){
		.service = service, .command = command, .id = o->id, .trace_id = o->trace_id,
		.traceparent = o->traceparent,
		.priority = priorities[o->priority],
		.max_retries = o->max_retries == 0 ? 3 : o->max_retries < 0 ? 0 : o->max_retries,
		.timeout_ns = o->timeout_ms * NS_PER_MS, .track = !o->forget, .wait_ns = o->wait_ms * NS_PER_MS,
		.progress = o->progress != NULL ? on_progress : NULL, .arg = f,
	};
}

static enum err_code
check_names(const struct send_spec *s, struct err *err)
{
	enum err_code code = name_check(NAME_SERVICE_CALLED, s->service, err);

	return code == ERR_OK ? name_check(NAME_COMMAND, s->command, err) : code;
}

static int
send_it(aegis *a, const struct send_spec *s, aegis_result **result, struct err *err)
{
	struct send_outcome out;
	enum err_code code;

	if ((code = check_names(s, err)) != ERR_OK)
		return code;
	send_outcome_init(&out);
	code = sender_send(a->sender, s, &out, err);
	if (code == ERR_OK && result != NULL)
		*result = client_result(out.result.len > 0 ? str_text(&out.result) : "null", out.id);
	send_outcome_release(&out);
	return code;
}

int
aegis_send(aegis *a, const char *service, const char *command, aegis_out *payload, const aegis_send_options *o,
    aegis_result **result, aegis_error *e)
{
	static const aegis_send_options none;
	struct follower f = { o != NULL ? o : &none, { NULL, 0, 0 } };
	struct str bytes = STR_INIT;
	struct send_spec s;
	int code = AEGIS_OK;

	MAGIC_CHECK(a, AEGIS_MAGIC);
	fill_send(&s, &f, service, command, f.o);
	if (payload != NULL && (code = client_out_encode(payload, a->format, &bytes, client_err(e))) == AEGIS_OK)
		s.payload = (struct data){ a->format, bytes.p, bytes.len };
	aegis_out_free(payload);
	if (code == AEGIS_OK)
		code = send_it(a, &s, result, client_err(e));
	str_release(&bytes);
	return code;
}

int
aegis_send_json(aegis *a, const char *service, const char *command, const char *payload, const aegis_send_options *o,
    aegis_result **result, aegis_error *e)
{
	static const aegis_send_options none;
	struct follower f = { o != NULL ? o : &none, { NULL, 0, 0 } };
	struct send_spec s;

	MAGIC_CHECK(a, AEGIS_MAGIC);
	fill_send(&s, &f, service, command, f.o);
	if (payload != NULL)
		s.payload = (struct data){ DATA_JSON, payload, strlen(payload) };
	return send_it(a, &s, result, client_err(e));
}

/* A command that is sent without waiting. */
struct started {
	struct follower follower;
	aegis_send_options o;
	void (*done)(void *arg, const char *id, const aegis_result *result, const aegis_error *e);
	void *arg;
};

static void
on_sent(void *arg, const struct send_outcome *out, const struct err *err)
{
	struct started *x = arg;
	aegis_result *r = err == NULL ? client_result(out->result.len > 0 ? str_text(&out->result) : "null", out->id) : NULL;

	x->done(x->arg, out->id, r, (const aegis_error *)(const void *)err);
	aegis_result_free(r);
	mem_free(x);
}

int
aegis_send_start(aegis *a, const char *service, const char *command, aegis_out *payload, const aegis_send_options *o,
    void (*done)(void *arg, const char *id, const aegis_result *result, const aegis_error *e), void *arg,
    aegis_error *e)
{
	struct started *x = mem_new(sizeof *x);
	struct str bytes = STR_INIT;
	struct send_spec s;
	enum err_code code;

	MAGIC_CHECK(a, AEGIS_MAGIC);
	*x = (struct started){ .done = done, .arg = arg };
	if (o != NULL)
		x->o = *o;
	x->follower.o = &x->o;
	fill_send(&s, &x->follower, service, command, &x->o);
	if ((code = check_names(&s, client_err(e))) == ERR_OK && payload != NULL &&
	    (code = client_out_encode(payload, a->format, &bytes, client_err(e))) == ERR_OK)
		s.payload = (struct data){ a->format, bytes.p, bytes.len };
	aegis_out_free(payload);
	if (code == ERR_OK)
		code = sender_start(a->sender, &s, on_sent, x, NULL, client_err(e));
	if (code != ERR_OK)
		mem_free(x);
	str_release(&bytes);
	return code;
}

int
aegis_cancel(aegis *a, const char *id, const char *reason, aegis_error *e)
{
	MAGIC_CHECK(a, AEGIS_MAGIC);
	enum err_code code = sender_cancel(a->conn, id, reason, client_err(e));
	return code == ERR_OK ? conn_flush(a->conn, a->timeout_ns, client_err(e)) : code;
}

/* --- working ----------------------------------------------------------------------------- */

struct aegis_job {
	struct pool_job task;
	unsigned magic;
	atomic_int refs;
	const struct worked *worked;
	struct job *job;
	bool taken;			/* a thread has it */
	struct codec *codec;		/* NULL until the payload is looked at */
	struct value payload;
	struct kept kept;
};

int
aegis_work(aegis *a, const char *command, aegis_job_handler *fn, void *arg, const aegis_work_options *o,
    aegis_error *e)
{
	static const aegis_work_options none;

	MAGIC_CHECK(a, AEGIS_MAGIC);
	enum err_code code = name_check(NAME_COMMAND, command, client_err(e));
	if (code != ERR_OK)
		return code;
	if (a->member != NULL)
		return err_set(client_err(e), ERR_INVALID, "work '%s': the handle is registered already; work first", command);
	for (size_t i = 0; i < a->nworked; i++)
		if (strcmp(a->worked[i]->command, command) == 0)
			return err_set(client_err(e), ERR_EXISTS, "command '%s' is worked off already", command);
	struct worked *w = mem_new(sizeof *w);
	*w = (struct worked){ .a = a, .command = mem_text(command), .fn = fn, .arg = arg, .o = o != NULL ? *o : none };
	a->worked = mem_resize(a->worked, a->nworked + 1, sizeof *a->worked);
	a->worked[a->nworked++] = w;
	return ERR_OK;
}

/* The handler may answer before it returns, or long after: the memory goes with the later of the
 * two, its answer and the end of the task. */
static void
job_drop(aegis_job *j)
{
	if (atomic_fetch_sub(&j->refs, 1) == 1)
		mem_free(j);
}

/* job_close: it is answered; what it lent to the handler ends. */
static void
job_close(aegis_job *j)
{
	kept_release(&j->kept);
	codec_free(j->codec);
	MAGIC_WIPE(j);
	job_drop(j);
}

static void
work(struct pool_job *task)
{
	aegis_job *j = CONTAINER_OF(task, aegis_job, task);

	j->taken = true;
	if (job_cancelled(j->job))
		aegis_job_fail(j, "it was cancelled before a worker was free");
	else
		j->worked->fn(j->worked->arg, j);
}

static void
task_done(struct pool_job *task)
{
	aegis_job *j = CONTAINER_OF(task, aegis_job, task);

	if (!j->taken) {
		job_bounce(j->job);
		job_close(j);
	}
	job_drop(j);
}

static void
on_job(void *arg, struct job *job)
{
	const struct worked *w = arg;
	aegis_job *j = mem_new(sizeof *j);

	j->task = (struct pool_job){ .work = work, .done = task_done };
	j->magic = AEGIS_JOB_MAGIC;
	atomic_init(&j->refs, 2);
	j->worked = w;
	j->job = job;
	if (pool_run(w->a->handlers, &j->task) != ERR_OK)
		task_done(&j->task);	/* every thread is busy and too much waits: again soon */
}

enum err_code
client_workers_start(aegis *a, const char *service, struct err *err)
{
	for (size_t i = 0; i < a->nworked; i++) {
		struct worked *w = a->worked[i];
		w->worker = worker_new(&(struct worker_opts){
			.conn = a->conn, .loop = a->loop, .pool = a->pool, .publisher = a->publisher, .traffic = a->traffic,
			.guard = a->guard,
			.service = service, .instance = a->instance, .command = w->command,
			.max_running = w->o.concurrency, .window = w->o.window, .backoff_ns = w->o.backoff_ms * NS_PER_MS,
			.ack_wait_ns = w->o.ack_wait_ms * NS_PER_MS, .handler = on_job, .arg = w,
		}, err);
		if (w->worker == NULL) {
			client_workers_free(a);
			return ERR_UNAVAILABLE;
		}
	}
	return ERR_OK;
}

void
client_workers_leave(aegis *a)
{
	for (size_t i = 0; i < a->nworked; i++)
		if (a->worked[i]->worker != NULL)
			worker_leave(a->worked[i]->worker);
}

void
client_workers_drain(aegis *a, int64_t timeout_ns)
{
	struct mono end = mono_after(clock_mono(clock_system()), timeout_ns);

	for (size_t i = 0; i < a->nworked; i++) {
		int64_t left = mono_since(end, clock_mono(clock_system()));
		if (a->worked[i]->worker != NULL)
			worker_drain(a->worked[i]->worker, left > 0 ? left : 0);
	}
}

void
client_workers_free(aegis *a)
{
	for (size_t i = 0; i < a->nworked; i++) {
		worker_free(a->worked[i]->worker);
		a->worked[i]->worker = NULL;
	}
}

void
client_worked_free(aegis *a)
{
	for (size_t i = 0; i < a->nworked; i++) {
		mem_free(a->worked[i]->command);
		mem_free(a->worked[i]);
	}
	mem_free(a->worked);
}

/* --- what a job's handler sees ----------------------------------------------------------- */

static struct job *
inside(const aegis_job *j)
{
	MAGIC_CHECK(j, AEGIS_JOB_MAGIC);
	return j->job;
}

const char *
aegis_job_command(const aegis_job *j)
{
	return job_command(inside(j));
}

const char *
aegis_job_id(const aegis_job *j)
{
	return job_id(inside(j));
}

const char *
aegis_job_trace_id(const aegis_job *j)
{
	return job_trace_id(inside(j));
}

const char *
aegis_job_source(const aegis_job *j)
{
	return job_source(inside(j));
}

uint64_t
aegis_job_deliveries(const aegis_job *j)
{
	return job_deliveries(inside(j));
}

bool
aegis_job_cancelled(const aegis_job *j)
{
	return job_cancelled(inside(j));
}

const char *
aegis_job_json(const aegis_job *j)
{
	return job_payload_json(inside(j));
}

static const struct value *
field(const aegis_job *cj, const char *key)
{
	aegis_job *j = (aegis_job *)(uintptr_t)cj;	/* filled at the first look */

	MAGIC_CHECK(j, AEGIS_JOB_MAGIC);
	if (j->codec == NULL) {
		const char *json = job_payload_json(j->job);
		j->codec = codec_new();
		MUST(codec_parse(j->codec, (struct data){ DATA_JSON, json, strlen(json) }, &j->payload, NULL) == ERR_OK);
	}
	return value_field(&j->payload, key);
}

const char *
aegis_job_text(const aegis_job *j, const char *key)
{
	struct text t;

	return value_text(field(j, key), &t) ? kept_text(&((aegis_job *)(uintptr_t)j)->kept, t) : NULL;
}

bool
aegis_job_int(const aegis_job *j, const char *key, int64_t *out)
{
	return value_int(field(j, key), out);
}

bool
aegis_job_real(const aegis_job *j, const char *key, double *out)
{
	return value_real(field(j, key), out);
}

bool
aegis_job_bool(const aegis_job *j, const char *key, bool *out)
{
	return value_bool(field(j, key), out);
}

/* --- its answers ------------------------------------------------------------------------- */

void
aegis_job_progress(aegis_job *j, double percent, const char *status)
{
	job_progress(inside(j), percent, status);
}

int
aegis_job_done(aegis_job *j, aegis_out *result)
{
	struct job *job = inside(j);
	struct str bytes = STR_INIT;
	struct err err;
	int code = AEGIS_OK;

	if (result != NULL)
		code = client_out_encode(result, DATA_MSGPACK, &bytes, &err);
	aegis_out_free(result);
	if (code == AEGIS_OK)
		job_done(job, (struct data){ DATA_MSGPACK, bytes.len > 0 ? bytes.p : NULL, bytes.len });
	else
		job_fail(job, err.text);
	str_release(&bytes);
	job_close(j);
	return code;
}

void
aegis_job_done_json(aegis_job *j, const char *json)
{
	job_done(inside(j), (struct data){ DATA_JSON, json, strlen(json) });
	job_close(j);
}

void
aegis_job_fail(aegis_job *j, const char *text)
{
	job_fail(inside(j), text);
	job_close(j);
}
