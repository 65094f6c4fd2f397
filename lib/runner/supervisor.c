/* supervisor.c - the one function that makes every transition, and what each row does.
 *
 * A row's deed fills the list of actions and may leave one event from within (AGAIN or
 * DONE), which is taken in the same step: so a decision is a visible pair of rows and not
 * an if inside a deed. */
#include "runner/supervisor.h"

#include <stddef.h>

#include "base/magic.h"

struct step {
	struct supervisor *s;
	const struct supervisor_event *e;
	struct mono now;
	struct supervisor_actions *out;
	bool has_follow;
	enum supervisor_event_kind follow;
};

typedef void deed(struct step *st);

static void
act(struct step *st, struct supervisor_action a)
{
	MUST(st->out->n < SUPERVISOR_ACTIONS_MAX);
	st->out->v[st->out->n++] = a;
}

static void
report(struct step *st, enum supervisor_report what, const char *why)
{
	act(st, (struct supervisor_action){ .kind = SUPERVISOR_REPORT, .value = (int)what,
	    .why = st->e->why != NULL ? st->e->why : why });
	st->s->is_reported = what != SUPERVISOR_IS_DOWN;
}

/* tell_down: once per run, whichever news of the end comes first. */
static void
tell_down(struct step *st, const char *why)
{
	if (st->s->is_reported)
		report(st, SUPERVISOR_IS_DOWN, why);
}

static void
follow(struct step *st, enum supervisor_event_kind kind)
{
	st->has_follow = true;
	st->follow = kind;
}

static deed nothing, begin, spawn, note_start, note_early, note_late_start, note_exit, send_stop, order_kill,
    order_kill_hard, tell_ready, tell_unhealthy, end_exited, end_failed, end_lost, end_not_ready, decide,
    finish;

static void
nothing(struct step *st)
{
	(void)st;
}

static void
spawn(struct step *st)
{
	struct supervisor *s = st->s;

	if (st->e->kind == SUPERVISOR_EV_TIMER)
		s->restarts++;
	s->starts++;
	s->cause = RESTART_EXITED;
	s->has_code = s->is_early = false;
	act(st, (struct supervisor_action){ .kind = SUPERVISOR_SPAWN });
	report(st, SUPERVISOR_IS_STARTING, "it is being started");
}

/* begin: a fresh life: backoff and budget of an earlier one do not count against it. */
static void
begin(struct step *st)
{
	struct supervisor *s = st->s;

	restart_init(&s->restart, s->opts.restart, s->opts.seed + s->starts);
	s->code = s->signo = 0;
	spawn(st);
}

static void
note_late_start(struct step *st)
{
	restart_began(&st->s->restart, st->now);
}

/* note_early: a quick program's own word overtakes its guardian's. */
static void
note_early(struct step *st)
{
	st->s->is_early = true;
}

static void
note_start(struct step *st)
{
	restart_began(&st->s->restart, st->now);
	if (st->s->opts.ready_timeout_ns > 0)
		st->s->deadline = mono_after(st->now, st->s->opts.ready_timeout_ns);
	if (st->s->is_early)
		follow(st, SUPERVISOR_EV_MADE_READY);
}

static void
note_exit(struct step *st)
{
	struct supervisor *s = st->s;

	if (s->has_code)
		return;
	s->has_code = true;
	s->code = st->e->code;
	s->signo = st->e->signo;
	tell_down(st, "it ended");
}

static void
send_stop(struct step *st)
{
	struct supervisor *s = st->s;

	act(st, (struct supervisor_action){ .kind = SUPERVISOR_SIGNAL, .value = s->opts.stop_signal });
	s->deadline = mono_after(st->now, s->opts.kill_after_ns > 0 ? s->opts.kill_after_ns : 0);
}

static void
order_kill(struct step *st)
{
	act(st, (struct supervisor_action){ .kind = SUPERVISOR_KILL_ALL });
	st->s->deadline = mono_after(st->now, SUPERVISOR_PATIENCE_NS);
}

static void
order_kill_hard(struct step *st)
{
	act(st, (struct supervisor_action){ .kind = SUPERVISOR_KILL_HARD });
	st->s->deadline = mono_after(st->now, SUPERVISOR_PATIENCE_NS);
}

static void
tell_ready(struct step *st)
{
	report(st, SUPERVISOR_IS_READY, "it is ready");
}

static void
tell_unhealthy(struct step *st)
{
	report(st, SUPERVISOR_IS_UNHEALTHY, "its health checks failed");
}

/* end_exited: nobody asked for it, so what it left behind gets no time to finish: the next
 * run must not meet the remains of this one. */
static void
end_exited(struct step *st)
{
	note_exit(st);
	order_kill(st);
}

static void
end_failed(struct step *st)
{
	struct supervisor *s = st->s;

	s->cause = RESTART_NOT_STARTED;
	s->has_code = true;
	s->code = st->e->code;
	s->signo = 0;
	tell_down(st, "it could not be started");
	decide(st);
}

static void
end_lost(struct step *st)
{
	struct supervisor *s = st->s;

	/* What the program had told before its guardian died is still its exit code. */
	if (!s->has_code) {
		s->cause = RESTART_LOST;
		s->code = 128 + 9;
		s->signo = 9;
		s->has_code = true;
	}
	tell_down(st, "its guardian died");
	decide(st);
}

static void
end_not_ready(struct step *st)
{
	st->s->cause = RESTART_NOT_READY;
	send_stop(st);
}

static void
decide(struct step *st)
{
	struct supervisor *s = st->s;

	if (s->is_wanted && restart_next(&s->restart, s->cause, s->code, st->now, &s->deadline)) {
		follow(st, SUPERVISOR_EV_AGAIN);
		return;
	}
	/* A stop signal of ours, or a death that was not its own, is no exit code to show. */
	if (s->is_wanted && (s->cause == RESTART_NOT_READY || s->cause == RESTART_LOST)) {
		s->code = RESTART_NEVER_CODE;
		s->signo = 0;
	}
	/* Only a spent budget ends what is always restarted, and no 0 may hide that. */
	if (s->is_wanted && s->cause == RESTART_EXITED && s->opts.restart.when == RESTART_ALWAYS && s->code == 0)
		s->code = 1;
	follow(st, SUPERVISOR_EV_DONE);
}

static void
finish(struct step *st)
{
	tell_down(st, "it is stopped");
	st->s->is_wanted = false;
	act(st, (struct supervisor_action){ .kind = SUPERVISOR_FINISH, .value = st->s->code, .value2 = st->s->signo });
}

/* --- the table ------------------------------------------------------------------------- */

static const struct edge {
	bool is_listed;
	enum supervisor_state next;
	deed *run;
} edges[SUPERVISOR_STATE_COUNT][SUPERVISOR_EVENT_COUNT] = {
#define EDGE(state, event, to, fn) \
	[SUPERVISOR_##state][SUPERVISOR_EV_##event] = { true, SUPERVISOR_##to, fn },
#include "runner/supervisor.def"
#undef EDGE
};

static const char *const state_names[] = {
#define X(name, text) text,
	SUPERVISOR_STATES(X)
#undef X
};

static const char *const event_names[] = {
#define X(name, text) text,
	SUPERVISOR_EVENTS(X)
#undef X
};

/* transit: the only place that writes s->state. */
static void
transit(struct step *st, enum supervisor_event_kind kind)
{
	struct supervisor *s = st->s;
	const struct edge *ed = &edges[s->state][kind];

	if (!ed->is_listed) {
		s->ignored++;
		return;
	}
	if (ed->next != s->state) {
		act(st, (struct supervisor_action){ .kind = SUPERVISOR_ENTERED, .value = (int)s->state,
		    .value2 = (int)ed->next, .event = kind });
		/* A deadline belongs to the state that set it; AGAIN brings along what decide set. */
		if (kind != SUPERVISOR_EV_AGAIN)
			s->deadline = MONO_NEVER;
		s->state = ed->next;
	}
	ed->run(st);
}

void
supervisor_init(struct supervisor *s, const struct supervisor_opts *o)
{
	*s = (struct supervisor){ .opts = *o, .state = SUPERVISOR_IDLE, .deadline = MONO_NEVER };
	restart_init(&s->restart, o->restart, o->seed);
}

void
supervisor_step(struct supervisor *s, const struct supervisor_event *e, struct mono now,
    struct supervisor_actions *out)
{
	struct step st = { .s = s, .e = e, .now = now, .out = out };

	out->n = 0;
	if (e->kind == SUPERVISOR_EV_START && edges[s->state][e->kind].is_listed)
		s->is_wanted = true;
	else if (e->kind == SUPERVISOR_EV_STOP || e->kind == SUPERVISOR_EV_KILL)
		s->is_wanted = false;
	/* A timer of a state that was left meanwhile. */
	else if (e->kind == SUPERVISOR_EV_TIMER && !mono_reached(now, s->deadline)) {
		s->ignored++;
		return;
	}
	transit(&st, e->kind);
	if (st.has_follow)
		transit(&st, st.follow);
}

const char *
supervisor_state_name(enum supervisor_state s)
{
	return state_names[s];
}

const char *
supervisor_event_name(enum supervisor_event_kind e)
{
	return event_names[e];
}

bool
supervisor_edge(enum supervisor_state s, enum supervisor_event_kind e, enum supervisor_state *next)
{
	const struct edge *ed = &edges[s][e];

	if (ed->is_listed && next != NULL)
		*next = ed->next;
	return ed->is_listed;
}
