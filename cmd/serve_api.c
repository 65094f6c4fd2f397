/* serve_api.c - `aegis serve-api`: its options. */
#include <sys/stat.h>

#include "app/serve_api.h"

#include "api/manage.h"
#include "cmd.h"
#include "version.h"

struct serve_api_cmd {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	struct opts_list listen;
	const char *health_listen, *deployment;
	bool read_only;
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
	OPT_TEXT(struct serve_api_cmd, deployment, "deployment-version", 0, "TEXT", "what GET /status calls this deployment",
	    .def = "v1.0.0-demo", .env = true, .inherit = (const char *const[]){ "DEPLOYMENT_VERSION", NULL }),
	STALE_ROW(struct serve_api_cmd),
	OPTS_END
};

const struct cmd_form serve_api_form = {
	sizeof(struct serve_api_cmd),
	{
		{ "API options", "serve_api", serve_rows, 0 },
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

enum err_code
cmd_serve_api_run(struct cmd *c, struct err *err)
{
	const struct serve_api_cmd *o = c->opts;
	struct serve_api_opts s = {
		.version = AEGIS_VERSION, .stale_ns = o->stale_ns, .environment = environment(c), .deployment = o->deployment, .read_only = o->read_only,
		 .listen = o->listen.v, .nlisten = o->listen.n,
		.health_listen = o->health_listen,
	};

	for (size_t i = 0; i < o->listen.n; i++)
		if (manage_check(o->listen.v[i], err) != ERR_OK) {
			err_prefix(err, "--listen");
			return ERR_CONFIG;
		}
	if (o->health_listen != NULL && manage_check(o->health_listen, err) != ERR_OK) {
		err_prefix(err, "--health-listen");
		return ERR_CONFIG;
	}
	s.conn = cmd_conn_opts(c, NULL);
	return serve_api(&s, err);
}
