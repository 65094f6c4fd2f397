/* codec/command.c - progress, completion and cancel as bytes and back. */
#include "codec/command.h"

#include "base/magic.h"

static const char *const statuses[] = {
	[COMMAND_COMPLETED] = "completed",
	[COMMAND_FAILED] = "failed",
	[COMMAND_CANCELLED] = "cancelled",
};

const char *
command_status_name(enum command_status s)
{
	MUST(s < COMMAND_STATUSES);
	return statuses[s];
}

double
command_epoch(struct wall now)
{
	/* Whole microseconds fit a double exactly, so that the text has no noise at its end. */
	return (double)(now.ns / 1000) / 1e6;
}

/* --- writing ------------------------------------------------------------------------------ */

enum err_code
command_progress_encode(const struct command_progress *m, enum data_format format, struct str *out, struct err *err)
{
	struct pack p;

	pack_init(&p, out, format, PACK_PYTHON);
	pack_map(&p, 4);
	pack_key_text(&p, "command_id", m->command_id);
	pack_key_real(&p, "progress", m->progress);
	pack_key_text(&p, "status", m->status.p != NULL ? m->status : text_of(""));
	pack_key_real(&p, "timestamp", m->timestamp);
	return pack_end(&p, err);
}

enum err_code
command_completion_encode(const struct command_completion *c, enum data_format format, struct str *out,
    struct err *err)
{
	bool good = c->status == COMMAND_COMPLETED;
	struct pack p;

	pack_init(&p, out, format, PACK_PYTHON);
	pack_map(&p, good ? 3 : 4);
	pack_key_text(&p, "command_id", c->command_id);
	pack_key_puts(&p, "status", command_status_name(c->status));
	pack_key_value(&p, "result", good ? &c->result : NULL);
	if (!good)
		pack_key_text(&p, "error", c->error.p != NULL ? c->error : text_of(""));
	return pack_end(&p, err);
}

enum err_code
command_cancel_encode(const struct command_cancel *c, enum data_format format, struct str *out, struct err *err)
{
	struct pack p;

	pack_init(&p, out, format, PACK_PYTHON);
	pack_map(&p, 2);
	pack_key_text(&p, "command_id", c->command_id);
	pack_key_text(&p, "reason", c->reason);
	return pack_end(&p, err);
}

/* --- reading ------------------------------------------------------------------------------ */

static enum err_code
open_map(struct codec *c, const void *data, size_t n, const char *what, struct value *v, struct text *id,
    struct err *err)
{
	if (n == 0)
		return err_set(err, ERR_SYNTAX, "%s: the body is empty", what);
	struct data d = { codec_detect(data, n), data, n };
	enum err_code code = codec_parse(c, d, v, err);
	if (code != ERR_OK)
		return err_prefix(err, "%s", what), code;
	if (v->type != VALUE_MAP)
		return err_set(err, ERR_SYNTAX, "%s: it is a %s, not a map", what, value_type_name(v->type));
	if (!value_text(value_field(v, "command_id"), id))
		return err_set(err, ERR_INVALID, "%s: command_id is missing or no text", what);
	return ERR_OK;
}

enum err_code
command_progress_decode(struct codec *c, const void *data, size_t n, struct command_progress *out, struct err *err)
{
	struct value v;

	*out = (struct command_progress){ .status = { NULL, 0 } };
	enum err_code code = open_map(c, data, n, "progress", &v, &out->command_id, err);
	if (code != ERR_OK)
		return code;
	if (!value_real(value_field(&v, "progress"), &out->progress))
		return err_set(err, ERR_INVALID, "progress: progress is missing or no number");
	value_text(value_field(&v, "status"), &out->status);
	value_real(value_field(&v, "timestamp"), &out->timestamp);
	return ERR_OK;
}

enum err_code
command_completion_decode(struct codec *c, const void *data, size_t n, struct command_completion *out,
    struct err *err)
{
	struct text status;
	struct value v;
	size_t i = 0;

	*out = (struct command_completion){ .status = COMMAND_FAILED };
	enum err_code code = open_map(c, data, n, "completion", &v, &out->command_id, err);
	if (code != ERR_OK)
		return code;
	if (!value_text(value_field(&v, "status"), &status))
		return err_set(err, ERR_INVALID, "completion: status is missing or no text");
	while (i < COUNT_OF(statuses) && !text_is(status, statuses[i]))
		i++;
	const struct value *result = value_field(&v, "result");
	if (result != NULL)
		out->result = *result;
	value_text(value_field(&v, "error"), &out->error);
	if (i < COUNT_OF(statuses))
		out->status = (enum command_status)i;
	else if (out->error.p == NULL)
		out->error = status;
	return ERR_OK;
}

enum err_code
command_cancel_decode(struct codec *c, const void *data, size_t n, struct command_cancel *out, struct err *err)
{
	struct value v;

	*out = (struct command_cancel){ .reason = { NULL, 0 } };
	enum err_code code = open_map(c, data, n, "cancel", &v, &out->command_id, err);
	if (code == ERR_OK)
		value_text(value_field(&v, "reason"), &out->reason);
	return code;
}
