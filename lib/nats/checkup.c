/* checkup.c - the connection's own rows: version, clock, permissions. */
#include "nats/checkup.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/str.h"
#include "sys/clock.h"

#define CLOCK_WARN_NS (1 * NS_PER_S)	/* heartbeats are 10 s apart, so nobody notices less */
#define CLOCK_BAD_NS (10 * NS_PER_S)	/* with 35 s of patience, a third of it */
#define RTT_WARN_NS (60 * NS_PER_MS)	/* a quarter of the default lease (election.md §3.3) */

enum err_code
checkup_begin(struct checkup *c, struct conn *conn, struct err *err)
{
	c->conn = conn;
	c->told = server_facts_ask(conn, &c->server, &c->silence) == ERR_OK;
	enum err_code code = jetstream_probe(conn, &c->jetstream, err);
	/* Who may not hear answers gets none to anything; the first question was told why. */
	if (code == ERR_TIMEOUT && c->silence.code == ERR_DENIED && err != NULL)
		*err = c->silence;
	return code;
}

void
checkup_end(struct checkup *c)
{
	server_facts_release(&c->server);
	c->told = false;
}

int
checkup_replicas(const struct checkup *c)
{
	return c->server.cluster[0] != '\0' && c->server.servers >= 3 ? 3 : 1;
}

struct wall
checkup_now(const struct checkup *c)
{
	struct wall now = clock_wall(clock_system());

	now.ns += c->server.ahead_ns;
	return now;
}

void
checkup_failed(struct checkup *c, const struct err *err)
{
	c->blind++;
	findings_add(c->out, FINDING_WARNING, err->code, err->code == ERR_DENIED ? "aegis doctor --role admin" : NULL,
	    "cannot look: %s", err->text);
}

/* place: the subject as this connection would send it. */
static const char *
place(const struct checkup *c, const char *subject, char out[256])
{
	if (strncmp(subject, "$JS.API.", 8) != 0)
		return subject;
	snprintf(out, 256, "%s.%s", conn_js_prefix(c->conn), subject + 8);
	return out;
}

bool
checkup_may(struct checkup *c, const char *subject)
{
	char buf[256];
	struct err err;
	const char *there = place(c, subject, buf);

	if (!c->told || permission_allows(&c->server.publish, there))
		return true;
	err_set(&err, ERR_DENIED, "user '%s' may not publish to %s", c->server.user, there);
	checkup_failed(c, &err);
	return false;
}

/* --- version ------------------------------------------------------------------------------ */

static void
check_version(struct checkup *c)
{
	const char *v = c->server.version;

	if (c->told && version_below(v, 2, 10))
		findings_add(c->out, FINDING_CRITICAL, ERR_CONFIG, "upgrade nats-server to 2.11 or later",
		    "nats-server %s is too old: 2.11 is the version to run, 2.10 works degraded, older is refused", v);
	else if (!c->jetstream.ttl)
		findings_add(c->out, FINDING_WARNING, ERR_CONFIG, "upgrade nats-server to 2.11 or later",
		    "nats-server %s (JetStream API level %d, 1 is needed) works degraded: no record expires, so dead instances stay "
		    "in the bucket and are hidden by the age check only", v[0] != '\0' ? v : "before 2.11", c->jetstream.api_level);
	if (!c->told)
		findings_add(c->out, FINDING_NOTE, c->silence.code, "allow the user to publish to '$SYS.REQ.USER.INFO'",
		    "the server does not tell who it is, so version, clock and permissions are not judged: %s", c->silence.text);
}

/* --- clock and distance --------------------------------------------------------------------- */

static void
check_clock(struct checkup *c)
{
	int64_t off = c->server.ahead_ns, size = off < 0 ? -off : off;

	if (!c->told || c->server.time.ns == 0 || size - c->server.unsure_ns <= CLOCK_WARN_NS)
		return;
	findings_add(c->out, size > CLOCK_BAD_NS ? FINDING_CRITICAL : FINDING_WARNING, ERR_SYSTEM, "timedatectl set-ntp true",
	    "the clock of server %s is %lld.%03lld s %s this machine's: instances look %s than they are, and ages on the page are wrong",
	    c->server.name, (long long)(size / NS_PER_S), (long long)(size % NS_PER_S / NS_PER_MS), off < 0 ? "behind" : "ahead of",
	    off < 0 ? "older" : "younger");
}

static void
check_distance(struct checkup *c)
{
	if (c->told && c->server.rtt_ns > RTT_WARN_NS)
		findings_add(c->out, FINDING_WARNING, ERR_TIMEOUT, "aegis elect GROUP --profile wan -- CMD",
		    "the server answers after %lld ms; a lease of the default profile needs answers within %lld ms",
		    (long long)(c->server.rtt_ns / NS_PER_MS), (long long)(RTT_WARN_NS / NS_PER_MS));
}

/* --- permissions ---------------------------------------------------------------------------- */

/* What a role needs.  A subject that begins with a JetStream API verb is written with $JS.API here and judged under
 * the prefix of this connection. */
struct need {
	enum checkup_role role;
	bool subscribe;
	const char *subject;
	int replicas;			/* where so many are possible, which is also how many registers there are; 0: anywhere */
};

#define PUB(role, subject) { role, false, subject, 0 }
#define SUB(role, subject) { role, true, subject, 0 }
#define REG(n, subject) { ROLE_LEADER, false, subject, n }

static const struct need needs[] = {
	SUB(ROLE_CALLER, "_INBOX.>"),
	PUB(ROLE_CALLER, "rpc.>"),
	PUB(ROLE_CALLER, "events.>"),
	PUB(ROLE_CALLER, "commands.>"),
	PUB(ROLE_CALLER, "$JS.API.INFO"),
	PUB(ROLE_CALLER, "$JS.API.STREAM.INFO.KV_service_registry"),
	PUB(ROLE_CALLER, "$JS.API.STREAM.MSG.GET.KV_service_registry"),
	PUB(ROLE_CALLER, "$JS.API.CONSUMER.CREATE.KV_service_registry"),
	SUB(ROLE_CALLER, "aegis.hb.>"),
	SUB(ROLE_MEMBER, "rpc.>"),
	PUB(ROLE_MEMBER, "$KV.service_registry.>"),
	PUB(ROLE_MEMBER, "internal.>"),
	PUB(ROLE_MEMBER, "aegis.hb.>"),
	SUB(ROLE_MEMBER, "aegis.ctl.>"),
	SUB(ROLE_MEMBER, "$SRV.>"),
	PUB(ROLE_MEMBER, "$SRV.>"),
	PUB(ROLE_MEMBER, "$JS.API.CONSUMER.DURABLE.CREATE.>"),
	PUB(ROLE_MEMBER, "$JS.API.CONSUMER.MSG.NEXT.>"),
	PUB(ROLE_MEMBER, "$JS.ACK.>"),
	PUB(ROLE_MEMBER, "dlq.>"),
	PUB(ROLE_LEADER, "$KV.AEGIS_META.>"),
	PUB(ROLE_LEADER, "$JS.API.STREAM.INFO.KV_AEGIS_META"),
	PUB(ROLE_LEADER, "$JS.API.STREAM.MSG.GET.KV_AEGIS_META"),
	REG(1, "$KV.AEGIS_L0.>"),
	REG(1, "$JS.API.STREAM.INFO.KV_AEGIS_L0"),
	REG(1, "$JS.API.STREAM.MSG.GET.KV_AEGIS_L0"),
	REG(3, "$KV.AEGIS_L1.>"),
	REG(3, "$JS.API.STREAM.INFO.KV_AEGIS_L1"),
	REG(3, "$JS.API.STREAM.MSG.GET.KV_AEGIS_L1"),
	REG(3, "$KV.AEGIS_L2.>"),
	REG(3, "$JS.API.STREAM.INFO.KV_AEGIS_L2"),
	REG(3, "$JS.API.STREAM.MSG.GET.KV_AEGIS_L2"),
	REG(3, "$KV.AEGIS_L3.>"),
	REG(3, "$JS.API.STREAM.INFO.KV_AEGIS_L3"),
	REG(3, "$JS.API.STREAM.MSG.GET.KV_AEGIS_L3"),
	SUB(ROLE_LEADER, "aegis.lease.>"),
	PUB(ROLE_ADMIN, "$JS.API.STREAM.CREATE.*"),
	PUB(ROLE_ADMIN, "$JS.API.STREAM.UPDATE.*"),
	PUB(ROLE_ADMIN, "$JS.API.STREAM.PURGE.*"),
	PUB(ROLE_ADMIN, "$JS.API.STREAM.MSG.DELETE.*"),
	PUB(ROLE_ADMIN, "$JS.API.CONSUMER.LIST.*"),
	PUB(ROLE_ADMIN, "aegis.ctl.>"),
};

static const struct { const char *name, *does; } roles[] = {
	[ROLE_ANY] = { "any", "" },
	[ROLE_CALLER] = { "caller", "find services and call them" },
	[ROLE_MEMBER] = { "member", "run a registered service" },
	[ROLE_LEADER] = { "leader", "take part in an election" },
	[ROLE_ADMIN] = { "admin", "make and change streams, and look after them" },
};

/* refused: what of it a role may not, as one list; how many. */
static size_t
refused(const struct checkup *c, enum checkup_role role, bool subscribe, struct str *out)
{
	const struct permission *p = subscribe ? &c->server.subscribe : &c->server.publish;
	char subject[256];
	size_t n = 0;

	for (size_t i = 0; i < COUNT_OF(needs); i++)
		if (needs[i].role == role && needs[i].subscribe == subscribe &&
		    (needs[i].replicas == 0 || needs[i].replicas == checkup_replicas(c)) &&
		    !permission_allows(p, place(c, needs[i].subject, subject)))
			str_printf(out, "%s%s", n++ > 0 ? ", " : "", place(c, needs[i].subject, subject));
	return n;
}

static void
check_role(struct checkup *c, enum checkup_role role)
{
	struct str publish = STR_INIT, subscribe = STR_INIT;
	size_t p = refused(c, role, false, &publish), s = refused(c, role, true, &subscribe);
	char remedy[320];

	snprintf(remedy, sizeof remedy, "allow user '%s' these subjects in the server's configuration, then: aegis doctor --role %s",
	    c->server.user, roles[role].name);
	if (p + s > 0)
		findings_add(c->out, role == c->role ? FINDING_CRITICAL : FINDING_NOTE, ERR_DENIED, remedy,
		    "user '%s' cannot %s: it may not %s%s%s%s%s", c->server.user, roles[role].does, p > 0 ? "publish to " : "",
		    str_text(&publish), p > 0 && s > 0 ? "; and not " : "", s > 0 ? "subscribe to " : "", str_text(&subscribe));
	str_release(&publish);
	str_release(&subscribe);
}

static void
check_permissions(struct checkup *c)
{
	for (enum checkup_role r = ROLE_CALLER; c->told && r <= ROLE_ADMIN; r++)
		if (c->role == ROLE_ANY || c->role == r)
			check_role(c, r);
}

const struct check nats_checks[] = {
	{ "nats.version", "what the server is", NEEDS_JETSTREAM, check_version, NULL },
	{ "nats.clock", "the clock of this machine and of the server", NEEDS_NATS, check_clock, NULL },
	{ "nats.distance", "how far away the server is", NEEDS_NATS, check_distance, NULL },
	{ "nats.permissions", "what the user may do", NEEDS_NATS, check_permissions, NULL },
	{ NULL, NULL, NEEDS_NATS, NULL, NULL },
};
