/* wrapped.c - options about a wrapped program, the same wherever one is wrapped. */
#include "wrapped.h"

#include <arpa/inet.h>
#include <signal.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"

const struct opt health_rows[] = {
	OPT_TEXT(struct cmd_health, http, "health-http", 0, "URL|/PATH", "CMD is healthy while this answers 2xx or 3xx",
	    .env = true),
	OPT_TEXT(struct cmd_health, tcp, "health-tcp", 0, "[HOST:]PORT",
	    "CMD is healthy while this accepts connections", .env = true),
	OPT_TEXT(struct cmd_health, cmd, "health-cmd", 0, "SHELL", "CMD is healthy while this command exits with 0",
	    .env = true),
	OPT_DURATION(struct cmd_health, interval_ns, "health-interval", 0, "how often health is probed", .def = "5s",
	    .min = 10 * NS_PER_MS, .max = 3600 * NS_PER_S, .env = true, .central = true),
	OPT_DURATION(struct cmd_health, timeout_ns, "health-timeout", 0, "how long one probe may take",
	    .def = "500ms", .min = 1 * NS_PER_MS, .max = 300 * NS_PER_S, .env = true, .central = true),
	OPT_UINT(struct cmd_health, failures, "health-failures", 0, "N", "failures in a row that make it unhealthy",
	    .def = "3", .min = 1, .max = 1000, .env = true, .central = true),
	OPT_UINT(struct cmd_health, successes, "health-successes", 0, "N", "successes in a row that make it healthy",
	    .def = "2", .min = 1, .max = 1000, .env = true, .central = true),
	OPTS_END
};

enum err_code
cmd_pick_probe(const struct cmd_probe *kinds, size_t n, struct runner_probe *out, struct err *err)
{
	const char *first = NULL;

	for (size_t i = 0; i < n; i++) {
		if (kinds[i].target == NULL)
			continue;
		if (first != NULL)
			return err_set(err, ERR_USAGE, "%s and %s exclude each other", first, kinds[i].option);
		first = kinds[i].option;
		out->kind = kinds[i].kind;
		out->target = kinds[i].target;
	}
	return ERR_OK;
}

enum err_code
cmd_health_fill(const struct cmd_health *o, struct runner_opts *r, struct err *err)
{
	const struct cmd_probe kinds[] = {
		{ "--health-http", o->http, RUNNER_PROBE_HTTP }, { "--health-tcp", o->tcp, RUNNER_PROBE_TCP },
		{ "--health-cmd", o->cmd, RUNNER_PROBE_CMD },
	};

	r->probe_interval_ns = o->interval_ns;
	r->probe_timeout_ns = o->timeout_ns;
	r->failures = (unsigned)o->failures;
	r->successes = (unsigned)o->successes;
	return cmd_pick_probe(kinds, COUNT_OF(kinds), &r->health, err);
}

int
cmd_signal(const char *text)
{
	uint64_t n;

	if (num_uint(text, &n))
		return n < (uint64_t)SIGRTMAX ? (int)n : -1;
	if (strncmp(text, "SIG", 3) == 0)
		text += 3;
	for (int s = 1; s < SIGRTMIN; s++) {
		const char *name = sigabbrev_np(s);
		if (name != NULL && strcmp(name, text) == 0)
			return s;
	}
	return -1;
}

enum err_code
cmd_stop_signal(const char *text, int *out, struct err *err)
{
	*out = cmd_signal(text);
	if (*out <= 0)
		return err_set(err, ERR_CONFIG, "--stop-signal: '%s' is no signal; write TERM, INT, QUIT or a number", text);
	return ERR_OK;
}

enum err_code
cmd_budget(const char *text, struct restart_policy *out, struct err *err)
{
	const char *slash = strchr(text, '/');
	char *count = mem_text_n(text, slash != NULL ? (size_t)(slash - text) : strlen(text));
	uint64_t n;
	bool good = num_uint(count, &n) && (slash != NULL ? num_duration(slash + 1, &out->window_ns) &&
	    out->window_ns > 0 : n == 0);

	mem_free(count);
	if (!good || n > RESTART_MAX)
		return err_set(err, ERR_CONFIG, "--max-restarts: '%s' is no budget; write one such as 5/1m (at most %d "
		    "restarts), or 0", text, RESTART_MAX);
	out->max = (unsigned)n;
	return ERR_OK;
}

enum err_code
cmd_listen(const char *text, struct err *err)
{
	const char *colon = text != NULL ? strrchr(text, ':') : NULL;
	struct in_addr addr;
	uint64_t port;

	if (text == NULL)
		return ERR_OK;
	char *host = mem_text_n(text, colon != NULL ? (size_t)(colon - text) : strlen(text));
	bool good = colon != NULL && inet_pton(AF_INET, host, &addr) == 1 && num_uint(colon + 1, &port) && port <= 65535;
	mem_free(host);
	return good ? ERR_OK : err_set(err, ERR_CONFIG, "--metrics-listen: '%s' is no address and port; write one such as "
	    "127.0.0.1:9464", text);
}

enum err_code
cmd_on_lost(const char *text, struct tether_terms *out, struct err *err)
{
	if (strcmp(text, "term") == 0) {
		out->lost_signal = cmd_signal("TERM");
	} else if (strcmp(text, "kill") == 0) {
		out->lost_signal = cmd_signal("KILL");
	} else if (strncmp(text, "signal:", 7) == 0) {
		out->lost_signal = cmd_signal(text + 7);
		if (out->lost_signal <= 0)
			return err_set(err, ERR_CONFIG, "--on-lost: '%s' is no signal; write one such as signal:USR2", text + 7);
	} else if (strncmp(text, "exec:", 5) == 0 && text[5] != '\0') {
		out->lost_command = text + 5;
	} else {
		return err_set(err, ERR_CONFIG, "--on-lost: '%s' is none of term, kill, signal:SIG, exec:SHELL", text);
	}
	return ERR_OK;
}
