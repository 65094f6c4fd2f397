/* prepare.c - one per site: how many registers, where, made by whom (election.md §3, §3.2).
 *
 * The record `set` of AEGIS_META settles it: who creates it makes the streams, everybody else waits
 * until it says ready.  A maker that stands still for 30 s is followed by another; it notices,
 * because it writes the record by compare-and-set before everything that it changes.  Streams that stand
 * without a record are taken as they are: whoever leads by them goes on. */
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "election/site_inner.h"
#include "election/streams.h"
#include "nats/kv.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define LOOK_NS (100 * NS_PER_MS)	/* at a record that somebody else is to finish */
#define TAKE_OVER_NS (30 * NS_PER_S)
#define GATHER_NS (10 * NS_PER_S)	/* for a cluster to find its third node */
#define PLACE_TRIES 30
#define SETTLE_NS (3 * NS_PER_S)	/* for a stream to have a leader, or another one */

struct prepare {
	struct conn *conn;
	const struct site_opts *o;
	const _Atomic bool *stop;
	struct lease_set set;
	const struct lease_set *keeps;	/* what the record goes on to say while another set is made; NULL: `set` */
	uint64_t revision;
	bool replicated;
};

static struct mono
now(void)
{
	return clock_mono(clock_system());
}

static bool
pause_a_bit(const struct prepare *p)
{
	thread_pause(LOOK_NS);
	return !atomic_load(p->stop);
}

static void
count_server(void *arg, const char *url)
{
	(void)url;
	++*(unsigned *)arg;
}

unsigned
site_servers(struct conn *c)
{
	unsigned n = 0;

	conn_servers_each(c, count_server, &n);
	return n;
}

/* ensure_meta: three replicas where three nodes have JetStream, which also tells N.  A cluster of which one
 * node is still missing is waited for a little: N is decided once and for all. */
static enum err_code
ensure_meta(struct prepare *p, unsigned *nodes, struct err *err)
{
	struct mono end = mono_after(now(), GATHER_NS);
	enum err_code code;
	unsigned has = 0;
	bool few;

	do {
		code = streams_meta(p->conn, 3, &has, &few, err);
	} while (code != ERR_OK && few && site_servers(p->conn) >= 3 && !mono_reached(now(), end) && pause_a_bit(p));
	if (code != ERR_OK && few)
		code = streams_meta(p->conn, 1, &has, &few, err);
	*nodes = has;
	return code == ERR_EXISTS ? streams_meta(p->conn, 1, nodes, &few, err) : code;
}

static enum err_code
save(struct prepare *p, uint64_t expect, struct err *err)
{
	struct kv kv = { p->conn, META_BUCKET };
	struct str text = STR_INIT;

	lease_set_encode(p->keeps != NULL ? p->keeps : &p->set, &text);
	struct kv_put put = { .key = "set", .value = text.p, .n = text.len, .expect = expect };
	enum err_code code = kv_put(&kv, &put, &p->revision, err);
	str_release(&text);
	return code;
}

static enum err_code
load(struct prepare *p, struct err *err)
{
	struct kv kv = { p->conn, META_BUCKET };
	struct kv_entry e;
	enum err_code code = kv_get(&kv, "set", &e, err);

	if (code != ERR_OK)
		return code;
	p->revision = e.revision;
	code = lease_set_decode(e.value, e.n, &p->set, err);
	kv_entry_release(&e);
	return code;
}

/* --- making ------------------------------------------------------------------------------- */

/* remove_old: what is left of an attempt that was never ready. */
static enum err_code
remove_old(struct prepare *p, unsigned reg, struct err *err)
{
	enum err_code code;

	if ((code = save(p, p->revision, err)) != ERR_OK)
		return code;
	code = streams_remove(p->conn, reg, err);
	return code == ERR_NOT_FOUND ? ERR_OK : code;
}

/* elsewhere: no other register of the set lies on that node; those that are to be placed yet have none. */
static bool
elsewhere(const struct prepare *p, unsigned reg, const char *node)
{
	if (node[0] == '\0')
		return false;
	for (unsigned i = 0; i < p->set.n; i++)
		if (i != reg && strcmp(p->set.node[i], node) == 0)
			return false;
	return true;
}

/* await: looks until the stream is led by somebody, elsewhere than the other registers if `moved`, and has no
 * more replicas than it should. */
static enum err_code
await(struct prepare *p, const struct streams_make *o, unsigned reg, bool moved, struct lease_stream *s, struct err *err)
{
	struct mono end = mono_after(now(), SETTLE_NS);
	enum err_code code;

	do {
		code = streams_look(p->conn, o->reg, STREAMS_ASK_NS, s, err);
		if (code != ERR_OK && code != ERR_UNAVAILABLE && code != ERR_TIMEOUT)
			return code;
		if (code == ERR_OK && s->leader[0] != '\0' && s->peers == o->replicas - 1 &&
		    (!moved || elsewhere(p, reg, s->leader)))
			return ERR_OK;
	} while (!mono_reached(now(), end) && pause_a_bit(p));
	return code;
}

static enum err_code
make(struct prepare *p, struct streams_make *o, struct lease_stream *out, bool *refused, struct err *err)
{
	enum err_code code = remove_old(p, o->reg, err);

	*refused = false;
	o->n = p->set.n;
	o->set = p->set.uuid;
	o->first_seq = clock_wall(clock_system()).ns / NS_PER_MS;
	if (code == ERR_OK)
		code = streams_make(p->conn, o, out, refused, err);
	/* The answer may come before the one node has become the leader of its stream. */
	if (code == ERR_OK && p->set.n == 3 && (out->leader[0] == '\0' || out->peers != o->replicas - 1))
		code = await(p, o, 0, false, out, err);
	return code;
}

/* place: a cluster puts single replicas where most room is, again and again the same.  So the stream is made
 * with three, its lead moved to a node that has no register yet, and the other two replicas dropped: the
 * leader is the one that stays. */
static enum err_code
place(struct prepare *p, unsigned i, struct lease_stream *s, bool *refused, struct err *err)
{
	struct streams_make o = { .reg = i + 1, .replicas = 3 };
	enum err_code code = make(p, &o, s, refused, err);

	for (unsigned k = 0; code == ERR_OK && !elsewhere(p, i, s->leader) && k < s->peers; k++)
		if (elsewhere(p, i, s->peer[k])) {
			code = streams_move(p->conn, o.reg, s->peer[k], err);
			if (code == ERR_OK)
				code = await(p, &o, i, true, s, err);
			break;
		}
	if (code != ERR_OK || !elsewhere(p, i, s->leader))
		return code;
	o.replicas = 1;
	code = streams_update(p->conn, &o, err);
	return code == ERR_OK ? await(p, &o, i, true, s, err) : code;
}

/* make_apart: on a node of its own: by tags, by luck, or by moving. */
static enum err_code
make_apart(struct prepare *p, unsigned i, bool *cannot, struct err *err)
{
	struct streams_make o = { .reg = i + 1, .replicas = 1, .tag = p->o->tag[i] };
	struct lease_stream s;
	enum err_code code = make(p, &o, &s, cannot, err);

	for (unsigned tries = 1; code == ERR_OK && !elsewhere(p, i, s.leader) && tries < PLACE_TRIES &&
	    !atomic_load(p->stop); tries++)
		code = o.tag != NULL ? make(p, &o, &s, cannot, err) : place(p, i, &s, cannot, err);
	if (code != ERR_OK)
		return code;
	if (!elsewhere(p, i, s.leader)) {
		*cannot = !atomic_load(p->stop);
		return err_set(err, *cannot ? ERR_STORE : ERR_CLOSED,
		    "three registers on three nodes could not be had in %d attempts", PLACE_TRIES);
	}
	snprintf(p->set.node[i], sizeof p->set.node[i], "%s", s.leader);
	return ERR_OK;
}

static enum err_code
make_three(struct prepare *p, bool *cannot, struct err *err)
{
	enum err_code code = ERR_OK;

	for (unsigned i = 0; i < 3 && code == ERR_OK; i++)
		code = make_apart(p, i, cannot, err);
	return code;
}

static enum err_code
make_one(struct prepare *p, unsigned replicas, struct err *err)
{
	struct streams_make o = { .reg = REGISTER_ALONE, .replicas = replicas };
	struct lease_stream s;
	bool refused;
	enum err_code code = make(p, &o, &s, &refused, err);

	if (code == ERR_OK)
		snprintf(p->set.node[0], sizeof p->set.node[0], "%s", s.leader);
	return code;
}

/* make_set: §3's table.  A cluster that places no single replicas gets one register of three. */
static enum err_code
make_set(struct prepare *p, unsigned nodes, struct err *err)
{
	bool cannot = false;
	enum err_code code;

	p->set.n = nodes >= 3 ? 3 : 1;
	if (nodes >= 3) {
		code = make_three(p, &cannot, err);
		if (code != ERR_OK && cannot) {
			log_warning(EV_ELECTION_SITE, LOG_F(LOG_S("err", err != NULL ? err->text : "")),
			    "no three registers on three nodes; using one replicated register instead: when its leader dies, "
			    "nobody is active for 4 to 9 s");
			for (unsigned i = 1; i <= 3; i++)
				remove_old(p, i, NULL);
			p->set.n = 1;
			code = make_one(p, 3, err);
		}
	} else
		code = make_one(p, 1, err);
	if (code != ERR_OK)
		return code;
	p->set.ready = true;
	if ((code = save(p, p->revision, err)) != ERR_OK)
		p->set.ready = false;		/* somebody took over meanwhile */
	return code;
}

/* begin: the record says that we are making it; ERR_EXISTS or ERR_REVISION when somebody else is. */
static enum err_code
begin(struct prepare *p, uint64_t expect, unsigned nodes, struct err *err)
{
	memset(&p->set, 0, sizeof p->set);
	id_uuid4(p->set.uuid);
	p->set.n = nodes >= 3 ? 3 : 1;
	enum err_code code = save(p, expect, err);
	return code != ERR_OK ? code : make_set(p, nodes, err);
}

/* is_there: a quorum of the streams of one set of n stands; p->set is that set. */
static bool
is_there(struct prepare *p, unsigned n)
{
	struct lease_stream s;
	unsigned found = 0;

	memset(&p->set, 0, sizeof p->set);
	p->set.n = n;
	for (unsigned i = 0; i < n; i++) {
		unsigned reg = n == 1 ? REGISTER_ALONE : i + 1;
		if (streams_look(p->conn, reg, STREAMS_ASK_NS, &s, NULL) != ERR_OK || s.drift[0] != '\0' || s.set[0] == '\0' ||
		    s.sealed || s.n != n || s.reg != reg || (found > 0 && strcmp(s.set, p->set.uuid) != 0))
			continue;
		memcpy(p->set.uuid, s.set, sizeof p->set.uuid);
		memcpy(p->set.node[i], s.leader, sizeof p->set.node[i]);
		found++;
	}
	return found >= n / 2 + 1;
}

/* adopt: registers without a record: it was lost, and members may lead by them.  They stay as they are. */
static enum err_code
adopt(struct prepare *p, struct err *err)
{
	p->set.ready = true;
	enum err_code code = save(p, KV_ABSENT, err);
	if (code == ERR_OK)
		log_warning(EV_ELECTION_SITE, LOG_F(LOG_S("set", p->set.uuid)),
		    "the record of the registers was lost; they were found and it is written anew");
	else
		p->set.ready = false;
	return code;
}

/* --- one after the other ------------------------------------------------------------------ */

static bool
somebody_else(enum err_code code)
{
	return code == ERR_EXISTS || code == ERR_REVISION;
}

/* settle: until the record says ready. */
static enum err_code
settle(struct prepare *p, unsigned nodes, struct err *err)
{
	struct mono since = now();
	uint64_t seen = 0;

	do {
		enum err_code code = load(p, err);
		if (code == ERR_OK && p->set.ready)
			return ERR_OK;
		if (code == ERR_NOT_FOUND) {
			code = is_there(p, 3) || is_there(p, 1) ? adopt(p, err) : begin(p, KV_ABSENT, nodes, err);
		} else if (code == ERR_OK && p->revision != seen) {
			seen = p->revision;
			since = now();
		} else if (code == ERR_OK && mono_reached(now(), mono_after(since, TAKE_OVER_NS))) {
			log_warning(EV_ELECTION_SITE, LOG_NONE,
			    "whoever began to make the registers stands still for 30 s; making them now");
			code = begin(p, p->revision, nodes, err);
		}
		if (code != ERR_OK && !somebody_else(code))
			return code;
		if (p->set.ready)
			return ERR_OK;
	} while (pause_a_bit(p));
	return err_set(err, ERR_CLOSED, "stopped while waiting for the registers");
}

enum err_code
site_prepare(struct conn *c, const struct site_opts *o, const _Atomic bool *stop, struct site_set *out, struct err *err)
{
	struct prepare p = { .conn = c, .o = o, .stop = stop };
	struct lease_stream s;
	unsigned nodes = 1;
	enum err_code code;

	if ((code = ensure_meta(&p, &nodes, err)) != ERR_OK || (code = settle(&p, nodes, err)) != ERR_OK) {
		err_prefix(err, "election: registers");
		return code;
	}
	out->set = p.set;
	out->replicated = false;
	if (p.set.n == 1) {
		if ((code = streams_look(c, REGISTER_ALONE, STREAMS_ASK_NS, &s, err)) != ERR_OK)
			return code;
		out->replicated = s.replicas > 1;
	}
	return ERR_OK;
}

/* --- an operator's word ------------------------------------------------------------------- */

static const _Atomic bool goes_on;
static const struct site_opts no_tags;

/* load_or_adopt: as members do when the record was lost, but nothing is begun here. */
static enum err_code
load_or_adopt(struct prepare *p, struct err *err)
{
	enum err_code code = load(p, err);
	unsigned nodes = 1;

	if (code != ERR_NOT_FOUND || (!is_there(p, 3) && !is_there(p, 1)))
		return code;
	code = ensure_meta(p, &nodes, err);
	return code == ERR_OK ? adopt(p, err) : code;
}

enum err_code
site_load(struct conn *c, struct site_set *out, struct err *err)
{
	struct prepare p = { .conn = c, .o = &no_tags, .stop = &goes_on };
	struct lease_stream s;
	enum err_code code = load_or_adopt(&p, err);

	if (code == ERR_NOT_FOUND || (code == ERR_OK && !p.set.ready))
		return err_set(err, ERR_NOT_FOUND, "no election was ever held here: there is no set of registers in %s", META_BUCKET);
	if (code != ERR_OK)
		return code;
	*out = (struct site_set){ .set = p.set };
	out->replicated = p.set.n == 1 && streams_look(c, REGISTER_ALONE, STREAMS_ASK_NS, &s, NULL) == ERR_OK && s.replicas > 1;
	return ERR_OK;
}

enum err_code
site_build(struct conn *c, unsigned n, struct site_change *out, struct err *err)
{
	struct prepare p = { .conn = c, .o = &no_tags, .stop = &goes_on };
	enum err_code code = load(&p, err);
	bool cannot = false;

	if (code != ERR_OK)
		return code;
	out->old = p.set;
	p.keeps = &out->old;
	memset(&p.set, 0, sizeof p.set);
	id_uuid4(p.set.uuid);
	p.set.n = n;
	code = n == 3 ? make_three(&p, &cannot, err) : make_one(&p, 1, err);
	if (code != ERR_OK)
		return err_prefix(err, "the new registers"), code;
	p.set.ready = true;
	out->fresh = p.set;
	out->revision = p.revision;
	return ERR_OK;
}

enum err_code
site_switch(struct conn *c, struct site_change *s, struct err *err)
{
	struct prepare p = { .conn = c, .o = &no_tags, .stop = &goes_on, .set = s->fresh, .revision = s->revision };
	enum err_code code = save(&p, s->revision, err);

	if (code == ERR_REVISION)
		err_set(err, code, "somebody else changed the record of the registers meanwhile; try again");
	return code;
}

/* where_they_are: the record tells where the registers were put; they may have been moved since. */
static void
where_they_are(struct prepare *p, unsigned but)
{
	struct lease_stream s;

	for (unsigned i = 0; i < p->set.n; i++)
		if (i != but && streams_look(p->conn, i + 1, STREAMS_ASK_NS, &s, NULL) == ERR_OK && s.leader[0] != '\0')
			memcpy(p->set.node[i], s.leader, sizeof p->set.node[i]);
	p->set.node[but][0] = '\0';
}

enum err_code
site_replace(struct conn *c, struct site_set *out, unsigned r, struct err *err)
{
	struct prepare p = { .conn = c, .o = &no_tags, .stop = &goes_on };
	bool cannot = false;
	enum err_code code = load(&p, err);

	if (code != ERR_OK)
		return code;
	if (p.set.n == 3) {
		where_they_are(&p, r);
		code = make_apart(&p, r, &cannot, err);
	} else
		code = make_one(&p, out->replicated ? 3 : 1, err);
	if (code == ERR_OK && (code = save(&p, p.revision, err)) == ERR_OK)
		out->set = p.set;
	return code;
}
