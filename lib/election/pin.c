/* pin.c - which address leads to the node, and whether that node is the right one.
 *
 * Configured addresses and those that servers tell of are tried one at a time, because a name is
 * known only once a connection stands. */
#include "election/pin.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "election/site_inner.h"
#include "election/streams.h"
#include "nats/conn.h"
#include "sys/clock.h"

#define CONNECT_NS (200 * NS_PER_MS)	/* election.md §13 */
#define WRITE_NS (30 * NS_PER_MS)	/* D/4 of the fastest profile */
#define QUIET_NS (500 * NS_PER_MS)	/* between two reasons in the log, doubled up to … */
#define QUIET_LONGEST_NS (32 * NS_PER_S)
#define LOOK_NS (500 * NS_PER_MS)
#define FORGET_AFTER 50			/* failures at the address that led to the node before all are tried */
#define URLS_MAX 64
#define PINGS 3

struct urls {
	char *v[URLS_MAX];
	size_t n;
	const char *model;		/* the first configured one: scheme and user of those that are told of */
};

static void
add_url(struct urls *u, const char *url, size_t n)
{
	if (u->n == URLS_MAX || n == 0)
		return;
	for (size_t i = 0; i < u->n; i++)
		if (strlen(u->v[i]) == n && memcmp(u->v[i], url, n) == 0)
			return;
	u->v[u->n++] = mem_text_n(url, n);
}

/* add_told: an advertised server has neither our scheme nor our user in front. */
static void
add_told(void *arg, const char *url)
{
	struct urls *u = arg;
	const char *host = strstr(url, "://"), *scheme = strstr(u->model, "://");
	const char *at = strrchr(u->model, '@');

	host = host != NULL ? host + 3 : url;
	size_t prefix = at != NULL ? (size_t)(at + 1 - u->model) : scheme != NULL ? (size_t)(scheme + 3 - u->model) : 0;
	for (size_t i = 0; i < u->n; i++) {
		size_t have = strlen(u->v[i]), want = strlen(host);
		if (have >= want && strcmp(u->v[i] + have - want, host) == 0)
			return;
	}
	char *full = mem_printf("%.*s%s", (int)prefix, u->model, host);
	add_url(u, full, strlen(full));
	mem_free(full);
}

static void
list_urls(struct pin *p, struct urls *u)
{
	const char *list = p->o->site->access.servers;
	char *model = mem_text_n(list, strcspn(list, ","));

	u->n = 0;
	for (; *list != '\0'; list += strspn(list, ", "))  {
		size_t n = strcspn(list, ", ");
		add_url(u, list, n);
		list += n;
	}
	u->model = model;
	conn_servers_each(p->o->site->o.conn, add_told, u);
	mem_free(model);
}

static void
free_urls(struct urls *u)
{
	for (size_t i = 0; i < u->n; i++)
		mem_free(u->v[i]);
}

/* pin_say: why there is no link, for the status and the log.  Reasons may alternate with every address that is
 * tried, so each that is logged doubles the silence after it; the one that stays is heard in any case. */
void
pin_say(struct pin *p, const char *fmt, ...)
{
	va_list ap;
	char why[sizeof p->told];

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	memcpy(p->told, why, sizeof why);
	if (why[0] == '\0') {
		p->heard[0] = '\0';
		return;
	}
	struct mono now = clock_mono(clock_system());
	if (strcmp(why, p->heard) == 0 || !mono_reached(now, p->silent))
		return;
	/* Only a long peace makes the next outage a new one: a link may come and go. */
	bool fresh = p->quiet_ns == 0 || mono_reached(now, mono_after(p->silent, QUIET_LONGEST_NS));
	p->quiet_ns = fresh ? QUIET_NS : 2 * p->quiet_ns;
	if (p->quiet_ns > QUIET_LONGEST_NS)
		p->quiet_ns = QUIET_LONGEST_NS;
	p->silent = mono_after(now, p->quiet_ns);
	memcpy(p->heard, why, sizeof why);
	log_warning(EV_ELECTION_REGISTER, LOG_F(LOG_N("register", p->o->number), LOG_S("err", why)),
	    "register %u cannot be used: %s; trying every 20 ms", p->o->number, why);
}

static struct conn *
connect_to(struct pin *p, const char *url)
{
	struct conn_opts o = p->o->site->access;
	char name[192];
	struct err err = { 0 };

	snprintf(name, sizeof name, "aegis lease %u %s", p->o->number, p->o->site->o.member != NULL ? p->o->site->o.member : "");
	o.servers = url;
	o.name = name;
	o.pinned = true;
	o.wait = false;
	o.timeout_ns = CONNECT_NS;
	o.write_deadline_ns = WRITE_NS;
	struct conn *c = conn_new(&o, &err);
	if (c == NULL)
		pin_say(p, "%s", err.text);
	return c;
}

/* is_node: this connection leads where it should. */
static bool
is_node(struct pin *p, struct conn *c)
{
	char name[NODE_MAX];

	if (p->want[0] == '\0')
		return true;		/* alone, or any will do */
	conn_server_name(c, name, sizeof name);
	return strcmp(name, p->want) == 0;
}

/* is_sound: §3.4, 3: this server leads, configuration and set are right.  stands: looked at again. */
static bool
is_sound(struct pin *p, struct conn *c, bool stands)
{
	struct lease_stream s;
	struct err err = { 0 };
	char name[NODE_MAX];

	enum err_code code = streams_look(c, p->o->number, LOOK_NS, &s, &err);
	if (code != ERR_OK && code != ERR_NOT_FOUND && stands)
		return true;		/* silence is no mismatch; the lease's own writes judge it */
	if (code != ERR_OK) {
		pin_say(p, "%s%s", err.text, code != ERR_NOT_FOUND ? "" : "; `aegis elect --repair` makes it anew, or, when the server "
		    "has lost all its data, a new start of every member");
		return false;
	}
	conn_server_name(c, name, sizeof name);
	if (s.drift[0] != '\0')
		pin_say(p, "the configuration of KV_AEGIS_L%u is wrong: %s; `aegis elect --repair` puts it right", p->o->number, s.drift);
	else if (strcmp(s.set, p->set) != 0 || s.n != p->o->n || s.reg != p->o->number)
		pin_say(p, "KV_AEGIS_L%u belongs to set '%s' of %u, not to '%s' of %u: start this member anew",
		    p->o->number, s.set, s.n, p->set, p->o->n);
	else if (!p->o->replicated && s.leader[0] != '\0' && strcmp(s.leader, name) != 0)
		pin_say(p, "KV_AEGIS_L%u is led by %s, not by %s", p->o->number, s.leader, name);
	else
		return true;
	return false;
}

/* learn_node: any node may be asked; while the right one is down nobody answers, and the set's record has
 * to do. */
static void
learn_node(struct pin *p)
{
	struct lease_stream s;

	if (p->o->replicated) {
		p->want[0] = '\0';
		return;
	}
	if (conn_state(p->o->site->o.conn) == CONN_UP &&
	    streams_look(p->o->site->o.conn, p->o->number, LOOK_NS, &s, NULL) == ERR_OK)
		memcpy(p->want, s.leader, sizeof p->want);
	else
		memcpy(p->want, p->node, sizeof p->want);
}

static void
measure(struct pin *p, struct conn *c)
{
	p->rtt_ns = 0;
	for (int i = 0; i < PINGS; i++) {
		int64_t ns = conn_rtt_ns(c);
		if (ns > 0 && (p->rtt_ns == 0 || ns < p->rtt_ns))
			p->rtt_ns = ns;
	}
}

static struct conn *
try_url(struct pin *p, const char *url)
{
	struct conn *c = connect_to(p, url);

	if (c == NULL)
		return NULL;
	if (!is_node(p, c)) {
		conn_free(c);
		return NULL;
	}
	if (is_sound(p, c, false)) {
		measure(p, c);
		snprintf(p->url, sizeof p->url, "%s", url);
		p->failures = 0;
		return c;
	}
	conn_free(c);
	return NULL;
}

/* pin_find: the address of before is the right one when the node was only restarted. */
struct conn *
pin_find(struct pin *p, bool (*stopping)(void *arg), void *arg)
{
	struct conn *c = p->url[0] != '\0' ? try_url(p, p->url) : NULL;
	struct urls u;

	if (c != NULL || (p->url[0] != '\0' && ++p->failures % FORGET_AFTER != 0))
		return c;
	learn_node(p);
	list_urls(p, &u);
	for (size_t i = 0; i < u.n && c == NULL && !stopping(arg); i++)
		c = try_url(p, u.v[i]);
	if (c == NULL && p->told[0] == '\0')
		pin_say(p, "no known address leads to node '%s'", p->want);
	free_urls(&u);
	return c;
}

bool
pin_stands(struct pin *p, struct conn *c)
{
	return is_sound(p, c, true);
}

void
pin_init(struct pin *p, const struct link_opts *o)
{
	*p = (struct pin){ .o = o };
	snprintf(p->node, sizeof p->node, "%s", o->node);
	snprintf(p->set, sizeof p->set, "%s", o->set);
}
