/* status.c - `aegis status`: one screen. */
#include "app/status.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/magic.h"
#include "base/mem.h"
#include "cmd.h"
#include "codec/codec.h"
#include "election/election_check.h"
#include "registry.h"
#include "sys/clock.h"

#define SHOWN 20		/* groups and findings on the screen; JSON has all */

struct status_cmd {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	int64_t stale_ns;
};

static const struct opt status_rows[] = {
	STALE_ROW(struct status_cmd),
	OPTS_END
};

const struct cmd_form status_form = {
	sizeof(struct status_cmd),
	{
		{ "Options", "status", status_rows, 0 },
		FORM_OUTPUT(struct status_cmd),
		FORM_NATS(struct status_cmd),
		FORM_CLIENT_LOG(struct status_cmd),
		FORM_GENERAL(struct status_cmd),
	},
};

/* --- JSON --------------------------------------------------------------------------------- */

static void
pack_group(struct pack *p, const struct observed *s)
{
	pack_map(p, 6);
	pack_key_puts(p, "service", s->service);
	pack_key_puts(p, "group", s->group);
	pack_key_puts(p, "leader", s->led ? s->instance : NULL);
	pack_key_nonzero(p, "epoch", s->led ? s->epoch : 0);	/* a leader's is never 0 */
	pack_key_time(p, "since", s->led ? s->since : (struct wall){ 0 });
	pack_key_puts(p, "obstacle", s->led ? NULL : s->certain ? obstacle_sentence(s->obstacle) : "not known yet");
}

static void
pack_nats(struct pack *p, const struct status *s)
{
	pack_key_map(p, "nats", 6);
	pack_key_puts(p, "servers", s->servers);
	pack_key_some(p, "server", s->report.server);
	pack_key_some(p, "cluster", s->report.cluster);
	pack_key_some(p, "version", s->report.version);
	pack_key_bool(p, "jetstream", s->report.jetstream);
	pack_key_real(p, "rtt_ms", (double)s->report.rtt_ns / NS_PER_MS);
}

static enum err_code
to_json(const struct status *s, struct str *out, struct err *err)
{
	const struct findings *f = &s->report.findings;
	size_t groups = s->groups != NULL ? s->groups->n : 0, bad = 0;
	struct pack p;

	for (size_t i = 0; i < f->n; i++)
		bad += f->v[i].severity > FINDING_NOTE;
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 6);
	pack_key_uint(&p, "schema_version", 1);
	pack_nats(&p, s);
	pack_key_uint(&p, "services", s->services);
	pack_key_map(&p, "instances", 5);
	pack_key_uint(&p, "total", s->instances);
	pack_key_uint(&p, "active", s->active);
	pack_key_uint(&p, "standby", s->standby);
	pack_key_uint(&p, "unhealthy", s->unhealthy);
	pack_key_uint(&p, "stale", s->stale);
	pack_key_array(&p, "groups", (uint32_t)groups);
	for (size_t i = 0; i < groups; i++)
		pack_group(&p, &s->groups->v[i]);
	pack_key_array(&p, "degraded", (uint32_t)bad);
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].severity > FINDING_NOTE)
			pack_puts(&p, f->v[i].what);
	return pack_end(&p, err);
}

/* --- for eyes ----------------------------------------------------------------------------- */

struct sheet {
	const char *name[2 * SHOWN + 12];
	struct out_cell cell[2 * SHOWN + 12];
	size_t n;
};

/* line: text is taken over. */
static void
line(struct sheet *t, const char *name, enum out_tone tone, char *text)
{
	t->name[t->n] = name;
	t->cell[t->n++] = (struct out_cell){ text, tone };
}

static void
line_nats(struct sheet *t, const struct status *s)
{
	const struct doctor_report *r = &s->report;

	line(t, "NATS", r->jetstream ? OUT_GOOD : OUT_BAD, mem_printf("%s, %s%s%s%s, %.1f ms%s", s->servers,
	    r->version[0] != '\0' ? "nats-server " : "unknown server", r->version, r->cluster[0] != '\0' ? ", cluster " : "", r->cluster,
	    (double)r->rtt_ns / NS_PER_MS, r->jetstream ? "" : ", no JetStream"));
}

static void
line_groups(struct sheet *t, const struct groups_list *l)
{
	char word[GROUP_WORD_MAX], age[CMD_REGISTRY_AGE_MAX];

	for (size_t i = 0; l != NULL && i < l->n && i < SHOWN; i++) {
		const struct observed *s = &l->v[i];
		group_word(s, word);
		if (!s->led) {
			line(t, "group", OUT_BAD, mem_printf("%s: nobody leads, %s", word,
			    s->certain ? obstacle_sentence(s->obstacle) : "not known yet"));
			continue;
		}
		cmd_registry_age(s->since, clock_wall(clock_system()), age);
		line(t, "group", OUT_PLAIN, mem_printf("%s: %s leads, epoch %" PRIu64 "%s%s", word, s->instance, s->epoch,
		    s->since.ns != 0 ? ", for " : "", s->since.ns != 0 ? age : ""));
	}
	if (l != NULL && l->n > SHOWN)
		line(t, "group", OUT_DIM, mem_printf("and %zu more", l->n - SHOWN));
}

static void
line_degraded(struct sheet *t, const struct findings *f)
{
	size_t shown = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (f->v[i].severity == FINDING_NOTE || shown++ >= SHOWN)
			continue;
		line(t, "degraded", f->v[i].severity == FINDING_CRITICAL ? OUT_BAD : OUT_WARN, mem_text(f->v[i].what));
	}
	if (shown > 0)
		line(t, "", OUT_DIM, mem_printf("`aegis doctor` says what to do about %s", shown == 1 ? "it" : "these"));
	else
		line(t, "degraded", OUT_GOOD, mem_text("nothing"));
}

static void
show(struct cmd *c, const struct status *s, const char *json)
{
	struct sheet t = { .n = 0 };

	line_nats(&t, s);
	line(&t, "services", OUT_PLAIN, mem_printf("%zu", s->services));
	line(&t, "instances", s->unhealthy + s->stale > 0 ? OUT_WARN : OUT_PLAIN, mem_printf("%zu: %zu active, %zu standby, %zu unhealthy, "
	    "%zu stale", s->instances, s->active, s->standby, s->unhealthy, s->stale));
	line(&t, "groups", s->leaderless > 0 ? OUT_WARN : OUT_PLAIN, s->groups == NULL ? mem_text("could not be looked at")
	    : mem_printf("%zu: %zu led, %zu without a leader", s->groups->n, s->led, s->leaderless));
	line_groups(&t, s->groups);
	line_degraded(&t, &s->report.findings);
	out_object(c->out, t.name, t.cell, t.n, json);
	for (size_t i = 0; i < t.n; i++)
		mem_free((char *)(uintptr_t)t.cell[i].text);
}

enum err_code
cmd_status_run(struct cmd *c, struct err *err)
{
	const struct status_cmd *o = c->opts;
	struct conn_opts opts = cmd_conn_opts(c, NULL);
	struct conn *conn = conn_new(&opts, err);
	struct str json = STR_INIT;
	struct status s;

	if (conn == NULL)
		return err->code;
	status_look(conn, o->stale_ns, &s);
	enum err_code code = to_json(&s, &json, err);
	if (code == ERR_OK)
		show(c, &s, str_text(&json));
	str_release(&json);
	status_release(&s);
	conn_free(conn);
	return code;
}
