/* options.c - the options that many commands share, and what the inherited variables of
 * wire.md §12 mean that are no plain names. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"
#include "cmd.h"
#include "nats/context.h"

/* --- general and output ----------------------------------------------------------------- */

static const char *const formats[] = { "table", "json", "ndjson", NULL };
static const char *const colours[] = { "auto", "always", "never", NULL };

const struct opt general_rows[] = {
	OPT_FLAG(struct cmd_general, help, "help", 'h', "show this help and do nothing else"),
	OPT_FILE(struct cmd_general, config, "config", 0, "FILE",
	    "read this configuration file instead of the usual ones; - is stdin",
	    .def_text = "$XDG_CONFIG_HOME/aegis/aegis.json over /etc/aegis/aegis.json"),
	OPT_FLAG(struct cmd_general, out.quiet, "quiet", 'q', "say nothing on stderr but errors"),
	OPT_CHOICE(struct cmd_general, out.colour, "color", 0, colours,
	    "when to colour text; NO_COLOR and FORCE_COLOR are honoured too", .def = "auto"),
	OPT_FLAG(struct cmd_general, out.no_colour, "no-color", 0, "the same as --color=never"),
	OPTS_END
};

const struct opt output_rows[] = {
	OPT_CHOICE(struct cmd_general, out.format, "output", 'o', formats,
	    "how to print the answer: for eyes, or for programs", .def = "table"),
	OPT_FLAG(struct cmd_general, out.json, "json", 0, "the same as -o json"),
	OPTS_END
};

/* --- logging ---------------------------------------------------------------------------- */

static const char *const log_levels[] = { "debug", "info", "warning", "error", "critical", NULL };
static const char *const log_formats[] = { "auto", "text", "json", NULL };

/* level_from: LOG_LEVEL, or DEBUG when that is on. */
static const char *
level_from(opts_getenv *get, void *arg, struct str *buf, const char **variable)
{
	const char *level = get(arg, "LOG_LEVEL"), *debug = get(arg, "DEBUG");
	bool on;

	(void)buf;
	*variable = "LOG_LEVEL";
	if (level != NULL && level[0] != '\0')
		return level;
	*variable = "DEBUG";
	return debug != NULL && num_bool(debug, &on) && on ? "debug" : NULL;
}

#define LOG_FORMAT_ROW \
	OPT_CHOICE(struct cmd_log, format, "log-format", 0, log_formats, \
	    "how log lines look: text on a terminal and JSON elsewhere, or one of them", \
	    .def = "auto", .env = true)

const struct opt serve_log_rows[] = {
	OPT_CHOICE(struct cmd_log, level, "log-level", 0, log_levels, "log what is at least this important",
	    .def = "info", .env = true, .live = true, .central = true, .inherit_make = level_from,
	    .inherit_note = "LOG_LEVEL, DEBUG"),
	LOG_FORMAT_ROW,
	OPTS_END
};

/* What a person types answers by its output and its exit code: a LOG_LEVEL that is meant for
 * services does not make it talk. */
const struct opt client_log_rows[] = {
	OPT_CHOICE(struct cmd_log, level, "log-level", 0, log_levels, "log what is at least this important",
	    .def = "warning", .env = true),
	LOG_FORMAT_ROW,
	OPTS_END
};

/* --- the connection --------------------------------------------------------------------- */

static const char *const environments[] = {
	"development", "staging", "production", "local-k8s", "docker", NULL,
};

/* url_from: NATS_URL, where auto-detect counts as unset; then the two halves of its default. */
static const char *
url_from(opts_getenv *get, void *arg, struct str *buf, const char **variable)
{
	const char *url = get(arg, "NATS_URL"), *host = get(arg, "DEFAULT_NATS_HOST"),
	    *port = get(arg, "NATS_CLIENT_PORT");
	bool has_host = host != NULL && host[0] != '\0', has_port = port != NULL && port[0] != '\0';

	*variable = "NATS_URL";
	if (url != NULL && url[0] != '\0' && strcmp(url, "auto-detect") != 0)
		return url;
	*variable = has_host ? "DEFAULT_NATS_HOST" : "NATS_CLIENT_PORT";
	if (!has_host && !has_port)
		return NULL;
	str_printf(buf, "nats://%s:%s", has_host ? host : "localhost", has_port ? port : "4222");
	return str_text(buf);
}

/* environment_from: ENVIRONMENT as far as it is one of ours; other programs on the machine
 * use that name for whatever they like. */
static const char *
environment_from(opts_getenv *get, void *arg, struct str *buf, const char **variable)
{
	const char *v = get(arg, "ENVIRONMENT");

	(void)buf;
	*variable = "ENVIRONMENT";
	for (size_t i = 0; v != NULL && environments[i] != NULL; i++)
		if (strcasecmp(v, environments[i]) == 0)
			return v;
	return NULL;
}

#define OLD(...) .inherit = (const char *const[]){ __VA_ARGS__, NULL }

const struct opt nats_rows[] = {
	OPT_TEXT(struct cmd_nats, conn.servers, "server", 's', "URL",
	    "servers to connect to, divided by commas", .def = "nats://localhost:4222", .env = true,
	    .inherit_make = url_from, .inherit_note = "NATS_URL, DEFAULT_NATS_HOST, NATS_CLIENT_PORT"),
	OPT_TEXT(struct cmd_nats, context, "context", 0, "NAME",
	    "take what is not given otherwise from this context of the nats tool", .env = true,
	    OLD("NATS_CONTEXT")),
	OPT_TEXT(struct cmd_nats, conn.user, "user", 0, "NAME", "user name", .env = true, OLD("NATS_USER")),
	OPT_SECRET(struct cmd_nats, conn.password, "password-file", "read the password from this file",
	    .env = true, OLD("NATS_PASSWORD")),
	OPT_SECRET(struct cmd_nats, conn.token, "token-file", "read the token from this file",
	    .env = true, OLD("NATS_TOKEN")),
	OPT_SECRET_FD(struct cmd_nats, conn.token, "token-fd", "read the token from this descriptor"),
	OPT_FILE(struct cmd_nats, conn.nkey_file, "nkey", 0, "FILE", "file that holds an nkey seed",
	    .env = true, OLD("NATS_NKEY")),
	OPT_FILE(struct cmd_nats, conn.creds_file, "creds", 0, "FILE", "file of credentials (JWT and seed)",
	    .env = true, OLD("NATS_CREDS")),
	OPT_FILE(struct cmd_nats, conn.tls_ca, "tls-ca", 0, "FILE",
	    "trust the certificate authorities of this file, and no others", .env = true, OLD("NATS_CA")),
	OPT_FILE(struct cmd_nats, conn.tls_cert, "tls-cert", 0, "FILE", "our certificate, for servers that ask",
	    .env = true, OLD("NATS_CERT")),
	OPT_FILE(struct cmd_nats, conn.tls_key, "tls-key", 0, "FILE", "the key of our certificate",
	    .env = true, OLD("NATS_KEY")),
	OPT_TEXT(struct cmd_nats, conn.js_domain, "js-domain", 0, "NAME", "domain of JetStream", .env = true,
	    OLD("NATS_JS_DOMAIN")),
	OPT_TEXT(struct cmd_nats, conn.js_api_prefix, "js-api-prefix", 0, "SUBJECT",
	    "prefix of JetStream's API, for accounts that import it", .env = true),
	OPT_TEXT(struct cmd_nats, conn.inbox_prefix, "inbox-prefix", 0, "SUBJECT",
	    "prefix of reply subjects, for accounts that may not use _INBOX", .env = true,
	    OLD("NATS_INBOX_PREFIX")),
	OPT_DURATION(struct cmd_nats, conn.timeout_ns, "timeout", 0, "how long any one request may take",
	    .def = "5s", .min = 10 * NS_PER_MS, .max = 3600 * NS_PER_S, .env = true, OLD("NATS_TIMEOUT")),
	OPT_CHOICE(struct cmd_nats, environment, "environment", 0, environments,
	    "where this runs; in production some hosts are refused", .def = "development", .env = true,
	    .inherit_make = environment_from, .inherit_note = "ENVIRONMENT"),
	OPT_LIST(struct cmd_nats, forbidden, "production-forbidden-host", 0, "HOST",
	    "a NATS server that is refused in production, because it can only be a mistake",
	    .def = "localhost,127.0.0.1", .env = true, OLD("PRODUCTION_NATS_HOST_BLACKLIST")),
	OPTS_END
};

void *
cmd_part(const struct cmd *c, const struct opt *rows)
{
	for (const struct opts_table *t = c->command->form->tables; t->title != NULL; t++)
		if (t->rows == rows)
			return (char *)c->opts + t->base;
	return NULL;
}

void
cmd_log_start(const struct cmd *c, const char *service, const char *instance)
{
	const struct cmd_log *log = cmd_part(c, serve_log_rows);
	const struct cmd_general *general = c->opts;

	if (log == NULL)
		log = cmd_part(c, client_log_rows);
	if (log == NULL)
		return;
	struct log_opts o = { .level = log->level, .format = log->format, .service = service,
	    .instance = instance, .colour = out_coloured(&general->out, 2, out_getenv, NULL) };
	if (general->out.quiet && o.level < LOG_ERROR)
		o.level = LOG_ERROR;
	log_init(&o);
}

/* apply_context: each of its values to the option of the same meaning. */
static enum err_code
apply_context(struct opts *o, const struct nats_context *x, enum opts_origin origin, struct err *err)
{
	const struct { const char *option, *value; bool secret; } values[] = {
		{ "server", x->url, false }, { "user", x->user, false }, { "password-file", x->password, true },
		{ "token-file", x->token, true }, { "creds", x->creds, false }, { "nkey", x->nkey, false },
		{ "tls-cert", x->cert, false }, { "tls-key", x->key, false }, { "tls-ca", x->ca, false },
		{ "js-domain", x->js_domain, false }, { "js-api-prefix", x->js_api_prefix, false },
		{ "inbox-prefix", x->inbox_prefix, false },
	};
	char *source = mem_printf("context %s", x->name);
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < COUNT_OF(values) && code == ERR_OK; i++) {
		struct opts_mark *m = opts_mark(o, values[i].option);
		if (values[i].value == NULL)
			continue;
		if (values[i].secret)
			opts_set_secret(o, m, origin, source, values[i].value);
		else
			code = opts_set(o, m, origin, source, values[i].value, err);
	}
	mem_free(source);
	return code;
}

enum err_code
cmd_context(struct cmd *c, struct err *err)
{
	const struct cmd_nats *n = cmd_part(c, nats_rows);
	struct nats_context x;
	enum err_code code;

	if (n->context != NULL) {
		if ((code = nats_context_load(n->context, &x, err)) != ERR_OK)
			return code;
		code = apply_context(c->parsed, &x, OPTS_CONTEXT, err);
		nats_context_release(&x);
		return code;
	}
	/* A server that was named otherwise gets no credentials of a context that nobody named. */
	if (opts_mark(c->parsed, "server")->origin > OPTS_SELECTED)
		return ERR_OK;
	char *selected = nats_context_selected();
	if (selected == NULL)
		return ERR_OK;
	if ((code = nats_context_load(selected, &x, err)) == ERR_OK) {
		code = apply_context(c->parsed, &x, OPTS_SELECTED, err);
		nats_context_release(&x);
	}
	mem_free(selected);
	return code;
}

/* host_in: where the host of one URL of a list begins, and how long it is. */
static const char *
host_in(const char *url, size_t n, size_t *len)
{
	const char *end = url + n, *p = url;

	for (const char *q = url; q + 3 <= end; q++) {
		if (strncmp(q, "://", 3) == 0) {
			p = q + 3;
			break;
		}
	}
	for (const char *q = p; q < end; q++)
		if (*q == '@')
			p = q + 1;
	if (p < end && *p == '[') {
		const char *close = memchr(p, ']', (size_t)(end - p));
		*len = close != NULL ? (size_t)(close - p) - 1 : (size_t)(end - p) - 1;
		return p + 1;
	}
	*len = strcspn(p, ":/,");
	if (p + *len > end)
		*len = (size_t)(end - p);
	return p;
}

static enum err_code
check_hosts(const struct cmd_nats *n, const char *source, struct err *err)
{
	for (const char *p = n->conn.servers; *p != '\0'; ) {
		size_t whole = strcspn(p, ","), len;
		const char *host = host_in(p, whole, &len);
		for (size_t i = 0; i < n->forbidden.n; i++)
			if (strlen(n->forbidden.v[i]) == len && strncmp(n->forbidden.v[i], host, len) == 0)
				return err_set(err, ERR_CONFIG, "%s: the server '%.*s' is refused in production; "
				    "set --server or NATS_URL to the real one, or list other hosts in "
				    "PRODUCTION_NATS_HOST_BLACKLIST", source, (int)len, host);
		p += whole + (p[whole] == ',');
	}
	return ERR_OK;
}

/* has_password: user:password@ before the host of any URL. */
static bool
has_password(const char *urls)
{
	for (const char *p = urls; *p != '\0'; ) {
		size_t whole = strcspn(p, ",");
		const char *at = memchr(p, '@', whole), *scheme = strstr(p, "://");
		const char *from = scheme != NULL && scheme < p + whole ? scheme + 3 : p;
		if (at != NULL && at > from && memchr(from, ':', (size_t)(at - from)) != NULL)
			return true;
		p += whole + (p[whole] == ',');
	}
	return false;
}

/* port_is_good: what stands behind the host, up to the end of the URL: nothing, or a port. */
static bool
port_is_good(const char *p, const char *end)
{
	uint64_t port = 1;

	if (p < end && *p == ']')
		p++;
	if (p < end && *p == ':') {
		char *digits = mem_text_n(p + 1, strcspn(p + 1, "/,"));
		bool good = num_uint(digits, &port);
		mem_free(digits);
		if (!good)
			return false;
	}
	return port > 0 && port <= UINT16_MAX;
}

/* check_urls: what the library would only find unreachable. */
static enum err_code
check_urls(const char *urls, const char *source, struct err *err)
{
	for (const char *p = urls; *p != '\0'; ) {
		size_t whole = strcspn(p, ","), len;
		const char *url = p + strspn(p, " "), *sep = memmem(p, whole, "://", 3);
		if (sep != NULL && strncmp(url, "nats://", 7) != 0 && strncmp(url, "tls://", 6) != 0)
			return err_set(err, ERR_CONFIG, "%s: '%.*s' is not spoken here; write nats:// or tls://", source,
			    (int)(sep + 3 - url), url);
		const char *host = host_in(p, whole, &len);
		if (whole > 0 && (len == 0 || !port_is_good(host + len, p + whole)))
			return err_set(err, ERR_CONFIG, "%s: '%.*s' has no host and port; write one such as nats://host:4222",
			    source, (int)(p + whole - host), host);
		p += whole + (p[whole] == ',');
	}
	return ERR_OK;
}

enum err_code
cmd_nats_check(struct cmd *c, struct err *err)
{
	const struct cmd_nats *n = cmd_part(c, nats_rows);

	if (n == NULL)
		return ERR_OK;
	const struct opts_mark *server = opts_mark(c->parsed, "server");
	const char *source = server->source[0] != '\0' ? server->source : "--server";
	if (n->conn.servers[0] == '\0')
		return err_set(err, ERR_CONFIG, "%s: names no server; write one such as nats://host:4222", source);
	enum err_code code = check_urls(n->conn.servers, source, err);
	if (code != ERR_OK)
		return code;
	if (has_password(n->conn.servers))
		opts_warn(c->parsed, "%s holds a password in plain sight; use --user and --password-file", source);
	if ((n->conn.tls_cert != NULL) != (n->conn.tls_key != NULL))
		return err_set(err, ERR_CONFIG, "--tls-cert and --tls-key belong together; %s is missing",
		    n->conn.tls_cert == NULL ? "--tls-cert" : "--tls-key");
	if (n->environment == CMD_PRODUCTION)
		return check_hosts(n, source, err);
	return ERR_OK;
}

struct conn_opts
cmd_conn_opts(struct cmd *c, const char *instance)
{
	struct cmd_nats *n = cmd_part(c, nats_rows);
	char host[65] = "localhost", pid[16];
	struct str name = STR_INIT, own = STR_INIT;

	MUST(n != NULL);
	gethostname(host, sizeof host - 1);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	command_name(c->command, &own);
	str_printf(&name, "aegis %s %s@%s", str_text(&own), instance != NULL ? instance : pid, host);
	/* Lives with the option's texts: an own row would be one that nobody may set. */
	n->conn.name = opts_keep(c->parsed, str_text(&name));
	str_release(&name);
	str_release(&own);
	return n->conn;
}
