/* healthcheck.c - `aegis healthcheck`: one question, one exit code for a container's probe. */
#include "app/healthcheck.h"

#include <stdio.h>

#include "base/magic.h"
#include "cmd.h"
#include "codec/codec.h"

enum { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };

struct healthcheck_cmd {
	struct cmd_general general;
	struct cmd_log log;
	const char *url;
	int64_t timeout_ns;
};

/* url_from: where serve-api listens unless told otherwise. */
static const char *
url_from(opts_getenv *get, void *arg, struct str *buf, const char **variable)
{
	const char *port = get(arg, "API_PORT");

	*variable = "API_PORT";
	if (port == NULL || port[0] == '\0')
		return NULL;
	str_printf(buf, "http://127.0.0.1:%s/readyz", port);
	return str_text(buf);
}

static const struct opt healthcheck_rows[] = {
	OPT_TEXT(struct healthcheck_cmd, url, "url", 0, "URL", "what is asked; without a path, /readyz",
	    .def = "http://127.0.0.1:8100/readyz", .inherit_make = url_from, .inherit_note = "API_PORT"),
	OPT_DURATION(struct healthcheck_cmd, timeout_ns, "timeout", 0, "how long to wait for the answer", .def = "3s",
	    .min = 10 * NS_PER_MS, .max = 300 * NS_PER_S),
	OPTS_END
};

const struct cmd_form healthcheck_form = {
	sizeof(struct healthcheck_cmd),
	{
		{ "Options", NULL, healthcheck_rows, 0 },
		FORM_OUTPUT(struct healthcheck_cmd),
		FORM_CLIENT_LOG(struct healthcheck_cmd),
		FORM_GENERAL(struct healthcheck_cmd),
	},
};

static const struct { const char *word; enum out_tone tone; } verdicts[] = {
	[CHECK_OK] = { "ok", OUT_GOOD }, [CHECK_WARNING] = { "warning", OUT_WARN }, [CHECK_CRITICAL] = { "critical", OUT_BAD },
	[CHECK_UNKNOWN] = { "unknown", OUT_WARN },
};

/* judge: what is not well says so by 5xx; an answer that is none of a health route tells nothing. */
static int
judge(enum err_code code, int status)
{
	if (code == ERR_CORRUPT)
		return CHECK_UNKNOWN;
	if (code != ERR_OK || status >= 500)
		return CHECK_CRITICAL;
	return status >= 200 && status < 300 ? CHECK_OK : CHECK_UNKNOWN;
}

enum err_code
cmd_healthcheck_run(struct cmd *c, struct err *err)
{
	static const char *const names[] = { "health", "status", "said" };
	const struct healthcheck_cmd *o = c->opts;
	struct healthcheck h;
	struct err why = { ERR_OK, "" };
	struct str json = STR_INIT;
	struct pack p;
	char status[16];
	enum err_code code = healthcheck(o->url, o->timeout_ns, &h, &why);

	if (code == ERR_USAGE)
		return err_set(err, ERR_USAGE, "%s", why.text);
	c->exit_code = judge(code, h.status);
	snprintf(status, sizeof status, "%d", h.status);
	const char *said = code != ERR_OK ? why.text : h.text;
	pack_init(&p, &json, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 4);
	pack_key_puts(&p, "health", verdicts[c->exit_code].word);
	pack_key_puts(&p, "url", o->url);
	pack_key_int(&p, "status", h.status);
	pack_key_puts(&p, "said", said);
	/* What a stranger says need not be UTF-8. */
	code = pack_end(&p, err);
	if (code == ERR_OK)
		out_object(c->out, names, (const struct out_cell[]){ { verdicts[c->exit_code].word, verdicts[c->exit_code].tone },
		    { h.status > 0 ? status : NULL, OUT_PLAIN }, { said, OUT_PLAIN } }, COUNT_OF(names), str_text(&json));
	str_release(&json);
	return code;
}
