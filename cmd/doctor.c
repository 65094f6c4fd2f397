/* doctor.c - `aegis doctor`: what is wrong, and what to type about it.
 *
 * Findings are a list like any other.  The exit code is that of the worst finding, or with --check the code that
 * monitoring plugins use. */
#include "app/doctor.h"

#include <stdio.h>

#include "base/magic.h"
#include "cmd.h"
#include "codec/codec.h"

enum { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };

struct doctor_cmd {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	bool check, list;
	int role;
	int64_t stale_ns;
};

static const char *const roles[] = { "any", "caller", "member", "leader", "admin", NULL };

static const struct opt doctor_rows_[] = {
	OPT_FLAG(struct doctor_cmd, check, "check", 0, "one line, and exit codes for monitoring: 0 ok, 1 warning, 2 critical, 3 unknown"),
	OPT_FLAG(struct doctor_cmd, list, "list", 0, "name the checks and do nothing else"),
	OPT_CHOICE(struct doctor_cmd, role, "role", 0, roles,
	    "what the credentials are for: what that role needs and may not do is critical, of others it is a note", .def = "any"),
	STALE_ROW(struct doctor_cmd),
	OPTS_END
};

const struct cmd_form doctor_form = {
	sizeof(struct doctor_cmd),
	{
		{ "Options", "doctor", doctor_rows_, 0 },
		FORM_OUTPUT(struct doctor_cmd),
		FORM_NATS(struct doctor_cmd),
		FORM_CLIENT_LOG(struct doctor_cmd),
		FORM_GENERAL(struct doctor_cmd),
	},
};

static int
exit_of(const struct finding *f)
{
	int code = f == NULL || f->severity == FINDING_NOTE ? 0 : err_exit(f->code);

	return f != NULL && f->severity > FINDING_NOTE && code == 0 ? 1 : code;
}

/* --- the list of checks ----------------------------------------------------------------------- */

static void
list_row(void *arg, const struct check *k)
{
	struct cmd *c = arg;
	struct str json = STR_INIT;
	struct pack p;

	pack_init(&p, &json, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 2);
	pack_key_puts(&p, "check", k->id);
	pack_key_puts(&p, "about", k->title);
	MUST(pack_end(&p, NULL) == ERR_OK);
	out_row(c->out, (const struct out_cell[]){ { k->id, OUT_STRONG }, { k->title, OUT_PLAIN } }, str_text(&json));
	str_release(&json);
}

static const struct out_column list_columns[] = { { .name = "CHECK" }, { .name = "ABOUT" } };

/* --- findings --------------------------------------------------------------------------------- */

static const struct out_column columns[] = { { .name = "SEVERITY" }, { .name = "CHECK" }, { .name = "FINDING" } };
static const enum out_tone tones[] = { OUT_DIM, OUT_WARN, OUT_BAD };

static void
show_finding(struct out *out, const struct finding *f)
{
	struct str json = STR_INIT, remedy = STR_INIT;
	struct pack p;

	pack_init(&p, &json, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 5);
	pack_key_puts(&p, "severity", finding_severity_name(f->severity));
	pack_key_puts(&p, "check", f->check);
	pack_key_puts(&p, "finding", f->what);
	pack_key_some(&p, "remedy", f->remedy);
	pack_key_int(&p, "exit_code", exit_of(f));
	MUST(pack_end(&p, NULL) == ERR_OK);
	out_row(out, (const struct out_cell[]){ { finding_severity_name(f->severity), tones[f->severity] },
	    { f->check, OUT_PLAIN }, { f->what, OUT_PLAIN } }, str_text(&json));
	/* For eyes the remedy has a line of its own, so that it can be copied whole. */
	if (out_is_table(out) && f->remedy[0] != '\0') {
		str_printf(&remedy, "  -> %s", f->remedy);
		out_row(out, (const struct out_cell[]){ { "", OUT_PLAIN }, { "", OUT_PLAIN }, { str_text(&remedy), OUT_STRONG } }, "null");
	}
	str_release(&json);
	str_release(&remedy);
}

static size_t
count(const struct findings *f, enum finding_severity s)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += f->v[i].severity == s;
	return n;
}

static void
tell_server(const struct doctor_report *r, char out[400])
{
	if (r->version[0] == '\0')
		snprintf(out, 400, "a server that does not tell who it is");
	else
		snprintf(out, 400, "nats-server %s (%s%s%s)", r->version, r->server, r->cluster[0] != '\0' ? " of cluster " : "", r->cluster);
}

static void
show(struct cmd *c, const struct doctor_report *r)
{
	char server[400];

	out_list(c->out, columns, COUNT_OF(columns));
	for (int s = FINDING_CRITICAL; s >= FINDING_NOTE; s--)
		for (size_t i = 0; i < r->findings.n; i++)
			if ((int)r->findings.v[i].severity == s)
				show_finding(c->out, &r->findings.v[i]);
	tell_server(r, server);
	if (out_is_table(c->out))
		out_note(c->out, "%zu checks of %s; critical: %zu, warnings: %zu, notes: %zu", r->rows, server,
		    count(&r->findings, FINDING_CRITICAL), count(&r->findings, FINDING_WARNING), count(&r->findings, FINDING_NOTE));
}

/* show_line: as monitoring plugins speak. */
static int
show_line(struct cmd *c, const struct doctor_report *r, bool unknown)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	const struct finding *worst = findings_worst(&r->findings);
	int code = worst == NULL ? CHECK_OK : (int)worst->severity;
	struct str line = STR_INIT;

	/* Nothing bad was seen, but not everything was looked at. */
	if (unknown || (r->blind > 0 && code != CHECK_CRITICAL))
		code = CHECK_UNKNOWN;
	str_printf(&line, "AEGIS %s - ", words[code]);
	if (code == CHECK_OK)
		str_printf(&line, "%zu checks found nothing", r->rows);
	else
		str_printf(&line, "%s (critical: %zu, warnings: %zu)", worst != NULL ? worst->what : "", count(&r->findings, FINDING_CRITICAL),
		    count(&r->findings, FINDING_WARNING));
	str_printf(&line, " | critical=%zu warnings=%zu\n", count(&r->findings, FINDING_CRITICAL),
	    count(&r->findings, FINDING_WARNING));
	out_text(c->out, str_text(&line));
	str_release(&line);
	return code;
}

enum err_code
cmd_doctor_run(struct cmd *c, struct err *err)
{
	const struct doctor_cmd *o = c->opts;
	struct doctor_opts d = { .stale_ns = o->stale_ns, .role = (enum checkup_role)o->role,
		.only = c->nwords > 0 ? c->words[0] : NULL };
	struct conn_opts opts = cmd_conn_opts(c, NULL);
	struct doctor_report report;
	struct err why = { ERR_OK, "" };
	enum err_code code = ERR_OK;
	bool unknown = false;

	if (o->list) {
		out_list(c->out, list_columns, COUNT_OF(list_columns));
		doctor_rows(list_row, c);
		return ERR_OK;
	}
	if ((d.conn = conn_new(&opts, &why)) == NULL) {
		/* Files that cannot be read say nothing about NATS. */
		unknown = why.code == ERR_CONFIG;
		doctor_unreachable(&why, &report);
	} else {
		code = doctor_run(&d, &report, err);
	}
	if (code == ERR_OK && o->check) {
		c->exit_code = show_line(c, &report, unknown);
	} else if (code == ERR_OK) {
		show(c, &report);
		c->exit_code = exit_of(findings_worst(&report.findings));
	}
	doctor_release(&report);
	conn_free(d.conn);
	return code;
}
