/* elect_show.c - `aegis elect --observe`: one look at a group as a table or as JSON, or every change. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"
#include "codec/codec.h"
#include "elect.h"
#include "election/election_check.h"
#include "sys/clock.h"

#define ROWS_MAX (9 + LEASE_REGISTERS + LEASE_CHANGES)
#define LOOK_NS (100 * NS_PER_MS)	/* how often a watch looks; a third of the time in which the lead moves */

/* --- JSON --------------------------------------------------------------------------------- */

static enum err_code
to_json(const struct observed *s, struct str *out, struct err *err)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 15);
	pack_key_uint(&p, "schema_version", 1);
	pack_key_puts(&p, "service", s->service);
	pack_key_puts(&p, "group", s->group);
	pack_key_bool(&p, "led", s->led);
	pack_key_puts(&p, "leader", s->led ? s->instance : NULL);
	pack_key_some(&p, "last_leader", s->instance);
	pack_key_uint(&p, "epoch", s->epoch);
	pack_key_time(&p, "since", s->since);
	pack_key_puts(&p, "obstacle", s->led ? NULL : lease_obstacle_name(s->obstacle));
	pack_key_puts(&p, "profile", s->known ? s->record.profile : NULL);
	pack_key_puts(&p, "set", s->site.uuid);
	pack_key_some(&p, "records_problem", s->no_records);
	pack_key_bool(&p, "one_register_in_a_cluster", s->site.lonely);
	observed_pack_changes(&p, s);
	observed_pack_registers(&p, s);
	return pack_end(&p, err);
}

/* --- for eyes ----------------------------------------------------------------------------- */

struct sheet {
	const char *name[ROWS_MAX];
	struct out_cell cell[ROWS_MAX];
	char *text[ROWS_MAX];
	size_t n;
};

static void
line(struct sheet *t, enum out_tone tone, const char *name, char *text)
{
	t->name[t->n] = name;
	t->cell[t->n] = (struct out_cell){ text, tone };
	t->text[t->n++] = text;
}

static void
line_leader(struct sheet *t, const struct observed *s)
{
	char since[WALL_TEXT_MAX];

	if (!s->led) {
		line(t, OUT_BAD, "leader", mem_printf("nobody (%s): %s", lease_obstacle_name(s->obstacle), obstacle_sentence(s->obstacle)));
		if (s->instance[0] != '\0')
			line(t, OUT_PLAIN, "last leader", mem_printf("%s, epoch %" PRIu64, s->instance, s->epoch));
		return;
	}
	line(t, OUT_GOOD, "leader", mem_text(s->instance));
	line(t, OUT_PLAIN, "epoch", mem_printf("%" PRIu64, s->epoch));
	if (s->since.ns != 0) {
		wall_rfc3339(s->since, since);
		line(t, OUT_PLAIN, "since", mem_text(since));
	}
}

static void
line_register(struct sheet *t, const struct observed_register *g)
{
	bool has = observed_register_holds(g), bad = g->why[0] != '\0' || !g->reached;
	char name[OBSERVED_NAME_MAX];

	observed_register_name(g, name);
	line(t, bad ? OUT_BAD : OUT_PLAIN, "register", mem_printf("%s%s%s: %s%s%s, revision %" PRIu64 ", epoch %" PRIu64
	    ", age %lld ms%s%s", name, g->node[0] != '\0' ? " on " : "", g->node, observed_register_state(g),
	    has ? " by " : "", has ? g->record.holder : "", g->revision, has ? g->record.value.epoch : 0,
	    (long long)(g->age_ns / NS_PER_MS), bad ? "; " : "", g->why));
}

static void
show(struct cmd *c, const struct observed *s, const char *json)
{
	struct sheet t = { .n = 0 };
	char at[WALL_TEXT_MAX];

	line(&t, OUT_STRONG, "group", mem_text(c->words[0]));
	line_leader(&t, s);
	if (s->known)
		line(&t, OUT_PLAIN, "profile", mem_text(s->record.profile));
	if (s->no_records[0] != '\0')
		line(&t, OUT_WARN, "warning", mem_printf("neither profile nor changes are known: %s", s->no_records));
	if (s->site.lonely)
		line(&t, OUT_WARN, "warning", mem_text("one register in a cluster of three nodes: nobody leads while its node is away"));
	for (unsigned r = 0; r < s->site.n; r++)
		line_register(&t, &s->reg[r]);
	for (unsigned i = 0; i < s->changes.n; i++) {
		const struct lease_change *x = &s->changes.list[i];
		wall_rfc3339(x->at, at);
		line(&t, OUT_PLAIN, i == 0 ? "changes" : "", mem_printf("%s %s, epoch %" PRIu64 ", %s", at, x->instance, x->epoch,
		    x->reason));
	}
	out_object(c->out, t.name, t.cell, t.n, json);
	for (size_t i = 0; i < t.n; i++)
		mem_free(t.text[i]);
}

/* --- looking ------------------------------------------------------------------------------ */

static enum err_code
show_once(struct cmd *c, const struct observed *s, struct err *err)
{
	struct str json = STR_INIT;
	enum err_code code = to_json(s, &json, err);

	if (code == ERR_OK)
		show(c, s, str_text(&json));
	str_release(&json);
	return code;
}

static const struct out_column columns[] = {
	{ .name = "AT", .width = 24 }, { .name = "GROUP", .width = 16 }, { .name = "LEADER", .width = 24 },
	{ .name = "EPOCH", .width = 14 }, { .name = "ABOUT" },
};

static enum err_code
show_change(struct cmd *c, const struct observed *s, struct err *err)
{
	struct str json = STR_INIT;
	char at[WALL_TEXT_MAX], epoch[24];
	enum err_code code = to_json(s, &json, err);

	wall_rfc3339(clock_wall(clock_system()), at);
	snprintf(epoch, sizeof epoch, "%" PRIu64, s->epoch);
	if (code == ERR_OK)
		out_row(c->out, (const struct out_cell[]){ { at, OUT_DIM }, { c->words[0], OUT_PLAIN },
			{ s->led ? s->instance : NULL, s->led ? OUT_GOOD : OUT_BAD }, { epoch, OUT_PLAIN },
			{ s->led ? NULL : lease_obstacle_name(s->obstacle), OUT_PLAIN } }, str_text(&json));
	str_release(&json);
	return code == ERR_OK ? out_flush(c->out, err) : code;
}

static bool
same(const struct observed *a, const struct observed *b)
{
	return a->led == b->led && a->epoch == b->epoch && a->obstacle == b->obstacle && strcmp(a->instance, b->instance) == 0;
}

/* pause_or_end: true when a signal asks to end; signals are blocked in every thread. */
static bool
pause_or_end(void)
{
	static const struct timespec look = { .tv_nsec = LOOK_NS };
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	return sigtimedwait(&ends, NULL, &look) > 0;
}

static enum err_code
follow(struct cmd *c, struct observer *o, struct observed *told, struct err *err)
{
	struct observed s;
	bool any = false;
	enum err_code code;

	out_watch(c->out, columns, COUNT_OF(columns));
	do {
		code = observer_look(o, &s, err);
		/* NATS comes back, and a group may be made yet. */
		if (code == ERR_UNAVAILABLE || code == ERR_TIMEOUT || code == ERR_NOT_FOUND || code == ERR_NO_MEMBER)
			continue;
		if (code != ERR_OK)
			return code;
		if (!s.certain || (any && same(&s, told)))
			continue;
		*told = s;
		any = true;
		if ((code = show_change(c, told, err)) != ERR_OK)
			return code;
	} while (!pause_or_end() && !out_look(c->out));
	return ERR_OK;
}

enum err_code
elect_observe(struct cmd *c, struct conn *conn, const char *service, const char *group, struct err *err)
{
	const struct elect_cmd *o = c->opts;
	struct observed s = { .led = false };
	enum err_code code;

	if (o->watch) {
		struct observer *observer = observer_new(conn, service, group, err);
		if (observer == NULL)
			return ERR_INVALID;
		code = follow(c, observer, &s, err);
		observer_free(observer);
	} else if ((code = observe(conn, service, group, &s, err)) == ERR_OK) {
		code = show_once(c, &s, err);
	} else if (code == ERR_NOT_FOUND && err != NULL) {
		/* Nobody leads there, which is what was asked. */
		code = err->code = ERR_NOT_ACTIVE;
	}
	if (code == ERR_OK && !s.led)
		c->exit_code = err_exit(ERR_NOT_ACTIVE);
	return code;
}
