/* consumer_wire.c - one answer, two questions, and what differs. */
#include "nats/consumer_wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/num.h"
#include "base/wall.h"
#include "codec/codec.h"

struct consumer_opts
consumer_defaults(const struct consumer_opts *o)
{
	struct consumer_opts d = *o;

	d.ack_wait_ns = d.ack_wait_ns > 0 ? d.ack_wait_ns : 30 * NS_PER_S;
	d.max_deliver = d.max_deliver > 0 ? d.max_deliver : -1;
	d.max_ack_pending = d.max_ack_pending > 0 ? d.max_ack_pending : 1000;
	d.window = d.window > 0 ? d.window : 64;
	return d;
}

/* --- writing ----------------------------------------------------------------------------- */

/* put_filter: servers before 2.10 know the single form only, so it is used where it will do. */
static void
put_filter(struct pack *p, const char *filter)
{
	uint32_t n = 1;

	for (const char *c = filter; *c != '\0'; c++)
		n += *c == ',';
	if (n == 1) {
		pack_key_puts(p, "filter_subject", filter);
		return;
	}
	pack_key_array(p, "filter_subjects", n);
	for (size_t len; n > 0; n--, filter += len + 1) {
		len = strcspn(filter, ",");
		pack_text(p, (struct text){ filter, len });
	}
}

static void
put_config(struct pack *p, const struct consumer_opts *o, const char *deliver_subject)
{
	static const char *const policy[] = {
		[CONSUMER_ALL] = "all", [CONSUMER_NEW] = "new", [CONSUMER_LAST] = "last", [CONSUMER_SINCE] = "by_start_time",
	};
	char since[WALL_TEXT_MAX];
	uint32_t more = (o->deliver == CONSUMER_SINCE) + (o->inactive_ns > 0) + 2 * (deliver_subject != NULL);

	pack_map(p, 9 + more);
	pack_key_puts(p, "durable_name", o->durable);
	pack_key_puts(p, "name", o->durable);
	put_filter(p, o->filter);
	pack_key_puts(p, "deliver_policy", policy[o->deliver]);
	if (o->deliver == CONSUMER_SINCE) {
		wall_rfc3339(o->since, since);
		pack_key_puts(p, "opt_start_time", since);
	}
	pack_key_puts(p, "ack_policy", "explicit");
	pack_key_int(p, "ack_wait", o->ack_wait_ns);
	pack_key_int(p, "max_deliver", o->max_deliver);
	pack_key_int(p, "max_ack_pending", o->max_ack_pending);
	pack_key_puts(p, "replay_policy", "instant");
	if (o->inactive_ns > 0)
		pack_key_int(p, "inactive_threshold", o->inactive_ns);
	if (deliver_subject != NULL) {
		pack_key_puts(p, "deliver_subject", deliver_subject);
		pack_key_puts(p, "deliver_group", o->durable);
	}
}

void
consumer_write_create(const struct consumer_opts *o, const char *deliver_subject, struct str *out)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 3);
	pack_key_puts(&p, "stream_name", o->stream);
	pack_key(&p, "config");
	put_config(&p, o, deliver_subject);
	pack_key_puts(&p, "action", "create");
	MUST(pack_end(&p, NULL) == ERR_OK);
}

void
consumer_write_pull(unsigned batch, int64_t expires_ns, int64_t heartbeat_ns, struct str *out)
{
	str_printf(out, "{\"batch\":%u,\"expires\":%" PRId64 ",\"idle_heartbeat\":%" PRId64 "}", batch, expires_ns,
	    heartbeat_ns);
}

/* --- reading ----------------------------------------------------------------------------- */

static void
take_text(const struct value *map, const char *key, char *out, size_t n)
{
	struct text t;

	out[0] = '\0';
	if (value_text(value_field(map, key), &t))
		snprintf(out, n, "%.*s", (int)(t.n < n ? t.n : n), t.p);
}

static uint64_t
take_count(const struct value *map, const char *key)
{
	int64_t v = 0;

	value_int(value_field(map, key), &v);
	return v > 0 ? (uint64_t)v : 0;
}

/* take_filters: several, as consumer_opts has them. */
static void
take_filters(const struct value *list, char *out, size_t n)
{
	struct text t;

	for (uint32_t i = 0; list != NULL && list->type == VALUE_ARRAY && i < list->n; i++) {
		size_t at = strlen(out);
		if (value_text(&list->u.items[i], &t))
			snprintf(out + at, n - at, "%s%.*s", i > 0 ? "," : "", (int)(t.n < n ? t.n : n), t.p);
	}
}

static void
take_config(const struct value *config, struct consumer_answer *out)
{
	char policy[16];

	take_text(config, "deliver_subject", out->deliver_subject, sizeof out->deliver_subject);
	take_text(config, "deliver_group", out->deliver_group, sizeof out->deliver_group);
	take_text(config, "filter_subject", out->filter, sizeof out->filter);
	take_filters(value_field(config, "filter_subjects"), out->filter, sizeof out->filter);
	take_text(config, "ack_policy", policy, sizeof policy);
	out->explicit_ack = strcmp(policy, "explicit") == 0;
	out->push = out->deliver_subject[0] != '\0';
	value_int(value_field(config, "ack_wait"), &out->ack_wait_ns);
	value_int(value_field(config, "max_deliver"), &out->max_deliver);
	value_int(value_field(config, "max_ack_pending"), &out->max_ack_pending);
}

enum err_code
consumer_read(const void *data, size_t n, struct consumer_answer *out, struct err *err)
{
	struct value v;

	memset(out, 0, sizeof *out);
	if (n == 0 || codec_parse(codec_mine(), (struct data){ DATA_JSON, data, n }, &v, err) != ERR_OK)
		return err_set(err, ERR_CORRUPT, "the answer of the consumer API is not readable");
	const struct value *e = value_field(&v, "error"), *config = value_field(&v, "config");
	if (e != NULL) {
		value_int(value_field(e, "err_code"), &out->error);
		value_int(value_field(e, "code"), &out->status);
		take_text(e, "description", out->words, sizeof out->words);
		if (out->error == 0)
			out->error = -1;
		return ERR_OK;
	}
	if (config == NULL || config->type != VALUE_MAP)
		return err_set(err, ERR_CORRUPT, "the answer of the consumer API has no config");
	take_config(config, out);
	take_text(&v, "created", out->created, sizeof out->created);
	value_bool(value_field(&v, "push_bound"), &out->bound);
	out->pending = take_count(&v, "num_pending");
	out->unacked = take_count(&v, "num_ack_pending");
	out->redelivered = take_count(&v, "num_redelivered");
	out->waiting = take_count(&v, "num_waiting");
	return ERR_OK;
}

/* --- comparing --------------------------------------------------------------------------- */

static void
differ(char *out, size_t n, const char *what, const char *is, const char *wanted)
{
	size_t at = strlen(out);

	snprintf(out + at, n - at, "%s%s %s instead of %s", at > 0 ? ", " : "", what, is, wanted);
}

static void
compare_number(char *out, size_t n, const char *what, int64_t is, int64_t wanted)
{
	char a[24], b[24];

	snprintf(a, sizeof a, "%" PRId64, is);
	snprintf(b, sizeof b, "%" PRId64, wanted);
	if (is != wanted)
		differ(out, n, what, a, b);
}

void
consumer_compare(const struct consumer_opts *o, const struct consumer_answer *a, char *out, size_t n)
{
	char is[NUM_TEXT_MAX], wanted[NUM_TEXT_MAX];

	out[0] = '\0';
	if (strcmp(a->filter, o->filter) != 0)
		differ(out, n, "filter", a->filter[0] != '\0' ? a->filter : "none", o->filter);
	if (!a->explicit_ack)
		differ(out, n, "ack policy", "another", "explicit");
	if (a->ack_wait_ns != o->ack_wait_ns) {
		num_duration_text(a->ack_wait_ns, is);
		num_duration_text(o->ack_wait_ns, wanted);
		differ(out, n, "ack_wait", is, wanted);
	}
	compare_number(out, n, "max_deliver", a->max_deliver, o->max_deliver);
	compare_number(out, n, "max_ack_pending", a->max_ack_pending, o->max_ack_pending);
}
