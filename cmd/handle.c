/* handle.c - from options to a handle, from a word to a JSON object. */
#include "handle.h"

#include <stdio.h>
#include <string.h>

#include "app/config.h"
#include "base/id.h"
#include "codec/codec.h"

aegis *
cmd_handle(struct cmd *c, int64_t stale_ns, struct err *err)
{
	struct conn_opts co = cmd_conn_opts(c, NULL);
	aegis_error e = { .code = AEGIS_OK };
	char source[24], id[9];

	id_hex(id, sizeof id - 1);
	snprintf(source, sizeof source, "aegis-cli-%s", id);	/* as a Python client names itself */
	aegis_options ao = {
		.servers = co.servers, .name = co.name, .source = source, .user = co.user, .password = co.password,
		.token = co.token, .creds_file = co.creds_file, .nkey_file = co.nkey_file,
		.tls_ca = co.tls_ca, .tls_cert = co.tls_cert, .tls_key = co.tls_key,
		.js_domain = co.js_domain, .js_api_prefix = co.js_api_prefix, .inbox_prefix = co.inbox_prefix,
		.timeout_ms = co.timeout_ns / NS_PER_MS, .stale_after_ms = stale_ns / NS_PER_MS,
		.workers = 1,
	};

	aegis *a = aegis_connect(&ao, &e);
	if (a == NULL)
		err_set(err, (enum err_code)e.code, "%s", e.text);
	return a;
}

enum err_code
cmd_map_read(const char *what, const char *word, struct str *out, struct err *err)
{
	struct codec *codec = codec_new();
	struct value v;
	enum err_code code = ERR_OK;

	if (word == NULL)
		str_puts(out, "{}");
	else if (word[0] == '@')
		code = config_read(word + 1, out, err);
	else if (strcmp(word, "-") == 0)
		code = config_read(word, out, err);
	else
		str_puts(out, word);
	if (code == ERR_OK) {
		code = codec_parse(codec, (struct data){ DATA_JSON, str_text(out), out->len }, &v, err);
		if (code == ERR_OK && v.type != VALUE_MAP)
			code = err_set(err, ERR_INVALID, "must be a JSON object such as '{\"key\": 1}', not a %s",
			    value_type_name(v.type));
		if (code != ERR_OK)
			err_prefix(err, "%s", what);
	}
	codec_free(codec);
	return code;
}

enum err_code
cmd_payload_read(const struct cmd *c, const char *what, const char *data, struct str *out, struct err *err)
{
	if (data != NULL && c->nwords > 2)
		return err_set(err, ERR_USAGE, "%s given twice: as --data and as a word", what);
	return cmd_map_read(what, data != NULL ? data : c->nwords > 2 ? c->words[2] : NULL, out, err);
}
