/* workload_http.c - a call as POST /rpc/{method}, a command as POST /commands/{name}, an event as
 * POST /events/{domain}/{type}. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "runner/workload_inner.h"

#define HEADERS_MAX 16		/* an envelope yields six or so */
#define LEFT "Aegis-Deadline"		/* the ms that remain when it is sent: it may have waited for its turn */
#define LEFT_WIDTH 10
#define LEFT_MAX INT64_C(9999999999)	/* ms in so many digits: 115 days */
#define ERROR_MAX 4096		/* of an error page; the rest helps nobody */

/* put_path: an event's domain is one token, and what stands behind its dot is the type. */
static void
put_path(struct str *path, const struct workload_request *q)
{
	static const char *const roots[] = {
		[WORKLOAD_RPC] = "/rpc/", [WORKLOAD_COMMAND] = "/commands/", [WORKLOAD_EVENT] = "/events/",
	};
	const char *name = q->method, *dot = q->type == WORKLOAD_EVENT ? strchr(name, '.') : NULL;

	str_puts(path, roots[q->type]);
	if (dot != NULL) {
		char *domain = mem_text_n(name, (size_t)(dot - name));
		http_escape(path, domain);
		str_putc(path, '/');
		mem_free(domain);
		name = dot + 1;
	}
	http_escape(path, name);
}

enum err_code
workload_http_compose(struct call *c, const struct workload_request *q)
{
	static const char room[LEFT_WIDTH + 1] = "          ";
	struct http_header h[HEADERS_MAX + 1] = { { LEFT, text_of(room) } };
	struct str *path = &c->w->scratch;
	size_t n = 1;

	MUST(q->nheaders <= HEADERS_MAX);
	for (size_t i = 0; i < q->nheaders; i++)
		h[n++] = (struct http_header){ q->headers[i].name, q->headers[i].value };
	str_clear(path);
	put_path(path, q);
	struct http_request r = {
		.method = "POST", .path = path->p, .headers = h, .nheaders = n, .type = "application/json",
		.body = q->params.p != NULL ? q->params : text_of("null"),
	};
	http_compose(&c->bytes, &r);
	/* The first of the headers that are ours, and a path has no blanks: no other is found. */
	const char *left = memmem(c->bytes.p, c->bytes.len, "\r\n" LEFT ": ", sizeof LEFT + 3);
	MUST(left != NULL);
	c->left_at = (size_t)(left - c->bytes.p) + sizeof LEFT + 3;
	if (q->type == WORKLOAD_COMMAND && q->message_id.p != NULL)
		c->id = mem_text_n(q->message_id.p, q->message_id.n);
	return ERR_OK;
}

/* judge_error: 4xx and 5xx are the program's own words. */
static void
judge_error(struct workload *w, const struct http_answer *a, struct workload_result *r, char *number, size_t max)
{
	struct text t = a->body;

	while (t.n > 0 && isspace((unsigned char)t.p[t.n - 1]))
		t.n--;
	if (t.n > ERROR_MAX)
		t.n = ERROR_MAX;
	if (t.n == 0) {
		snprintf(number, max, "HTTP %d", a->status);
		t = text_of(number);
	}
	r->outcome = WORKLOAD_APP_ERROR;
	r->text = workload_clean(w, t);
}

static void
judge_result(struct workload *w, const struct http_answer *a, struct workload_result *r, struct err *err)
{
	struct value v;

	r->outcome = WORKLOAD_OK;
	r->text = a->body.n > 0 ? a->body : text_of("null");
	struct data d = { DATA_JSON, r->text.p, r->text.n };
	if (codec_parse(w->codec, d, &v, err) != ERR_OK) {
		err_prefix(err, "the answer is not JSON");
		r->outcome = WORKLOAD_BAD_ANSWER;
		r->text = text_of(err->text);
	}
}

static void
on_answer(void *arg, const struct http_answer *a)
{
	struct call *c = arg;
	struct workload_result r = { .http_status = a->status, .maybe_executed = a->maybe_executed };
	struct err err = { 0 };
	char number[64];

	c->lane = NULL;
	if (a->code == ERR_UNAVAILABLE || a->code == ERR_CLOSED) {
		r.outcome = WORKLOAD_DOWN;
		r.text = text_of(a->why);
	} else if (a->code != ERR_OK) {
		r.outcome = WORKLOAD_BAD_ANSWER;
		r.text = text_of(a->why);
	} else if (a->status >= 200 && a->status <= 299 && c->any_body) {
		r.outcome = WORKLOAD_OK;
		r.text = text_of("null");
	} else if (a->status >= 200 && a->status <= 299) {
		judge_result(c->w, a, &r, &err);
	} else if (a->status >= 400) {
		judge_error(c->w, a, &r, number, sizeof number);
	} else {
		snprintf(number, sizeof number, "HTTP %d is neither a result nor an error", a->status);
		r.outcome = WORKLOAD_BAD_ANSWER;
		r.text = text_of(number);
	}
	workload_finish(c, &r);
}

enum err_code
workload_http_send(struct call *c)
{
	int64_t left = workload_left_ms(c);
	char digits[24];

	/* Who sends a command may give it any time: what does not fit is as good as unlimited. */
	left = left > LEFT_MAX ? LEFT_MAX : left;
	snprintf(digits, sizeof digits, "%*lld", LEFT_WIDTH, (long long)left);
	MUST(strlen(digits) == LEFT_WIDTH);
	memcpy(c->bytes.p + c->left_at, digits, LEFT_WIDTH);
	c->lane = http_send(c->w->http, &c->bytes, on_answer, c);
	return c->lane != NULL ? ERR_OK : ERR_BUSY;
}

/* on_cancelled: whatever it says, the answer to the command itself counts. */
static void
on_cancelled(void *arg, const struct http_answer *a)
{
	(void)arg;
	(void)a;
}

void
workload_http_cancel(struct call *c)
{
	struct str *path = &c->w->scratch, bytes = STR_INIT;

	if (c->id == NULL)
		return;
	str_clear(path);
	str_puts(path, "/commands/");
	http_escape(path, c->name);
	str_putc(path, '/');
	http_escape(path, c->id);
	http_compose(&bytes, &(struct http_request){ .method = "DELETE", .path = path->p });
	http_send(c->w->http, &bytes, on_cancelled, NULL);
	str_release(&bytes);
}

void
workload_http_drop(struct call *c)
{
	http_cancel(c->lane);
	c->lane = NULL;
}
