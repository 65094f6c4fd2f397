/* manage_health.c - whether this process is alive, ready, started (conventions.md §4).
 *
 * Each question is a list of checks, and each check a row: its name, and what is wrong.  What
 * they look at was noted by others before, so that a probe is answered whatever stands still. */
#include <stdio.h>
#include <string.h>

#include "api/manage_inner.h"
#include "base/magic.h"
#include "base/str.h"
#include "discovery/discovery.h"
#include "nats/conn.h"
#include "sys/clock.h"

/* wrong: the sentence about what fails, or NULL; it may write it into buf. */
struct check {
	const char *name;
	const char *(*wrong)(struct manage *m, char *buf, size_t n);
};

#define WRONG_MAX 200

static int64_t
age_ns(int64_t then)
{
	return clock_mono(clock_system()).ns - then;
}

static const char *
loop_wrong(struct manage *m, char *buf, size_t n)
{
	int64_t age = age_ns(atomic_load(&m->turned));

	if (age <= MANAGE_LOOP_NS)
		return NULL;
	snprintf(buf, n, "the core loop stands still for %lld s", (long long)(age / NS_PER_S));
	return buf;
}

static const char *
nats_wrong(struct manage *m, char *buf, size_t n)
{
	int64_t at = atomic_load(&m->answered), age = age_ns(at);

	if (conn_state(m->conn) != CONN_UP)
		return "there is no connection to NATS; connecting goes on";
	if (at != 0 && age <= MANAGE_NATS_NS)
		return NULL;
	if (at == 0)
		return "NATS did not answer yet";
	snprintf(buf, n, "NATS does not answer for %lld ms", (long long)(age / NS_PER_MS));
	return buf;
}

static const char *
registry_wrong(struct manage *m, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return atomic_load(&m->registry) != NULL ? NULL : "the registry's bucket could not be opened yet; trying goes on";
}

static const char *
watch_wrong(struct manage *m, char *buf, size_t n)
{
	struct discovery_state s = discovery_state(m->discovery);

	if (s.synced)
		return NULL;
	snprintf(buf, n, "the registry is not followed for %lld ms", (long long)(s.age_ns / NS_PER_MS));
	return buf;
}

static const char *
draining_wrong(struct manage *m, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return atomic_load(&m->draining) ? "this process is stopping" : NULL;
}

static const struct check live_checks[] = { { "loop", loop_wrong }, { NULL, NULL } };
static const struct check start_checks[] = { { "loop", loop_wrong }, { NULL, NULL } };
static const struct check ready_checks[] = {
	{ "loop", loop_wrong }, { "nats", nats_wrong }, { "registry", registry_wrong }, { "watch", watch_wrong },
	{ "draining", draining_wrong }, { NULL, NULL }
};

enum err_code
manage_up(struct manage *m, struct err *err)
{
	static const struct check data_checks[] = { { "nats", nats_wrong }, { "registry", registry_wrong }, { "watch", watch_wrong } };
	char buf[WRONG_MAX];

	MAGIC_CHECK(m, MANAGE_MAGIC);
	for (size_t i = 0; i < COUNT_OF(data_checks); i++) {
		const char *wrong = data_checks[i].wrong(m, buf, sizeof buf);
		if (wrong != NULL)
			return err_set(err, ERR_UNAVAILABLE, "%s", wrong);
	}
	return ERR_OK;
}

bool
manage_answers(struct manage *m)
{
	char buf[WRONG_MAX];

	return nats_wrong(m, buf, sizeof buf) == NULL;
}

/* --- answering --------------------------------------------------------------------------- */

/* named: whether the list, divided by commas, has the name. */
static bool
named(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = list; *at != '\0'; at += *at == ',') {
		size_t len = strcspn(at, ",");
		if (len == n && memcmp(at, name, n) == 0)
			return true;
		at += len;
	}
	return false;
}

/* exclusions: of ?exclude=; each must be a check that there is. */
static enum err_code
exclusions(const struct web_request *r, const struct check *v, char *out, size_t max, struct err *err)
{
	bool given;
	enum err_code code = router_query(web_query_text(r), "exclude", out, max, &given, err);

	if (code != ERR_OK || !given) {
		out[0] = '\0';
		return code;
	}
	for (const char *at = out; *at != '\0'; at += *at == ',') {
		int len = (int)strcspn(at, ",");
		size_t i = 0;
		while (v[i].name != NULL && ((size_t)len != strlen(v[i].name) || memcmp(v[i].name, at, (size_t)len) != 0))
			i++;
		if (v[i].name == NULL)
			return err_set(err, ERR_INVALID, "query: exclude: there is no check '%.*s' here", len, at);
		at += len;
	}
	return ERR_OK;
}

static enum err_code
answer(struct manage *m, struct web_request *r, const struct check *v, struct err *err)
{
	static const char *const known[] = { "verbose", "exclude", NULL };
	char out[256], none[8], buf[WRONG_MAX];
	const char *first = NULL;
	struct str text = STR_INIT;
	bool verbose;

	MAGIC_CHECK(m, MANAGE_MAGIC);
	if (router_query_known(web_query_text(r), known, err) != ERR_OK || exclusions(r, v, out, sizeof out, err) != ERR_OK ||
	    router_query(web_query_text(r), "verbose", none, sizeof none, &verbose, err) != ERR_OK)
		return ERR_INVALID;
	for (size_t i = 0; v[i].name != NULL; i++) {
		const char *wrong = named(out, v[i].name) ? NULL : v[i].wrong(m, buf, sizeof buf);
		str_printf(&text, "[%c] %s: %s\n", wrong == NULL ? '+' : '-', v[i].name, named(out, v[i].name) ? "left out" :
		    wrong == NULL ? "ok" : wrong);
		if (wrong != NULL && first == NULL)
			first = v[i].name, err_set(err, ERR_UNAVAILABLE, "%s: %s", v[i].name, wrong);
	}
	if (!verbose && first == NULL) {
		str_clear(&text);
		str_puts(&text, "ok\n");
	}
	if (verbose || first == NULL)
		web_reply(r, first == NULL ? 200 : 503, "text/plain; charset=utf-8", (struct text){ text.p, text.len });
	str_release(&text);
	return verbose || first == NULL ? ERR_OK : ERR_UNAVAILABLE;
}

enum err_code
manage_livez(void *arg, struct web_request *r, struct err *err)
{
	return answer(arg, r, live_checks, err);
}

enum err_code
manage_readyz(void *arg, struct web_request *r, struct err *err)
{
	return answer(arg, r, ready_checks, err);
}

enum err_code
manage_startupz(void *arg, struct web_request *r, struct err *err)
{
	return answer(arg, r, start_checks, err);
}
