/* registry_init.c - `aegis registry init`: the buckets and streams, made and brought back to what they should be. */
#include "app/doctor.h"

#include "base/magic.h"
#include "cmd.h"
#include "codec/codec.h"

struct init_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	bool upgrade, dry_run;
};

static const struct opt init_rows[] = {
	OPT_FLAG(struct init_opts, upgrade, "upgrade", 0, "also bring back what differs from what it should be"),
	OPT_FLAG(struct init_opts, dry_run, "dry-run", 'n', "show what would be done, and do nothing"),
	OPTS_END
};

const struct cmd_form registry_init_form = {
	sizeof(struct init_opts),
	{
		{ "Options", "registry", init_rows, 0 },
		FORM_OUTPUT(struct init_opts),
		FORM_NATS(struct init_opts),
		FORM_CLIENT_LOG(struct init_opts),
		FORM_GENERAL(struct init_opts),
	},
};

static const struct out_column columns[] = { { .name = "STREAM" }, { .name = "STATE" }, { .name = "ABOUT" } };

/* state_of: one word; *about is what stands behind it. */
static const char *
state_of(const struct init_opts *o, const struct store *s, const struct store_change *done, enum err_code code,
    const char *why, const char **about)
{
	*about = s->purpose;
	if (code != ERR_OK) {
		*about = why;
		return "failed";
	}
	if (done->made)
		return o->dry_run ? "would be made" : "made";
	if (done->absent)
		return "made by members";
	if (done->mended[0] != '\0') {
		*about = done->mended;
		return !o->upgrade ? "differs" : o->dry_run ? "would be changed" : "changed";
	}
	if (done->left[0] != '\0') {
		*about = done->left;
		return "cannot be changed";
	}
	return "as it should be";
}

static void
show_store(void *arg, const struct store *s, const struct store_change *done, enum err_code code, const char *why)
{
	struct cmd *c = arg;
	struct str json = STR_INIT;
	struct pack p;
	const char *about, *state = state_of(c->opts, s, done, code, why, &about);
	enum out_tone tone = code != ERR_OK || done->left[0] != '\0' ? OUT_BAD : done->made || done->mended[0] != '\0' ? OUT_GOOD
	    : OUT_PLAIN;

	pack_init(&p, &json, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 6);
	pack_key_puts(&p, "stream", s->stream);
	pack_key_puts(&p, "purpose", s->purpose);
	pack_key_puts(&p, "state", state);
	pack_key_some(&p, "differs", done->mended);
	pack_key_some(&p, "cannot_change", done->left);
	pack_key_puts(&p, "error", code != ERR_OK ? why : NULL);
	MUST(pack_end(&p, NULL) == ERR_OK);
	out_row(c->out, (const struct out_cell[]){ { s->stream, OUT_STRONG }, { state, tone }, { about, OUT_PLAIN } },
	    str_text(&json));
	str_release(&json);
}

enum err_code
cmd_registry_init_run(struct cmd *c, struct err *err)
{
	const struct init_opts *o = c->opts;
	struct conn_opts opts = cmd_conn_opts(c, NULL);
	struct conn *conn = conn_new(&opts, err);

	if (conn == NULL)
		return err->code;
	out_list(c->out, columns, COUNT_OF(columns));
	enum err_code code = doctor_stores(conn, o->upgrade, o->dry_run, show_store, c, err);
	conn_free(conn);
	return code;
}
