/* outgoing.c - the local API of a wrapper, joined with the connection and the program's commands.
 *
 * Requests run on the server's threads.  Two things cross to the loop: progress, which asks it
 * whether the program has such a command, and the connection's state, which it tells on. */
#include "app/outgoing.h"

#include <stdatomic.h>
#include <string.h>

#include "api/local.h"
#include "app/central.h"
#include "app/handoff.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "discovery/discovery.h"
#include "messaging/caller.h"
#include "messaging/sender.h"
#include "nats/conn.h"
#include "nats/publisher.h"
#include "sys/loop.h"

#define PROGRESS_NS (1 * NS_PER_S)	/* the loop answers within milliseconds, or something is wrong */

struct outgoing {
	struct loop *loop;
	struct conn *conn;
	struct publisher *publisher;
	struct handoff *handoff;
	struct central *central;
	struct discovery *discovery;
	struct caller *caller;
	struct sender *sender;
	struct local *local;
	struct local_state state;	/* the loop's */
	struct mail changed;		/* the connection went up or down */
	atomic_bool posted;		/* that mail is on its way */
	bool listens;
};

/* --- progress ---------------------------------------------------------------------------- */

struct progress {
	struct handoff *handoff;
	const char *id, *status;
	double percent;
	bool found;
};

static void
tell_progress(void *arg)
{
	struct progress *p = arg;

	p->found = handoff_progress(p->handoff, p->id, p->percent, p->status);
}

static enum err_code
on_progress(void *arg, const char *id, double percent, const char *status, struct err *err)
{
	struct outgoing *g = arg;
	struct progress p = { g->handoff, id, status, percent, false };
	enum err_code code = loop_call(g->loop, tell_progress, &p, PROGRESS_NS, err);

	if (code == ERR_OK && !p.found)
		return err_set(err, ERR_NOT_FOUND, "this program works off no command '%.140s'", id);
	return code;
}

static void
on_config(void *arg, struct str *out)
{
	struct outgoing *g = arg;

	central_tell(g->central, out);
}

/* --- state ------------------------------------------------------------------------------- */

static void
tell(struct outgoing *g)
{
	g->state.connected = conn_state(g->conn) == CONN_UP;
	local_tell(g->local, &g->state);
}

static void
on_changed(struct mail *m)
{
	struct outgoing *g = CONTAINER_OF(m, struct outgoing, changed);

	atomic_store(&g->posted, false);
	tell(g);
}

static void
on_conn(void *arg, enum conn_event ev)
{
	struct outgoing *g = arg;

	if (ev != CONN_EVENT_GAP && !atomic_exchange(&g->posted, true))
		loop_post(g->loop, &g->changed);
}

void
outgoing_tell(struct outgoing *g, const char *program, const char *phase, bool registered)
{
	if (g == NULL)
		return;
	g->state.program = program;
	g->state.phase = phase;
	g->state.registered = registered;
	tell(g);
}

void
outgoing_role(struct outgoing *g, const char *role, uint64_t epoch)
{
	if (g == NULL)
		return;
	g->state.role = role;
	g->state.epoch = epoch;
	tell(g);
}

void
outgoing_calls(struct outgoing *g, int64_t timeout_ns, int retry)
{
	if (g != NULL)
		local_calls(g->local, timeout_ns, retry);
}

/* --- its life ---------------------------------------------------------------------------- */

static enum err_code
open_local(struct outgoing *g, const struct outgoing_opts *o, struct err *err)
{
	struct local_opts l = {
		.conn = g->conn, .caller = g->caller, .publisher = g->publisher, .sender = g->sender,
		.guard = o->guard, .traffic = o->traffic, .gate = o->gate, .fence = o->fence,
		.where = o->where, .directory = o->directory, .service = o->service, .instance = o->instance,
		.version = o->version, .max_waiting = o->max_waiting, .progress = on_progress, .config = on_config, .arg = g,
	};

	if (strcmp(o->where, "auto") == 0) {
		l.where = "unix";
		if ((g->local = local_new(&l, err)) != NULL)
			return ERR_OK;
		log_warning(EV_LOCAL_API, LOG_F(LOG_S("err", err->text)),
		    "the local API has no place for its socket and listens on a port of 127.0.0.1 instead");
		l.where = "http";
	}
	g->local = local_new(&l, err);
	if (g->local != NULL)
		return ERR_OK;
	if (err->code == ERR_SYSTEM)
		err->code = ERR_WRAPPER;	/* no word on the command line is wrong */
	return err->code;
}

struct outgoing *
outgoing_new(const struct outgoing_opts *o, struct err *err)
{
	struct outgoing *g = mem_new(sizeof *g);
	struct err own = { ERR_OK, "" };

	g->loop = o->loop;
	g->conn = o->conn;
	g->publisher = o->publisher;
	g->handoff = o->handoff;
	g->central = o->central;
	g->state = (struct local_state){ .program = "starting", .phase = "starting" };
	g->changed = (struct mail){ .deliver = on_changed, .vital = true };
	g->discovery = discovery_new(&(struct discovery_opts){ .loop = g->loop, .conn = g->conn });
	g->sender = sender_new(&(struct sender_opts){
		.conn = g->conn, .loop = g->loop, .pool = o->pool, .publisher = g->publisher, .source = o->instance,
		.format = DATA_MSGPACK, .traffic = o->traffic,
	});
	g->caller = caller_new(&(struct caller_opts){
		.conn = g->conn, .discovery = g->discovery, .loop = g->loop, .source = o->instance, .format = DATA_MSGPACK,
		.traffic = o->traffic,
	}, &own);
	if (g->caller == NULL || open_local(g, o, &own) != ERR_OK) {
		if (err != NULL)
			*err = own;
		outgoing_free(g);
		return NULL;
	}
	conn_listen(g->conn, on_conn, g);
	g->listens = true;
	log_info(EV_LOCAL_API, LOG_NONE, "the local API serves at %s", local_address(g->local));
	return g;
}

const char *
outgoing_address(const struct outgoing *g)
{
	return local_address(g->local);
}

const char *
outgoing_token(const struct outgoing *g)
{
	return local_token(g->local);
}

void
outgoing_free(struct outgoing *g)
{
	if (g == NULL)
		return;
	if (g->listens)
		conn_unlisten(g->conn, on_conn, g);
	loop_take(g->loop, &g->changed);
	caller_stop(g->caller);
	sender_stop(g->sender);
	publisher_stop(g->publisher);
	local_free(g->local);
	sender_free(g->sender);
	caller_free(g->caller);
	discovery_free(g->discovery);
	mem_free(g);
}
