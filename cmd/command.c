/* command.c - `aegis command send|ls|cancel`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"
#include "codec/codec.h"
#include "codec/envelope.h"
#include "codec/subject.h"
#include "handle.h"
#include "messaging/sender.h"
#include "model/names.h"
#include "nats/conn.h"
#include "nats/stream.h"

/* --- send --------------------------------------------------------------------------------- */

static const char *const priorities[] = {
	[AEGIS_NORMAL] = "normal", [AEGIS_LOW] = "low", [AEGIS_HIGH] = "high", [AEGIS_CRITICAL] = "critical", NULL,
};

struct send_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *data, *id, *trace_id;
	enum aegis_priority priority;
	uint64_t max_retries;
	int64_t limit_ns, wait_ns;
	bool no_wait;
};

static const struct opt send_rows[] = {
	OPT_TEXT(struct send_opts, data, "data", 'd', "JSON|@FILE|-", "payload, as an option instead of a word"),
	OPT_CHOICE(struct send_opts, priority, "priority", 0, priorities, "what is run first", .def = "normal"),
	OPT_UINT(struct send_opts, max_retries, "max-retries", 0, "N", "how often a failed attempt is repeated", .def = "3",
	    .min = 0, .max = 1000000),
	OPT_DURATION(struct send_opts, limit_ns, "run-timeout", 0, "how long one attempt may take", .def = "5m",
	    .min = 1 * NS_PER_MS, .max = 86400 * NS_PER_S),
	OPT_DURATION(struct send_opts, wait_ns, "wait", 0, "how long to wait for the end of it", .def_text = "as --run-timeout",
	    .min = 1 * NS_PER_MS, .max = 86400 * NS_PER_S),
	OPT_FLAG(struct send_opts, no_wait, "no-wait", 0, "return as soon as the command is stored"),
	OPT_TEXT(struct send_opts, id, "id", 0, "ID", "the command's id; the same one again within 2 min is stored once",
	    .def_text = "a fresh one"),
	OPT_TEXT(struct send_opts, trace_id, "trace-id", 0, "ID", "the trace that the command belongs to",
	    .def_text = "a fresh one"),
	OPTS_END
};

const struct cmd_form command_send_form = {
	sizeof(struct send_opts),
	{
		{ "Options", NULL, send_rows, 0 },
		FORM_OUTPUT(struct send_opts),
		FORM_NATS(struct send_opts),
		FORM_CLIENT_LOG(struct send_opts),
		FORM_GENERAL(struct send_opts),
	},
};

static void
on_progress(void *arg, double percent, const char *status)
{
	struct cmd *c = arg;

	out_note(c->out, "%3.0f %%  %s", percent, status);
}

static void
tell_result(struct cmd *c, const aegis_result *r, bool waited)
{
	struct str json = STR_INIT;
	struct pack p;

	pack_init(&p, &json, DATA_JSON, PACK_COMPACT);
	pack_map(&p, waited ? 5 : 4);
	pack_key_puts(&p, "id", aegis_result_id(r));
	pack_key_puts(&p, "service", c->words[0]);
	pack_key_puts(&p, "command", c->words[1]);
	pack_key_puts(&p, "status", waited ? "completed" : "stored");
	if (waited) {
		pack_key(&p, "result");
		pack_data(&p, (struct data){ DATA_JSON, aegis_result_json(r), strlen(aegis_result_json(r)) });
	}
	MUST(pack_end(&p, NULL) == ERR_OK);
	if (!out_is_table(c->out))
		out_object(c->out, NULL, NULL, 0, str_text(&json));
	else if (waited)
		out_value(c->out, aegis_result_json(r));
	else
		out_text(c->out, aegis_result_id(r));
	str_release(&json);
}

static enum err_code
send_words(struct cmd *c, const char *payload, struct err *err)
{
	const struct send_opts *o = c->opts;
	aegis_send_options so = {
		.id = o->id, .trace_id = o->trace_id, .priority = o->priority,
		.max_retries = o->max_retries > 0 ? (int)o->max_retries : -1, .timeout_ms = o->limit_ns / NS_PER_MS,
		.wait_ms = o->wait_ns / NS_PER_MS, .forget = o->no_wait, .progress = on_progress, .arg = c,
	};
	aegis_error e = { .code = AEGIS_OK };
	aegis_result *r = NULL;

	aegis *a = cmd_handle(c, 0, err);
	if (a == NULL)
		return err->code;
	enum err_code code = (enum err_code)aegis_send_json(a, c->words[0], c->words[1], payload, &so, &r, &e);
	if (code == ERR_OK)
		tell_result(c, r, !o->no_wait);
	else
		err_set(err, code, "%s", e.text);
	aegis_result_free(r);
	aegis_close(a);
	return code;
}

enum err_code
cmd_command_send_run(struct cmd *c, struct err *err)
{
	const struct send_opts *o = c->opts;
	struct str payload = STR_INIT;
	enum err_code code;

	if (o->no_wait && o->wait_ns > 0)
		return err_set(err, ERR_USAGE, "--wait and --no-wait exclude each other");
	if ((code = name_check(NAME_SERVICE_CALLED, c->words[0], err)) != ERR_OK ||
	    (code = name_check(NAME_COMMAND, c->words[1], err)) != ERR_OK)
		return code;
	if ((code = cmd_payload_read(c, "payload", o->data, &payload, err)) == ERR_OK)
		code = send_words(c, str_text(&payload), err);
	str_release(&payload);
	return code;
}

/* --- ls ----------------------------------------------------------------------------------- */

struct ls_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *service;
	uint64_t limit;
};

static const struct opt ls_rows[] = {
	OPT_TEXT(struct ls_opts, service, "service", 0, "SERVICE", "only commands to this service"),
	OPT_UINT(struct ls_opts, limit, "limit", 0, "N", "show at most so many", .def = "100", .min = 1, .max = 100000),
	OPTS_END
};

const struct cmd_form command_ls_form = {
	sizeof(struct ls_opts),
	{
		{ "Options", NULL, ls_rows, 0 },
		FORM_OUTPUT(struct ls_opts),
		FORM_NATS(struct ls_opts),
		FORM_CLIENT_LOG(struct ls_opts),
		FORM_GENERAL(struct ls_opts),
	},
};

static const struct out_column ls_columns[] = {
	{ .name = "SEQ", .right = true }, { .name = "STORED" }, { .name = "SERVICE" }, { .name = "COMMAND" },
	{ .name = "PRIORITY" }, { .name = "ID" }, { .name = "SOURCE" },
};

/* split_subject: service and command of commands.{service}.{command}; false for what is none:
 * progress and the like, which Python workers leave in the stream. */
static bool
split_subject(const char *subject, struct text *service, struct text *command)
{
	static const char *const others[] = { "progress", "callback", "cancel" };
	const char *at = strchr(subject, '.'), *dot = at != NULL ? strchr(at + 1, '.') : NULL;

	if (dot == NULL)
		return false;
	*service = (struct text){ at + 1, (size_t)(dot - at - 1) };
	*command = text_of(dot + 1);
	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (text_is(*service, others[i]))
			return false;
	return true;
}

static char *
copy(struct text t)
{
	return t.p != NULL ? mem_text_n(t.p, t.n) : NULL;
}

static void
ls_row(struct cmd *c, const struct stored *s, struct text service, struct text command)
{
	char seq[24], time[WALL_TEXT_MAX];
	enum data_format format = DATA_MSGPACK;
	struct str json = STR_INIT;
	struct envelope e;
	struct pack p;
	bool readable = envelope_decode(codec_mine(), ENVELOPE_COMMAND, msg_data(s->msg), msg_size(s->msg), &e, &format,
	    NULL) == ERR_OK;

	snprintf(seq, sizeof seq, "%" PRIu64, s->seq);
	wall_rfc3339(s->time, time);
	if (!readable)
		envelope_init(&e, ENVELOPE_COMMAND);
	pack_init(&p, &json, DATA_JSON, PACK_COMPACT);
	pack_map(&p, readable ? 10 : 5);
	pack_key_uint(&p, "seq", s->seq);
	pack_key_text(&p, "time", text_of(time));
	pack_key_text(&p, "service", service);
	pack_key_text(&p, "command", command);
	pack_key_bool(&p, "readable", readable);
	if (readable) {
		pack_key_text(&p, "priority", text_of(priority_name(e.priority)));
		pack_key_text(&p, "id", e.message_id);
		pack_key_text(&p, "source", e.source);
		pack_key_int(&p, "max_retries", e.max_retries);
		pack_key_value(&p, "payload", &e.payload);
	}
	if (pack_end(&p, NULL) != ERR_OK)
		str_puts(&json, "{}");
	char *words[] = { copy(service), copy(command), copy(e.message_id), copy(e.source) };
	out_row(c->out, (const struct out_cell[]){ { seq, OUT_STRONG }, { time, OUT_DIM }, { words[0], OUT_PLAIN },
	    { words[1], OUT_PLAIN }, { readable ? priority_name(e.priority) : "unreadable", readable ? OUT_PLAIN : OUT_BAD },
	    { words[2], OUT_PLAIN }, { words[3], OUT_PLAIN } }, str_text(&json));
	for (size_t i = 0; i < COUNT_OF(words); i++)
		mem_free(words[i]);
	str_release(&json);
}

/* next: a stream that somebody else made may not answer directly; then its leader is asked for
 * one sequence after the other. */
static enum err_code
next(struct conn *c, const struct stream_state *state, const char *filter, uint64_t from, bool *direct,
    struct stored *out, struct err *err)
{
	enum err_code code = ERR_NOT_FOUND;

	if (*direct) {
		code = stream_next(c, "COMMANDS", filter, from, out, err);
		if (code == ERR_OK || code == ERR_NOT_FOUND)
			return code;
		*direct = false;
	}
	for (uint64_t seq = from > state->first_seq ? from : state->first_seq; seq <= state->last_seq; seq++)
		if ((code = stream_get(c, "COMMANDS", seq, out, err)) != ERR_NOT_FOUND)
			return code;
	return err_set(err, ERR_NOT_FOUND, "no more");
}

static enum err_code
list(struct cmd *c, struct conn *conn, const struct stream_state *state, struct err *err)
{
	const struct ls_opts *o = c->opts;
	char *filter = mem_printf("commands.%s.*", o->service != NULL ? o->service : "*");
	struct text service, command;
	enum err_code code = ERR_OK;
	uint64_t shown = 0;
	bool direct = true;
	struct stored s;
	struct err own;

	for (uint64_t from = 1; !out_reader_left(c->out); from = s.seq + 1) {
		if ((code = next(conn, state, filter, from, &direct, &s, &own)) != ERR_OK)
			break;
		bool mine = split_subject(msg_subject(s.msg), &service, &command) &&
		    (o->service == NULL || text_is(service, o->service));
		if (mine && shown < o->limit)
			ls_row(c, &s, service, command);
		msg_free(s.msg);
		if (mine && ++shown > o->limit) {
			out_note(c->out, "there are more; --limit shows them");
			break;
		}
	}
	mem_free(filter);
	if (code == ERR_OK || code == ERR_NOT_FOUND)
		return ERR_OK;
	return err_set(err, code, "%s", own.text);
}

enum err_code
cmd_command_ls_run(struct cmd *c, struct err *err)
{
	const struct ls_opts *o = c->opts;
	struct conn_opts co = cmd_conn_opts(c, NULL);
	struct stream_state state;
	enum err_code code;

	if (o->service != NULL && (code = name_check(NAME_SERVICE_CALLED, o->service, err)) != ERR_OK)
		return code;
	struct conn *conn = conn_new(&co, err);
	if (conn == NULL)
		return err->code;
	out_list(c->out, ls_columns, COUNT_OF(ls_columns));
	code = stream_look(conn, "COMMANDS", &state, err);
	if (code == ERR_OK) {
		code = list(c, conn, &state, err);
		if (code == ERR_OK && state.max_messages > 0)
			out_note(c->out, "%" PRIu64 " of %lld messages in the queue", state.messages, (long long)state.max_messages);
	} else if (code == ERR_NOT_FOUND) {
		code = ERR_OK;		/* nobody ever sent a command */
	}
	conn_free(conn);
	return code;
}

/* --- cancel ------------------------------------------------------------------------------- */

struct cancel_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *reason;
};

static const struct opt cancel_rows[] = {
	OPT_TEXT(struct cancel_opts, reason, "reason", 0, "TEXT", "told to the worker"),
	OPTS_END
};

const struct cmd_form command_cancel_form = {
	sizeof(struct cancel_opts),
	{
		{ "Options", NULL, cancel_rows, 0 },
		FORM_NATS(struct cancel_opts),
		FORM_CLIENT_LOG(struct cancel_opts),
		FORM_GENERAL(struct cancel_opts),
	},
};

enum err_code
cmd_command_cancel_run(struct cmd *c, struct err *err)
{
	const struct cancel_opts *o = c->opts;
	struct conn_opts co = cmd_conn_opts(c, NULL);
	enum err_code code = ERR_OK;

	struct conn *conn = conn_new(&co, err);
	if (conn == NULL)
		return err->code;
	for (size_t i = 0; code == ERR_OK && i < c->nwords; i++)
		code = sender_cancel(conn, c->words[i], o->reason, err);
	if (code == ERR_OK)
		code = conn_flush(conn, conn_timeout_ns(conn), err);
	conn_free(conn);
	return code;
}
