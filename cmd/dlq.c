/* dlq.c - `aegis command dlq` and `aegis event dlq`: one set of verbs for two streams: looking at dead
 * letters, publishing them again, throwing them away.
 *
 * A letter is named by its sequence in the stream, as `ls` shows it.  What is done to several is
 * done one by one, and the first failure ends it: the rest is as it was. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/num.h"
#include "base/wall.h"
#include "cmd.h"
#include "codec/codec.h"
#include "handle.h"
#include "messaging/dlq.h"
#include "nats/conn.h"
#include "nats/publisher.h"
#include "nats/stream.h"
#include "sys/loop.h"
#include "sys/loop_thread.h"

struct dlq_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *filter;		/* of original subjects */
	bool all;
	uint64_t limit;
};

static const struct opt dlq_rows[] = {
	OPT_TEXT(struct dlq_opts, filter, "subject", 0, "SUBJECT",
	    "only letters that were published to this subject; * and > are wildcards"),
	OPT_UINT(struct dlq_opts, limit, "limit", 0, "N", "show at most so many", .def = "100", .min = 1, .max = 100000),
	OPT_FLAG(struct dlq_opts, all, "all", 'a', "retry or remove every letter, or every one of --subject"),
	OPTS_END
};

#define DLQ_FORM { \
	sizeof(struct dlq_opts), \
	{ \
		{ "Options", NULL, dlq_rows, 0 }, \
		FORM_OUTPUT(struct dlq_opts), \
		FORM_NATS(struct dlq_opts), \
		FORM_CLIENT_LOG(struct dlq_opts), \
		FORM_GENERAL(struct dlq_opts), \
	}, \
}
const struct cmd_form command_dlq_form = DLQ_FORM, event_dlq_form = DLQ_FORM;

static const struct out_column columns[] = {
	{ .name = "SEQ", .right = true }, { .name = "TIME" }, { .name = "SUBJECT" },
	{ .name = "DELIVERIES", .right = true }, { .name = "INSTANCE" }, { .name = "ERROR", .shrinks = true },
};

struct asking {
	struct cmd *c;
	const struct dlq_opts *o;
	enum stream_id id;
	struct conn *conn;
	uint64_t done;
};

/* --- showing ------------------------------------------------------------------------------ */

static void
letter_json(const struct letter *l, bool whole, struct str *out)
{
	char time[WALL_TEXT_MAX];
	struct value v;
	struct pack p;

	wall_rfc3339(l->stored.time, time);
	const char *data = msg_data(l->stored.msg);
	size_t n = msg_size(l->stored.msg);
	bool readable = whole && n > 0 &&
	    codec_parse(codec_mine(), (struct data){ codec_detect(data, n), data, n }, &v, NULL) == ERR_OK;
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, whole ? 8 : 7);
	pack_key_uint(&p, "seq", l->stored.seq);
	pack_key_puts(&p, "time", time);
	pack_key_puts(&p, "subject", l->subject);
	pack_key_uint(&p, "deliveries", l->deliveries);
	pack_key_some(&p, "instance", l->instance);
	pack_key_puts(&p, "error", l->error);
	pack_key_uint(&p, "bytes", n);
	if (whole) {
		pack_key(&p, "message");
		if (readable)
			pack_value(&p, &v);
		else
			pack_bytes(&p, (struct text){ data != NULL ? data : "", n });	/* as base64 */
	}
	if (pack_end(&p, NULL) != ERR_OK)
		str_puts(out, "{}");	/* headers that are no text; the table still shows them */
}

static void
show_row(struct asking *a, const struct letter *l)
{
	char seq[24], time[WALL_TEXT_MAX], deliveries[24];
	struct str json = STR_INIT;

	snprintf(seq, sizeof seq, "%" PRIu64, l->stored.seq);
	snprintf(deliveries, sizeof deliveries, "%" PRIu64, l->deliveries);
	wall_rfc3339(l->stored.time, time);
	letter_json(l, false, &json);
	out_row(a->c->out, (const struct out_cell[]){ { seq, OUT_STRONG }, { time, OUT_DIM }, { l->subject, OUT_PLAIN },
	    { deliveries, OUT_PLAIN }, { l->instance[0] != '\0' ? l->instance : NULL, OUT_PLAIN }, { l->error, OUT_BAD } },
	    str_text(&json));
	str_release(&json);
}

/* each: fn for every letter that matches, up to limit; *more tells that there are others. */
static enum err_code
each(struct asking *a, uint64_t limit, enum err_code (*fn)(struct asking *, const struct letter *, struct err *),
    bool *more, struct err *err)
{
	enum err_code code = ERR_OK;
	struct err own;
	struct letter l;

	*more = false;
	for (uint64_t from = 1; code == ERR_OK && !out_reader_left(a->c->out); from = l.stored.seq + 1) {
		code = dlq_next(a->conn, a->id, a->o->filter, from, &l, &own);
		if (code == ERR_NOT_FOUND)
			return ERR_OK;
		if (code != ERR_OK) {
			if (err != NULL)
				*err = own;
			return code;
		}
		*more = a->done == limit;
		if (!*more)
			code = fn(a, &l, err);
		msg_free(l.stored.msg);
		if (*more)
			break;
		a->done++;
	}
	return code;
}

static enum err_code
each_ls(struct asking *a, const struct letter *l, struct err *err)
{
	(void)err;
	show_row(a, l);
	return ERR_OK;
}

static enum err_code
ls(struct asking *a, struct err *err)
{
	bool more;

	out_list(a->c->out, columns, COUNT_OF(columns));
	enum err_code code = each(a, a->o->limit, each_ls, &more, err);
	if (code == ERR_OK && more)
		out_note(a->c->out, "there are more; --limit shows them");
	return code;
}

static enum err_code
show(struct asking *a, uint64_t seq, struct err *err)
{
	static const char *const names[] = { "seq", "time", "subject", "deliveries", "instance", "error", "bytes" };
	char text[4][WALL_TEXT_MAX];
	struct str json = STR_INIT;
	struct letter l;

	enum err_code code = dlq_get(a->conn, a->id, seq, &l, err);
	if (code != ERR_OK)
		return code;
	snprintf(text[0], sizeof text[0], "%" PRIu64, l.stored.seq);
	wall_rfc3339(l.stored.time, text[1]);
	snprintf(text[2], sizeof text[2], "%" PRIu64, l.deliveries);
	snprintf(text[3], sizeof text[3], "%zu", msg_size(l.stored.msg));
	letter_json(&l, true, &json);
	out_object(a->c->out, names, (const struct out_cell[]){ { text[0], OUT_STRONG }, { text[1], OUT_PLAIN },
	    { l.subject, OUT_PLAIN }, { text[2], OUT_PLAIN }, { l.instance, OUT_PLAIN }, { l.error, OUT_BAD },
	    { text[3], OUT_PLAIN } }, COUNT_OF(names), str_text(&json));
	str_release(&json);
	msg_free(l.stored.msg);
	return ERR_OK;
}

/* --- changing ----------------------------------------------------------------------------- */

static enum err_code
each_rm(struct asking *a, const struct letter *l, struct err *err)
{
	return dlq_remove(a->conn, a->id, l->stored.seq, err);
}

/* retry: a letter is gone only when the stream has taken its message again, which dlq_retry waits
 * for on a publisher; and that needs a loop. */
struct retrying {
	struct asking a;
	struct publisher *publisher;
};

static enum err_code
each_retry(struct asking *a, const struct letter *l, struct err *err)
{
	struct retrying *r = CONTAINER_OF(a, struct retrying, a);

	return dlq_retry(a->conn, r->publisher, a->id, l->stored.seq, NULL, err);
}

/* --- words -------------------------------------------------------------------------------- */

static enum err_code
parse_seq(const char *word, uint64_t *seq, struct err *err)
{
	if (!num_uint(word, seq) || *seq == 0)
		return err_set(err, ERR_USAGE, "'%s' is no sequence; take one from the first column of `ls`", word);
	return ERR_OK;
}

/* change: fn for the letters that the words name, or for all that match. */
static enum err_code
change(struct asking *a, enum err_code (*fn)(struct asking *, const struct letter *, struct err *), const char *done,
    struct err *err)
{
	enum err_code code = ERR_OK;
	bool more;

	if (a->o->all)
		code = each(a, UINT64_MAX, fn, &more, err);
	for (size_t i = 1; code == ERR_OK && i < a->c->nwords; i++) {
		struct letter l = { .stored.seq = 0 };
		if ((code = parse_seq(a->c->words[i], &l.stored.seq, err)) == ERR_OK &&
		    (code = fn(a, &l, err)) == ERR_OK)
			a->done++;
	}
	out_note(a->c->out, "%s %" PRIu64, done, a->done);
	return code;
}

static enum err_code
retry(struct asking *a, struct err *err)
{
	struct retrying r = { .a = *a };
	struct loop_thread thread = { .runs = false };
	struct loop *loop = loop_new(clock_system(), 64, err);
	enum err_code code;

	if (loop == NULL)
		return ERR_SYSTEM;
	r.publisher = publisher_new(&(struct publisher_opts){ .conn = a->conn, .loop = loop }, err);
	if (r.publisher == NULL) {
		code = ERR_UNAVAILABLE;
		goto err0;
	}
	if ((code = loop_thread_start(&thread, loop, err)) == ERR_OK)
		code = change(&r.a, each_retry, "published again:", err);
	loop_thread_stop(&thread);
	publisher_free(r.publisher);
err0:
	loop_free(loop);
	return code;
}

static enum err_code
check_words(const struct cmd *c, const struct dlq_opts *o, struct err *err)
{
	const char *verb = c->words[0];
	bool changes = strcmp(verb, "retry") == 0 || strcmp(verb, "rm") == 0;

	if (!changes && strcmp(verb, "ls") != 0 && strcmp(verb, "show") != 0)
		return err_set(err, ERR_USAGE, "'%s' is none of ls, show, retry, rm", verb);
	if (strcmp(verb, "ls") == 0 && c->nwords > 1)
		return err_set(err, ERR_USAGE, "ls takes no sequence; `show %s` shows one letter", c->words[1]);
	if (strcmp(verb, "show") == 0 && c->nwords != 2)
		return err_set(err, ERR_USAGE, "show needs one sequence, from the first column of `ls`");
	if (changes && o->all == (c->nwords > 1))
		return err_set(err, ERR_USAGE, "%s needs either sequences, from the first column of `ls`, or --all", verb);
	if (o->all && !changes)
		return err_set(err, ERR_USAGE, "--all is for retry and rm");
	return ERR_OK;
}

/* run: the words are ls, or show, retry or rm with sequences. */
static enum err_code
run(struct cmd *c, enum stream_id id, struct err *err)
{
	struct asking a = { .c = c, .o = c->opts, .id = id };
	struct conn_opts co = cmd_conn_opts(c, NULL);
	enum err_code code;
	uint64_t seq;

	if ((code = check_words(c, a.o, err)) != ERR_OK)
		return code;
	if ((a.conn = conn_new(&co, err)) == NULL)
		return err->code;
	if (strcmp(c->words[0], "ls") == 0)
		code = ls(&a, err);
	else if (strcmp(c->words[0], "retry") == 0)
		code = retry(&a, err);
	else if (strcmp(c->words[0], "rm") == 0)
		code = change(&a, each_rm, "removed:", err);
	else if ((code = parse_seq(c->words[1], &seq, err)) == ERR_OK)
		code = show(&a, seq, err);
	conn_free(a.conn);
	return code;
}

enum err_code
cmd_command_dlq_run(struct cmd *c, struct err *err)
{
	return run(c, STREAM_COMMANDS_DLQ, err);
}

enum err_code
cmd_event_dlq_run(struct cmd *c, struct err *err)
{
	return run(c, STREAM_EVENTS_DLQ, err);
}
