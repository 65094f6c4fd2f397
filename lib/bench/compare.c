/* compare.c - the two JSON trees side by side, figure by figure. */
#include "bench/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"

#define LEAST_CHANGE 0.02

static const struct figure {
	const char *name, *of_round;
	bool more_is_better, ratio;	/* ratio: lies in the object of that name */
} figures[] = {
	{ "p50_us", "p50_us", false, false },
	{ "p99_us", "p99_us", false, false },
	{ "per_second", "per_second", true, false },
	{ "ratio.p50", "ratio_p50", false, true },
	{ "ratio.p99", "ratio_p99", false, true },
	{ "ratio.throughput", "ratio_throughput", true, true },
};

const char *
compare_verdict_name(enum compare_verdict v)
{
	static const char *const names[] = {
		[COMPARE_SAME] = "same", [COMPARE_BETTER] = "better", [COMPARE_WORSE] = "worse", [COMPARE_ONLY_A] = "gone",
		[COMPARE_ONLY_B] = "new",
	};

	return names[v];
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* spread: the middle half of what the rounds say of a figure; false when there are none. */
static bool
spread(const struct value *run, const char *key, double *low, double *high)
{
	const struct value *rounds = value_field(run, "rounds");
	uint32_t n = rounds != NULL && rounds->type == VALUE_ARRAY ? rounds->n : 0, got = 0;
	double *v = mem_array(n + 1, sizeof *v);

	for (uint32_t i = 0; i < n; i++)
		got += value_real(value_field(&rounds->u.items[i], key), &v[got]);
	if (got > 0) {
		qsort(v, got, sizeof *v, ascending);
		*low = v[got / 4];
		*high = v[got - 1 - got / 4];
	}
	mem_free(v);
	return got > 0;
}

static bool
look_up(const struct value *run, const struct figure *f, double *out)
{
	return f->ratio ? value_real(value_field(value_field(run, "ratio"), f->name + strlen("ratio.")), out)
			: value_real(value_field(run, f->name), out);
}

static enum compare_verdict
judge(const struct value *a, const struct value *b, const struct figure *f, double change)
{
	double alow, ahigh, blow, bhigh;

	if (fabs(change) < LEAST_CHANGE || !spread(a, f->of_round, &alow, &ahigh) || !spread(b, f->of_round, &blow, &bhigh) ||
	    (blow <= ahigh && alow <= bhigh))
		return COMPARE_SAME;
	return (change > 0) == f->more_is_better ? COMPARE_BETTER : COMPARE_WORSE;
}

static struct compare_row *
add_row(struct compare *c, struct text pattern, const char *figure)
{
	mem_grow(&c->v, &c->cap, c->n + 1, sizeof *c->v);
	struct compare_row *row = &c->v[c->n++];
	*row = (struct compare_row){ .figure = figure };
	snprintf(row->pattern, sizeof row->pattern, "%.*s", (int)pattern.n, pattern.p);
	return row;
}

static void
compare_run(struct compare *c, struct text pattern, const struct value *a, const struct value *b)
{
	for (size_t i = 0; i < COUNT_OF(figures); i++) {
		double x = 0, y = 0;
		bool has_a = look_up(a, &figures[i], &x), has_b = look_up(b, &figures[i], &y);
		if (!has_a && !has_b)
			continue;
		struct compare_row *row = add_row(c, pattern, figures[i].name);
		row->a = x;
		row->b = y;
		row->change = x > 0 && has_b ? y / x - 1 : 0;
		row->verdict = !has_a ? COMPARE_ONLY_B : !has_b ? COMPARE_ONLY_A : judge(a, b, &figures[i], row->change);
	}
}

/* find_run: the run of a pattern, NULL when there is none. */
static const struct value *
find_run(const struct value *v, struct text pattern)
{
	const struct value *runs = value_field(v, "runs");
	struct text t;

	for (uint32_t i = 0; i < runs->n; i++)
		if (value_text(value_field(&runs->u.items[i], "pattern"), &t) && t.n == pattern.n &&
		    memcmp(t.p, pattern.p, t.n) == 0)
			return &runs->u.items[i];
	return NULL;
}

static void
walk(struct compare *c, const struct value *a, const struct value *b, bool only_missing)
{
	const struct value *runs = value_field(a, "runs");
	struct text pattern;

	for (uint32_t i = 0; i < runs->n; i++) {
		if (!value_text(value_field(&runs->u.items[i], "pattern"), &pattern))
			continue;
		const struct value *other = find_run(b, pattern);
		if (only_missing && other == NULL)
			compare_run(c, pattern, NULL, &runs->u.items[i]);
		else if (!only_missing)
			compare_run(c, pattern, &runs->u.items[i], other);
	}
}

static enum err_code
parse(struct codec *codec, const char *which, const char *text, size_t n, struct value *v, struct text *name,
    struct err *err)
{
	const struct value *runs;
	int64_t version;
	enum err_code code = codec_parse(codec, (struct data){ DATA_JSON, text, n }, v, err);

	if (code != ERR_OK) {
		err_prefix(err, "%s", which);
		return code;
	}
	runs = value_field(v, "runs");
	if (!value_int(value_field(v, "schema_version"), &version) || !value_text(value_field(v, "name"), name) ||
	    runs == NULL || runs->type != VALUE_ARRAY)
		return err_set(err, ERR_INVALID, "%s: is no result of `aegis bench … -o json`", which);
	if (version != 1)
		return err_set(err, ERR_INVALID, "%s: has schema_version %lld, this program knows 1", which, (long long)version);
	return ERR_OK;
}

/* same: both have equal members of that name, as JSON. */
static bool
same(const struct value *a, const struct value *b, const char *key, const char *member)
{
	struct str x = STR_INIT, y = STR_INIT;
	const struct value *va = value_field(a, key), *vb = value_field(b, key);
	struct pack p;

	pack_init(&p, &x, DATA_JSON, PACK_COMPACT);
	pack_value(&p, member != NULL ? value_field(va, member) : va);
	pack_end(&p, NULL);
	pack_init(&p, &y, DATA_JSON, PACK_COMPACT);
	pack_value(&p, member != NULL ? value_field(vb, member) : vb);
	pack_end(&p, NULL);
	bool equal = strcmp(str_text(&x), str_text(&y)) == 0;
	str_release(&x);
	str_release(&y);
	return equal;
}

enum err_code
compare_read(const char *a, size_t na, const char *b, size_t nb, struct compare *out, struct err *err)
{
	struct codec *ca = codec_new(), *cb = codec_new();
	struct value va, vb;
	struct text name_a, name_b;
	enum err_code code;

	memset(out, 0, sizeof *out);
	if ((code = parse(ca, "A", a, na, &va, &name_a, err)) != ERR_OK ||
	    (code = parse(cb, "B", b, nb, &vb, &name_b, err)) != ERR_OK)
		goto out;
	if (name_a.n != name_b.n || memcmp(name_a.p, name_b.p, name_a.n) != 0) {
		code = err_set(err, ERR_INVALID, "A is of '%.*s', B of '%.*s': only results of one benchmark compare",
		    (int)name_a.n, name_a.p, (int)name_b.n, name_b.p);
		goto out;
	}
	snprintf(out->name, sizeof out->name, "%.*s", (int)name_a.n, name_a.p);
	out->same_machine = same(&va, &vb, "machine", "cpu") && same(&va, &vb, "machine", "cores");
	out->same_options = same(&va, &vb, "options", NULL);
	walk(out, &va, &vb, false);
	walk(out, &vb, &va, true);
out:
	codec_free(ca);
	codec_free(cb);
	return code;
}

void
compare_release(struct compare *c)
{
	mem_free(c->v);
	*c = (struct compare){ .v = NULL };
}
