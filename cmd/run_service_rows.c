/* run_service_rows.c - the options of `aegis run-service`, group by group. */
#include "base/magic.h"
#include "model/names.h"
#include "run_service.h"

/* instance_from: the inherited variables, with what an id may not hold turned into '-'. */
static const char *
instance_from(opts_getenv *get, void *arg, struct str *buf, const char **variable)
{
	static const char *const names[] = { "INSTANCE_ID", "SERVICE_INSTANCE_ID", "HOSTNAME" };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const char *v = get(arg, names[i]);
		if (v == NULL || v[0] == '\0')
			continue;
		*variable = names[i];
		str_puts(buf, v);
		name_sanitize_instance(buf->p);
		return str_text(buf);
	}
	return NULL;
}

#define OLD(...) .inherit = (const char *const[]){ __VA_ARGS__, NULL }

static const struct opt instance_rows[] = {
	OPT_TEXT(struct run_opts, name, "name", 0, "SERVICE", "the service that CMD is an instance of", .env = true,
	    OLD("SERVICE_NAME")),
	OPT_TEXT(struct run_opts, instance, "instance-id", 0, "ID", "the name of this instance", .env = true,
	    .def_text = "SERVICE-XXXXXXXX", .inherit_make = instance_from,
	    .inherit_note = "INSTANCE_ID, SERVICE_INSTANCE_ID, HOSTNAME"),
	OPT_TEXT(struct run_opts, version, "version", 0, "X.Y.Z", "the version of the service", .def = "1.0.0",
	    .env = true, OLD("SERVICE_VERSION")),
	OPT_TEXT(struct run_opts, description, "description", 0, "TEXT", "what the service does, for $SRV.INFO",
	    .env = true),
	OPT_TEXT(struct run_opts, service_type, "service-type", 0, "LABEL", "a free label in the metadata; one given by --metadata wins",
	    .def = "service", .env = true, OLD("SERVICE_TYPE")),
	OPT_LIST(struct run_opts, metadata, "metadata", 0, "KEY=VALUE",
	    "something for the record's metadata; VALUE is JSON or plain text", .env = true),
	OPT_FLAG(struct run_opts, no_registration, "no-registration", 0,
	    "serve calls, but write no record into the registry", .env = true, OLD("ENABLE_REGISTRATION"),
	    .inherit_inverted = true),
	OPT_DURATION(struct run_opts, heartbeat_ns, "heartbeat-interval", 0, "how often the record is refreshed",
	    .def = "10s", .min = 500 * NS_PER_MS, .max = 300 * NS_PER_S, .env = true, OLD("HEARTBEAT_INTERVAL"),
	    .inherit_seconds = true, .live = true, .central = true),
	OPT_DURATION(struct run_opts, ttl_ns, "registry-ttl", 0,
	    "the store drops a record that was not refreshed for so long; whole seconds", .def = "30s",
	    .min = 1 * NS_PER_S, .max = 3600 * NS_PER_S, .env = true, OLD("REGISTRY_TTL"), .inherit_seconds = true, .live = true, .central = true),
	STALE_ROW(struct run_opts),
	OPTS_END
};

static const char *const guard_modes[] = {
	[GUARD_OFF] = "off", [GUARD_WARN] = "warn", [GUARD_ENFORCE] = "enforce", NULL,
};

static const char *const retries[] = {
	[RETRY_DEFAULT] = "default", [RETRY_NONE] = "none", [RETRY_PATIENT] = "patient", NULL,
};

static const struct opt workload_rows[] = {
	OPT_UINT(struct run_opts, app_port, "app-port", 0, "N", "CMD answers calls over HTTP on this port of 127.0.0.1",
	    .min = 1, .max = 65535, .env = true),
	OPT_FILE(struct run_opts, app_socket, "app-socket", 0, "PATH", "CMD answers calls over HTTP on this socket",
	    .env = true),
	OPT_FLAG(struct run_opts, app_stdio, "app-stdio", 0,
	    "CMD answers calls as lines of JSON on its stdin and stdout", .env = true),
	OPT_LIST(struct run_opts, methods, "method", 0, "NAME", "a method that CMD answers", .env = true,
	    .def_text = "all"),
	OPT_LIST(struct run_opts, events, "event", 0, "PATTERN[,broadcast|,mixed][,new]",
	    "events that CMD gets: one instance each, or every one (broadcast), or shared with Python members "
	    "(mixed); from the stream's start, or only new ones", .env = true, .def_text = "none"),
	OPT_LIST(struct run_opts, commands, "command", 0, "NAME", "a command that CMD works off", .env = true,
	    .def_text = "none"),
	OPT_DURATION(struct run_opts, ack_wait_ns, "ack-wait", 0,
	    "how long the commands of a worker that died wait until another gets them", .def = "30s",
	    .min = 500 * NS_PER_MS, .max = 3600 * NS_PER_S, .env = true, .central = true),
	OPT_FLAG(struct run_opts, replace_worker, "replace-worker", 0,
	    "remove the consumer of a Python worker of that command when nobody is bound to it"),
	OPT_CHOICE(struct run_opts, validate, "validate", 0, guard_modes,
	    "messages that break the service's contract (registry put --contract) pass with a warning, or not at all", .def = "off",
	    .env = true, .central = true),
	OPT_UINT(struct run_opts, max_inflight, "max-inflight", 0, "N", "how many calls CMD works on at once",
	    .def = "64", .min = 1, .max = 4096, .env = true, .live = true, .central = true),
	OPT_UINT(struct run_opts, max_queue, "max-queue", 0, "N",
	    "how many calls wait behind them; more are refused at once", .def = "1024", .min = 1, .max = 1000000,
	    .env = true, .live = true, .central = true),
	OPT_TEXT(struct run_opts, local_api, "local-api", 0, "WHERE",
	    "where CMD reaches $AEGIS_API, its own way to call, publish and send: unix, http, unix:/PATH, "
	    "http://127.0.0.1:PORT, none; auto is unix where a socket can be made, else http", .def = "auto", .env = true),
	OPT_UINT(struct run_opts, max_outgoing, "max-outgoing", 0, "N",
	    "how many calls, events and commands of CMD's own may wait at once", .def = "32", .min = 1, .max = 1000,
	    .env = true, .central = true),
	OPT_DURATION(struct run_opts, rpc_timeout_ns, "rpc-timeout", 0, "how long a call of CMD's own may take that does not say",
	    .def = "5s", .min = 1 * NS_PER_MS, .max = 3600 * NS_PER_S, .env = true, .live = true, .central = true),
	OPT_CHOICE(struct run_opts, retry, "retry-policy", 0, retries,
	    "what of CMD's own calls is tried again in that time: refused ones, and once what nobody heard; nothing; all that never left",
	    .def = "default", .env = true, .live = true, .central = true),
	OPT_TEXT(struct run_opts, config_signal, "config-signal", 0, "SIGNAL",
	    "sent to CMD when its own settings changed, which $AEGIS_CONFIG_FILE holds", .def_text = "none", .env = true),
	OPT_TEXT(struct run_opts, metrics_listen, "metrics-listen", 0, "ADDR:PORT", "serve GET /metrics for Prometheus there",
	    .env = true),
	OPTS_END
};

static const struct opt ready_rows[] = {
	OPT_TEXT(struct run_opts, ready_http, "ready-http", 0, "URL|/PATH", "CMD is ready when this answers 2xx or 3xx",
	    .env = true),
	OPT_TEXT(struct run_opts, ready_tcp, "ready-tcp", 0, "[HOST:]PORT", "CMD is ready when this accepts a connection",
	    .env = true),
	OPT_TEXT(struct run_opts, ready_cmd, "ready-cmd", 0, "SHELL", "CMD is ready when this command exits with 0",
	    .env = true),
	OPT_UINT(struct run_opts, ready_fd, "ready-fd", 0, "N", "CMD writes a line to this descriptor when it is ready",
	    .min = 3, .max = 255, .env = true),
	OPT_FLAG(struct run_opts, ready_notify, "ready-notify", 0,
	    "CMD sends READY=1 to $NOTIFY_SOCKET when it is ready", .env = true),
	OPT_DURATION(struct run_opts, ready_timeout_ns, "ready-timeout", 0,
	    "restart CMD when it is not ready by then; 0 waits for ever", .def = "0", .min = 0, .max = 86400 * NS_PER_S,
	    .env = true, .central = true),
	OPTS_END
};

static const char *const restarts[] = {
	[RESTART_NO] = "no", [RESTART_ON_FAILURE] = "on-failure", [RESTART_ALWAYS] = "always", NULL,
};

static const char *const standbys[] = { [STANDBY_HOT] = "hot", [STANDBY_COLD] = "cold", NULL };
static const char *const fences[] = { "gate", "stream", NULL };
const char *const run_service_profiles[] = { "", "fast", "default", "relaxed", "wan", NULL };

static const struct opt election_rows[] = {
	OPT_FLAG(struct run_opts, single_active, "single-active", 0,
	    "one instance of the group at a time is the active one, by a lease in NATS; calls that reach others are passed on",
	    .env = true),
	OPT_TEXT(struct run_opts, group, "group", 0, "GROUP", "the group within the service", .def = "default"),
	OPT_CHOICE(struct run_opts, standby, "standby", 0, standbys,
	    "CMD runs on every instance and learns its role (hot), or on the active one only (cold)", .def = "hot", .env = true),
	OPT_LIST(struct run_opts, exclusive, "exclusive", 0, "NAME", "a method that only the active instance executes", .env = true,
	    .def_text = "all"),
	OPT_CHOICE(struct run_opts, profile, "profile", 0, run_service_profiles,
	    "how fast the lease is: fast, default, relaxed or wan; for a group that has one already, that one is right", .env = true,
	    .def_text = "the group's, else default"),
	OPT_CHOICE(struct run_opts, fence, "fence", 0, fences,
	    "what keeps back events that CMD publishes late: the lease alone (gate), or the stream of events, too, which "
	    "refuses those of an older leader (stream); all members alike", .def = "gate", .env = true),
	OPT_TEXT(struct run_opts, on_lost, "on-lost", 0, "term|kill|signal:SIG|exec:SHELL",
	    "what CMD gets shortly before a lost lease ends; at its end it is killed in any case", .def = "term", .env = true),
	OPT_DURATION(struct run_opts, hang_ns, "hang-kill", 0,
	    "CMD's guardian kills this process when its loop stands still for so long; 0: never", .def = "10s", .min = 0,
	    .max = 3600 * NS_PER_S, .env = true),
	OPTS_END
};

static const struct opt process_rows[] = {
	OPT_CHOICE(struct run_opts, restart, "restart", 0, restarts, "whether CMD is started again when it ends",
	    .def = "no", .env = true, .central = true),
	OPT_TEXT(struct run_opts, max_restarts, "max-restarts", 0, "N/TIME",
	    "give up, with CMD's exit code or else 1, after N restarts within TIME; 0 never gives up", .def = "5/1m", .env = true, .central = true),
	OPT_DURATION(struct run_opts, drain_timeout_ns, "drain-timeout", 0,
	    "how long calls in flight may take to finish when stopping", .def = "10s", .min = 0, .max = 3600 * NS_PER_S,
	    .env = true, .central = true),
	OPT_DURATION(struct run_opts, drain_delay_ns, "drain-delay", 0,
	    "how long calls are still taken after deregistering, for callers that have not noticed", .def = "0",
	    .min = 0, .max = 3600 * NS_PER_S, .env = true, .live = true, .central = true),
	OPT_DURATION(struct run_opts, kill_after_ns, "kill-after", 0, "how long CMD has to end before it is killed",
	    .def = "5s", .min = 0, .max = 3600 * NS_PER_S, .env = true, .central = true),
	OPT_TEXT(struct run_opts, stop_signal, "stop-signal", 0, "SIGNAL", "the signal that asks CMD to end", .def = "TERM",
	    .env = true),
	OPT_LIST(struct run_opts, rewrites, "rewrite-signal", 0, "A:B", "pass on signal B instead of A; B 0 swallows it",
	    .env = true),
	OPT_FLAG(struct run_opts, tty, "tty", 0, "CMD gets the terminal, and Ctrl-C is its own"),
	OPT_FLAG(struct run_opts, log_prefix, "log-prefix", 0, "put the service's name before each line of CMD's output",
	    .env = true),
	OPTS_END
};

const struct cmd_form run_service_form = {
	sizeof(struct run_opts),
	{
		{ "Instance options", "run_service", instance_rows, 0 },
		{ "Workload options", "run_service", workload_rows, 0 },
		{ "Readiness options", "run_service", ready_rows, 0 },
		FORM_HEALTH(struct run_opts, "run_service"),
		{ "Election options", "run_service", election_rows, 0 },
		{ "Process options", "run_service", process_rows, 0 },
		FORM_NATS(struct run_opts),
		FORM_SERVE_LOG(struct run_opts),
		FORM_GENERAL(struct run_opts),
	},
};
