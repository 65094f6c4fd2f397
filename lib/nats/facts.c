/* facts.c - reading $SYS.REQ.USER.INFO. */
#include "nats/facts.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/wall.h"
#include "codec/codec.h"
#include "nats/conn.h"
#include "nats/conn_inner.h"
#include "sys/clock.h"

#define PINGS 3

static void
count_server(void *arg, const char *url)
{
	unsigned *n = arg;

	(void)url;
	++*n;
}

static void
take(const struct value *v, char *out, size_t size)
{
	struct text t = { "", 0 };

	value_text(v, &t);
	snprintf(out, size, "%.*s", (int)(t.n < size ? t.n : size - 1), t.p);
}

/* take_list: copies go one behind the other into *room, which is as long as the whole answer. */
static size_t
take_list(const struct value *v, const char *out[PERMISSION_SUBJECTS], bool *cut, char **room)
{
	size_t n = 0;

	for (uint32_t i = 0; v != NULL && v->type == VALUE_ARRAY && i < v->n; i++) {
		struct text t;
		if (!value_text(&v->u.items[i], &t))
			continue;
		if (n == PERMISSION_SUBJECTS) {
			*cut = true;
			break;
		}
		memcpy(*room, t.p, t.n);
		(*room)[t.n] = '\0';
		out[n++] = *room;
		*room += t.n + 1;
	}
	return n;
}

static void
take_permission(const struct value *v, struct permission *out, char **room)
{
	const struct value *allow = value_field(v, "allow");

	out->all = allow == NULL || allow->type != VALUE_ARRAY || allow->n == 0;
	out->nallow = take_list(allow, out->allow, &out->cut, room);
	out->ndeny = take_list(value_field(v, "deny"), out->deny, &out->cut, room);
}

static enum err_code
read_facts(struct msg *reply, struct server_facts *out, struct err *err)
{
	struct data d = { DATA_JSON, msg_data(reply), msg_size(reply) };
	struct text t;
	struct value v;
	enum err_code code = codec_parse(codec_mine(), d, &v, err);

	if (code != ERR_OK)
		return err_prefix(err, "nats: answer to $SYS.REQ.USER.INFO"), code;
	const struct value *server = value_field(&v, "server"), *data = value_field(&v, "data");
	take(value_field(server, "name"), out->name, sizeof out->name);
	take(value_field(server, "ver"), out->version, sizeof out->version);
	take(value_field(server, "cluster"), out->cluster, sizeof out->cluster);
	take(value_field(data, "user"), out->user, sizeof out->user);
	take(value_field(data, "account"), out->account, sizeof out->account);
	if (value_text(value_field(server, "time"), &t))
		wall_parse(t.p, t.n, &out->time);
	const struct value *p = value_field(data, "permissions");
	/* A quoted subject is at least two bytes longer than its copy. */
	char *room = out->text = mem_new(msg_size(reply) + 1);
	take_permission(value_field(p, "publish"), &out->publish, &room);
	take_permission(value_field(p, "subscribe"), &out->subscribe, &room);
	return ERR_OK;
}

/* nearest: the shortest of several round trips tells how far away it is; one alone may tell how busy we are. */
static void
nearest(struct conn *c, struct server_facts *out)
{
	for (int i = 0; i < PINGS; i++) {
		int64_t ns = conn_rtt_ns(c);
		if (ns < 0)
			return;
		out->rtt_ns = ns < out->rtt_ns ? ns : out->rtt_ns;
	}
}

enum err_code
server_facts_ask(struct conn *c, struct server_facts *out, struct err *err)
{
	struct conn_msg m = { .subject = "$SYS.REQ.USER.INFO", .urgent = true };
	struct msg *reply;

	memset(out, 0, sizeof *out);
	out->publish.all = out->subscribe.all = true;
	conn_servers_each(c, count_server, &out->servers);
	struct mono sent = clock_mono(clock_system());
	struct wall before = clock_wall(clock_system());
	enum err_code code = conn_request(c, &m, conn_timeout_ns(c), &reply, err);
	if (code != ERR_OK)
		return conn_explain(c, code, err);
	out->rtt_ns = mono_since(clock_mono(clock_system()), sent);
	code = read_facts(reply, out, err);
	msg_free(reply);
	if (code == ERR_OK && out->time.ns != 0) {
		out->unsure_ns = out->rtt_ns / 2;
		out->ahead_ns = out->time.ns - before.ns - out->unsure_ns;
	}
	nearest(c, out);
	return code;
}

void
server_facts_release(struct server_facts *f)
{
	mem_free(f->text);
	memset(f, 0, sizeof *f);
}

bool
version_below(const char *version, unsigned major, unsigned minor)
{
	unsigned a, b;

	if (sscanf(version, "%u.%u", &a, &b) != 2)
		return false;
	return a < major || (a == major && b < minor);
}
