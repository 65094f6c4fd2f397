/* serve_api.c - `aegis serve-api`: its options. */
#include <string.h>
#include <sys/stat.h>

#include "app/serve_api.h"

#include "api/manage.h"
#include "api/manage_folder.h"
#include "base/mem.h"
#include "cmd.h"
#include "config.h"
#include "version.h"

struct serve_api_cmd {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	struct opts_list listen, trusted, cors;
	const char *base_path, *ui_dir;
	const char *health_listen, *deployment, *tls_cert, *tls_key, *tls_client_ca;
	uint64_t max_connections, max_per_address, max_streams;
	bool read_only, no_ui, no_tls_needed;
	int64_t stale_ns;
};

/* listen_from: API_PORT names the port alone; without it, the container's. */
static const char *
listen_from(opts_getenv *get, void *arg, struct str *buf, const char **variable)
{
	static const char *const names[] = { "API_PORT", "API_CONTAINER_PORT" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *port = get(arg, names[i]);
		if (port == NULL || port[0] == '\0')
			continue;
		*variable = names[i];
		str_printf(buf, "http://127.0.0.1:%s", port);
		return str_text(buf);
	}
	*variable = "API_PORT";
	return NULL;
}

static const struct opt serve_rows[] = {
	OPT_LIST(struct serve_api_cmd, listen, "listen", 0, "URL", "where the API is served; may be given several times", .def = "http://127.0.0.1:8100", .env = true,
	    .inherit_make = listen_from, .inherit_note = "API_PORT, API_CONTAINER_PORT"),
	OPT_TEXT(struct serve_api_cmd, health_listen, "health-listen", 0, "URL",
	    "serve /livez, /readyz and /startupz there as well, whatever the API is busy with", .env = true),
	OPT_FLAG(struct serve_api_cmd, read_only, "read-only", 0, "refuse every change", .env = true),
	OPT_FLAG(struct serve_api_cmd, no_ui, "no-ui", 0, "serve the API without its page", .env = true),
	OPT_TEXT(struct serve_api_cmd, base_path, "base-path", 0, "PATH", "what stands before all paths, such as /aegis, when a proxy passes them on so",
	    .def = "", .def_text = "nothing", .env = true),
	OPT_FILE(struct serve_api_cmd, ui_dir, "ui-dir", 0, "DIR", "serve the page from this folder, for who works on it", .def_text = "from the program", .env = true),
	OPT_TEXT(struct serve_api_cmd, deployment, "deployment-version", 0, "TEXT", "what GET /status calls this deployment",
	    .def = "v1.0.0-demo", .env = true, .inherit = (const char *const[]){ "DEPLOYMENT_VERSION", NULL }),
	STALE_ROW(struct serve_api_cmd),
	OPTS_END
};

static const struct opt http_rows[] = {
	OPT_FILE(struct serve_api_cmd, tls_cert, "http-tls-cert", 0, "FILE",
	    "certificate of https:// listeners, with its chain, as PEM; read again on HUP", .env = true),
	OPT_FILE(struct serve_api_cmd, tls_key, "http-tls-key", 0, "FILE", "the key of that certificate", .def_text = "in the file of the certificate", .env = true),
	OPT_FILE(struct serve_api_cmd, tls_client_ca, "http-tls-client-ca", 0, "FILE",
	    "clients must show a certificate that one of these authorities signed", .env = true),
	OPT_FLAG(struct serve_api_cmd, no_tls_needed, "no-tls-needed", 0,
	    "serve plain http:// beyond the loopback interface, too, because something before it speaks TLS", .env = true),
	OPT_LIST(struct serve_api_cmd, trusted, "trusted-proxy", 0, "NETWORK", "believe the X-Forwarded-For, -Proto and -Host of proxies in this network, such as "
	    "10.0.0.0/8; may be given several times", .env = true),
	OPT_LIST(struct serve_api_cmd, cors, "cors-origin", 0, "ORIGIN", "let pages of this origin read answers, with a token of their own; may be given "
	    "several times", .env = true),
	OPT_UINT(struct serve_api_cmd, max_connections, "max-connections", 0, "N", "open connections in all", .def = "4096", .min = 16,
	    .max = 65536, .env = true),
	OPT_UINT(struct serve_api_cmd, max_per_address, "max-connections-per-address", 0, "N", "open connections of one address",
	    .def = "128", .min = 1, .max = 65536, .env = true),
	OPT_UINT(struct serve_api_cmd, max_streams, "max-streams", 0, "N", "open event streams; each has a thread", .def = "512", .min = 1,
	    .max = 4096, .env = true),
	OPTS_END
};

const struct cmd_form serve_api_form = {
	sizeof(struct serve_api_cmd),
	{
		{ "API options", "serve_api", serve_rows, 0 },
		{ "HTTP options", "http", http_rows, 0 },
		FORM_NATS(struct serve_api_cmd),
		FORM_SERVE_LOG(struct serve_api_cmd),
		FORM_GENERAL(struct serve_api_cmd),
	},
};

/* environment: as it was said, or else what this looks like (wire.md §12). */
static const char *
environment(const struct cmd *c)
{
	static const char *const names[] = {
		[CMD_DEVELOPMENT] = "development", [CMD_STAGING] = "staging", [CMD_PRODUCTION] = "production",
		[CMD_LOCAL_K8S] = "local-k8s", [CMD_DOCKER] = "docker",
	};
	const struct serve_api_cmd *o = c->opts;
	struct stat st;

	if (opts_mark(c->parsed, "environment")->origin != OPTS_DEFAULT)
		return names[o->nats.environment];
	if (out_getenv(NULL, "KUBERNETES_SERVICE_HOST") != NULL)
		return names[CMD_LOCAL_K8S];
	return names[stat("/.dockerenv", &st) == 0 ? CMD_DOCKER : CMD_DEVELOPMENT];
}

/* check: what can be told before anything is opened. */
static enum err_code
check(const struct serve_api_opts *s, struct err *err)
{
	enum err_code code = manage_check(&s->api, err);

	if (code == ERR_OK)
		code = manage_check_base(s->base_path, err);
	if (code == ERR_OK && s->ui_dir != NULL)
		code = folder_check(s->ui_dir, err);
	for (size_t i = 0; code == ERR_OK && s->cors[i] != NULL; i++)
		code = manage_check_origin(s->cors[i], err);
	return code;
}

enum err_code
cmd_serve_api_run(struct cmd *c, struct err *err)
{
	const struct serve_api_cmd *o = c->opts;
	const char **cors = mem_array(o->cors.n + 1, sizeof *cors);
	struct serve_api_opts s = {
		.version = AEGIS_VERSION, .settings_rules = &run_service_rules, .stale_ns = o->stale_ns, .environment = environment(c), .deployment = o->deployment,
		.read_only = o->read_only, .no_page = o->no_ui,
		.base_path = strcmp(o->base_path, "/") == 0 ? "" : o->base_path, .ui_dir = o->ui_dir, .cors = cors,
		.manager = { .socket = out_getenv(NULL, "NOTIFY_SOCKET"),
		    .watchdog_ns = systemd_watchdog(out_getenv(NULL, "WATCHDOG_USEC"), out_getenv(NULL, "WATCHDOG_PID")) },
		.api = {
			.listen = o->listen.v, .nlisten = o->listen.n, .no_tls_needed = o->no_tls_needed, .proxies = o->trusted.v, .nproxies = o->trusted.n, .health_listen = o->health_listen,
			.tls_cert = o->tls_cert, .tls_key = o->tls_key, .tls_client_ca = o->tls_client_ca,
			.max_connections = (unsigned)o->max_connections, .max_per_peer = (unsigned)o->max_per_address,
			.max_streams = (unsigned)o->max_streams,
		},
	};

	for (size_t i = 0; i < o->cors.n; i++)
		cors[i] = o->cors.v[i];
	enum err_code code = check(&s, err);
	if (code == ERR_OK) {
		s.conn = cmd_conn_opts(c, NULL);
		code = serve_api(&s, err);
	}
	mem_free(cors);
	return code;
}
