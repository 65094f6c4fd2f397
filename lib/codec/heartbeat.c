/* heartbeat.c - a heartbeat as bytes to its figures.
 *
 * Names of metrics are text with dots, and a service may be called "client": what a service served is
 * known only by its name, which stands in the subject, and by having nothing but a method behind it. */
#include "codec/heartbeat.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/map.h"
#include "base/num.h"
#include "codec/codec.h"
#include "codec/subject.h"

struct reading {
	struct heartbeat *h;
	struct text service;		/* of the subject, in lower case */
};

/* ends_with: t ends with end; then it is cut off. */
static bool
cut_end(struct text *t, const char *end)
{
	size_t n = strlen(end);

	if (t->n <= n || memcmp(t->p + t->n - n, end, n) != 0)
		return false;
	t->n -= n;
	return true;
}

static bool
cut_begin(struct text *t, const char *begin)
{
	size_t n = strlen(begin);

	if (t->n < n || memcmp(t->p, begin, n) != 0)
		return false;
	t->p += n;
	t->n -= n;
	return true;
}

/* method_of: the method in rpc.{service}.{method}; false for any other name. */
static bool
method_of(const struct reading *r, struct text name, struct text *method)
{
	if (!cut_begin(&name, "rpc.") || name.n <= r->service.n + 1 ||
	    strncasecmp(name.p, r->service.p, r->service.n) != 0 || name.p[r->service.n] != '.')
		return false;
	*method = (struct text){ name.p + r->service.n + 1, name.n - r->service.n - 1 };
	return memchr(method->p, '.', method->n) == NULL;
}

static struct heartbeat_method *
find(struct reading *r, struct text method)
{
	uint64_t key = map_hash(method.p, method.n);
	struct heartbeat *h = r->h;

	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].key == key)
			return &h->v[i];
	if (h->n == HEARTBEAT_METHODS) {
		h->left_out++;
		return NULL;
	}
	h->v[h->n] = (struct heartbeat_method){ .key = key };
	return &h->v[h->n++];
}

static double
number(const struct value *v)
{
	double d = 0;

	return value_real(v, &d) && isfinite(d) && d > 0 ? d : 0;
}

static uint64_t
count(const struct value *v)
{
	double d = number(v);

	return d < 9e15 ? (uint64_t)d : 0;	/* what a double still counts exactly */
}

static void
read_counter(struct reading *r, struct text name, const struct value *v)
{
	bool good = cut_end(&name, ".success");
	struct heartbeat_method *m;
	struct text method;

	if ((!good && !cut_end(&name, ".error")) || !method_of(r, name, &method) || (m = find(r, method)) == NULL)
		return;
	m->calls += count(v);
	if (!good)
		m->errors += count(v);
}

static void
read_summary(struct reading *r, struct text name, const struct value *v)
{
	struct heartbeat_method *m;
	struct text method;

	if (!method_of(r, name, &method) || count(value_field(v, "count")) == 0 || (m = find(r, method)) == NULL)
		return;
	m->timed = true;
	m->min = number(value_field(v, "min"));
	m->p50 = number(value_field(v, "p50"));
	m->p90 = number(value_field(v, "p90"));
	m->p99 = number(value_field(v, "p99"));
	m->max = number(value_field(v, "max"));
	if (m->calls == 0)
		m->calls = count(value_field(v, "count"));	/* who counts no successes */
}

static void
add(double *sum, const struct value *v)
{
	*sum = (*sum < 0 ? 0 : *sum) + number(v);
}

static void
read_gauge(struct reading *r, struct text name, const struct value *v)
{
	if (cut_end(&name, ".queue_depth"))
		add(&r->h->queue_depth, v);
	else if (cut_end(&name, ".in_flight"))
		add(&r->h->in_flight, v);
}

static void
each(struct reading *r, const struct value *map, void (*fn)(struct reading *r, struct text name, const struct value *v))
{
	for (uint32_t i = 0; map != NULL && map->type == VALUE_MAP && i < map->n; i++)
		fn(r, map->u.pairs[i].key, &map->u.pairs[i].value);
}

/* keep_rest: the metrics again, without the uptime and the brace. */
static void
keep_rest(const struct value *metrics, struct str *rest)
{
	struct str all = STR_INIT;
	struct pack p;
	uint32_t n = 0;

	for (uint32_t i = 0; metrics != NULL && metrics->type == VALUE_MAP && i < metrics->n; i++)
		n += !text_is(metrics->u.pairs[i].key, "uptime_seconds");
	pack_init(&p, &all, DATA_JSON, PACK_COMPACT);
	pack_map(&p, n);
	for (uint32_t i = 0; n > 0 && i < metrics->n; i++) {
		if (text_is(metrics->u.pairs[i].key, "uptime_seconds"))
			continue;
		pack_key_n(&p, metrics->u.pairs[i].key);
		pack_value(&p, &metrics->u.pairs[i].value);
	}
	str_clear(rest);
	if (pack_end(&p, NULL) == ERR_OK)
		str_add(rest, all.p + 1, all.len - 1);
	else
		str_puts(rest, "}");
	str_release(&all);
}

static enum err_code
read_instance(const struct value *v, struct heartbeat *h, struct err *err)
{
	struct text id;

	if (!value_text(value_field(v, "instance_id"), &id) || id.n == 0 || id.n >= sizeof h->instance ||
	    memchr(id.p, '\0', id.n) != NULL)
		return err_set(err, ERR_INVALID, "instance_id is missing or no name");
	memcpy(h->instance, id.p, id.n);
	h->instance[id.n] = '\0';
	return ERR_OK;
}

enum err_code
heartbeat_decode(const char *subject, const void *p, size_t n, struct heartbeat *h, struct str *rest, struct err *err)
{
	struct reading r = { h, subject_method(subject) };	/* the last token */
	struct value v;
	enum err_code code;

	memset(h, 0, offsetof(struct heartbeat, v));
	h->queue_depth = h->in_flight = -1;
	if (n > HEARTBEAT_MAX)
		return err_set(err, ERR_TOO_LARGE, "heartbeat: %zu bytes are more than %d", n, HEARTBEAT_MAX);
	if (n == 0)
		return err_set(err, ERR_SYNTAX, "heartbeat: is empty");
	if ((code = codec_parse(codec_mine(), (struct data){ DATA_JSON, p, n }, &v, err)) != ERR_OK ||
	    (code = read_instance(&v, h, err)) != ERR_OK) {
		err_prefix(err, "heartbeat");
		return code;
	}
	const struct value *metrics = value_field(&v, "metrics");
	h->uptime_s = number(value_field(metrics, "uptime_seconds"));
	each(&r, value_field(metrics, "counters"), read_counter);
	each(&r, value_field(metrics, "summaries"), read_summary);
	each(&r, value_field(metrics, "gauges"), read_gauge);
	keep_rest(metrics, rest);
	return ERR_OK;
}

void
heartbeat_metrics(const char *rest, double uptime_s, struct str *out)
{
	char text[NUM_TEXT_MAX];

	num_real_text(round(uptime_s * 100) / 100, text);
	str_puts(out, "{\"uptime_seconds\":");
	str_puts(out, text);
	if (strcmp(rest, "}") != 0)
		str_putc(out, ',');
	str_puts(out, rest);
}
