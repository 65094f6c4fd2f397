/* healthcheck.c - the client of workloads, turned on its own kind. */
#include "app/healthcheck.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/http.h"
#include "sys/clock.h"
#include "sys/loop.h"

#define BODY_MAX (64 * 1024)

struct asking {
	struct loop *loop;
	struct healthcheck *out;
	struct err *err;
	enum err_code code;
	const char *url;
};

static void
on_answer(void *arg, const struct http_answer *a)
{
	struct asking *q = arg;

	q->code = a->code;
	if (a->code != ERR_OK) {
		err_set(q->err, a->code, "%s: %s", q->url, a->why);
	} else {
		q->out->status = a->status;
		snprintf(q->out->text, sizeof q->out->text, "%.*s", (int)strcspn(a->body.n > 0 ? a->body.p : "", "\r\n"),
		    a->body.n > 0 ? a->body.p : "");
	}
	loop_stop(q->loop);
}

static void
on_late(void *arg)
{
	struct asking *q = arg;

	q->code = err_set(q->err, ERR_TIMEOUT, "%s: no answer in time", q->url);
	loop_stop(q->loop);
}

/* ask: on a loop that turns until the answer, or the time, has come. */
static enum err_code
ask(struct asking *q, const struct dial_target *target, const char *path, int64_t timeout_ns)
{
	struct loop_timer late = { .fire = NULL };
	struct str bytes = STR_INIT;
	struct http *http = http_new(q->loop, &(struct http_opts){ .target = *target, .max_conns = 1, .max_body = BODY_MAX });

	http_compose(&bytes, &(struct http_request){ .method = "GET", .path = path });
	loop_timer_set(q->loop, &late, mono_after(clock_mono(clock_system()), timeout_ns), on_late, q);
	http_send(http, &bytes, on_answer, q);		/* its only call, so there is a connection for it */
	loop_run(q->loop);
	loop_timer_cancel(q->loop, &late);
	http_free(http);
	str_release(&bytes);
	return q->code;
}

enum err_code
healthcheck(const char *url, int64_t timeout_ns, struct healthcheck *out, struct err *err)
{
	struct err own = { ERR_OK, "" };
	struct asking q = { .out = out, .err = err != NULL ? err : &own, .url = url };
	struct dial_target target;
	enum err_code code;

	memset(out, 0, sizeof *out);
	if (strncmp(url, "http://", 7) != 0)
		return err_set(err, ERR_USAGE, "'%s' is not asked; write http://ADDR:PORT/PATH, and let what serves https have a "
		    "--health-listen besides", url);
	size_t n = strcspn(url + 7, "/");
	char *where = mem_text_n(url + 7, n);
	const char *path = url[7 + n] != '\0' && strcmp(url + 7 + n, "/") != 0 ? url + 7 + n : "/readyz";
	if ((code = dial_parse(where, &target, err)) != ERR_OK) {
		code = err_set(err, ERR_USAGE, "'%s' names no address; write http://127.0.0.1:8100/readyz", url);
	} else if ((q.loop = loop_new(clock_system(), 16, err)) == NULL) {
		code = ERR_SYSTEM;
	} else {
		code = ask(&q, &target, path, timeout_ns);
		loop_free(q.loop);
	}
	mem_free(where);
	return code;
}
