/* version.c - what this program is, what is linked into it, and under which licences. */
#include <stdio.h>
#include <string.h>

#include "base/embed.h"
#include "base/magic.h"
#include "base/mem.h"
#include "cmd.h"
#include "codec/codec.h"
#include "http/server.h"
#include "nats/conn.h"
#include "nats/tls.h"
#include "packages.h"
#include "version.h"

struct version_opts {
	struct cmd_general general;
	bool licenses;
};

static const struct opt version_rows[] = {
	OPT_FLAG(struct version_opts, licenses, "licenses", 0,
	    "print the licences and notices of everything in this program"),
	OPTS_END
};

const struct cmd_form version_form = {
	sizeof(struct version_opts),
	{
		{ "Options", NULL, version_rows, 0 },
		FORM_OUTPUT(struct version_opts),
		FORM_GENERAL(struct version_opts),
	},
};

/* pack_libraries: "nats.c 3.14.0, yyjson 0.10.0" as an object of names and versions. */
static void
pack_libraries(struct pack *p, const char *list)
{
	uint32_t n = 1;

	for (const char *c = list; *c != '\0'; c++)
		n += *c == ',';
	pack_map(p, n);
	for (; n > 0; n--) {
		size_t name = strcspn(list, " "), all = strcspn(list, ",");
		pack_key_n(p, (struct text){ list, name });
		pack_text(p, (struct text){ list + name + 1, all - name - 1 });
		list += all + strspn(list + all, ", ");
	}
}

enum err_code
cmd_version_run(struct cmd *c, struct err *err)
{
	const struct version_opts *o = c->opts;
	struct str libraries = STR_INIT, json = STR_INIT;
	struct pack p;

	if (o->licenses) {
		char *text = mem_text_n(embed_notices, EMBED_SIZE(embed_notices));
		out_text(c->out, text);
		mem_free(text);
		return ERR_OK;
	}
	/* OpenSSL adds its date: "OpenSSL 3.0.22 6 Oct 2026". */
	const char *tls = tls_version(), *end = strchr(tls, ' ');
	end = end != NULL ? strchr(end + 1, ' ') : NULL;
	str_printf(&libraries, "%s, %.*s, %s, %s, %s", conn_versions(),
	    (int)(end != NULL ? end - tls : (int)strlen(tls)), tls, web_versions(), codec_versions(),
	    AEGIS_PACKAGES);

	pack_init(&p, &json, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 5);
	pack_key_int(&p, "schema_version", 1);
	pack_key_puts(&p, "version", AEGIS_VERSION);
	pack_key_puts(&p, "commit", AEGIS_COMMIT);
	pack_key_puts(&p, "commit_date", AEGIS_COMMIT_DATE);
	pack_key(&p, "libraries");
	pack_libraries(&p, str_text(&libraries));
	enum err_code code = pack_end(&p, err);
	if (code == ERR_OK) {
		out_object(c->out, (const char *const[]){ "aegis", "commit", "date", "libraries" },
		    (const struct out_cell[]){ { AEGIS_VERSION, OUT_STRONG }, { AEGIS_COMMIT, OUT_PLAIN },
			{ AEGIS_COMMIT_DATE, OUT_PLAIN }, { str_text(&libraries), OUT_PLAIN } },
		    4, str_text(&json));
	}
	str_release(&libraries);
	str_release(&json);
	return code;
}
