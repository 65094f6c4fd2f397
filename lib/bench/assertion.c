/* assertion.c - reading assertions by a table of figures, and judging. */
#include "bench/assertion.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/num.h"

#define KNOWN "p50 to p99.99 (any pN), min, mean, max, plain.p99 and the like, rate, count, errors, " \
	"ratio.p50, ratio.p90, ratio.p99, ratio.p99.9, ratio.throughput"

enum kind { LATENCY, NUMBER, RATIO };

static const struct figure {
	const char *name;
	enum assertion_of of;
	enum kind kind;
} figures[] = {
	{ "min", ASSERT_MIN, LATENCY }, { "mean", ASSERT_MEAN, LATENCY }, { "max", ASSERT_MAX, LATENCY },
	{ "rate", ASSERT_RATE, NUMBER }, { "count", ASSERT_COUNT, NUMBER }, { "errors", ASSERT_ERRORS, NUMBER },
	{ "ratio.p50", ASSERT_RATIO_P50, RATIO }, { "ratio.p90", ASSERT_RATIO_P90, RATIO },
	{ "ratio.p99", ASSERT_RATIO_P99, RATIO }, { "ratio.p99.9", ASSERT_RATIO_P999, RATIO },
	{ "ratio.throughput", ASSERT_RATIO_THROUGHPUT, RATIO },
};

static const char *const ops[] = {
	[ASSERT_BELOW] = "<", [ASSERT_AT_MOST] = "<=", [ASSERT_ABOVE] = ">", [ASSERT_AT_LEAST] = ">=",
};

static enum kind
kind_of(enum assertion_of of)
{
	for (size_t i = 0; i < COUNT_OF(figures); i++)
		if (figures[i].of == of)
			return figures[i].kind;
	return LATENCY;			/* a percentile */
}

/* copy: n bytes of from without blanks around them; false when they do not fit. */
static bool
copy(char *out, size_t max, const char *from, size_t n)
{
	while (n > 0 && *from == ' ') {
		from++;
		n--;
	}
	while (n > 0 && from[n - 1] == ' ')
		n--;
	if (n >= max)
		return false;
	memcpy(out, from, n);
	out[n] = '\0';
	return true;
}

static bool
parse_figure(const char *name, struct assertion *a)
{
	a->plain = strncmp(name, "plain.", 6) == 0;
	if (a->plain)
		name += 6;
	for (size_t i = 0; i < COUNT_OF(figures); i++) {
		if (strcmp(figures[i].name, name) != 0)
			continue;
		a->of = figures[i].of;
		return !a->plain || figures[i].kind == LATENCY;
	}
	a->of = ASSERT_PERCENTILE;
	return name[0] == 'p' && num_real(name + 1, &a->percent) && a->percent >= 0 && a->percent <= 100;
}

enum err_code
assertion_parse(const char *text, struct assertion *out, struct err *err)
{
	size_t at = strcspn(text, "<>");
	const char *colon = memchr(text, ':', at), *value;
	char figure[48], number[48];
	int64_t ns;

	*out = (struct assertion){ .text = text };
	if (text[at] == '\0')
		return err_set(err, ERR_USAGE, "assertion '%s': has no <, <=, > or >=; write one such as 'p99<2ms'", text);
	bool equal = text[at + 1] == '=';
	out->op = text[at] == '<' ? (equal ? ASSERT_AT_MOST : ASSERT_BELOW) : (equal ? ASSERT_AT_LEAST : ASSERT_ABOVE);
	value = text + at + 1 + equal;
	if (colon != NULL && !copy(out->pattern, sizeof out->pattern, text, (size_t)(colon - text)))
		return err_set(err, ERR_USAGE, "assertion '%s': '%.*s' is no pattern", text, (int)(colon - text), text);
	const char *from = colon != NULL ? colon + 1 : text;
	if (!copy(figure, sizeof figure, from, (size_t)(text + at - from)) || !parse_figure(figure, out))
		return err_set(err, ERR_USAGE, "assertion '%s': '%.*s' is no figure; there are %s", text, (int)(text + at - from),
		    from, KNOWN);
	bool fits = copy(number, sizeof number, value, strlen(value));
	if (kind_of(out->of) == LATENCY) {
		if (!fits || !num_duration(number, &ns))
			return err_set(err, ERR_USAGE, "assertion '%s': '%s' is no duration; write one such as 2ms or 150us", text,
			    value);
		out->value = (double)ns;
		return ERR_OK;
	}
	if (!fits || !num_real(number, &out->value))
		return err_set(err, ERR_USAGE, "assertion '%s': '%s' is no number", text, value);
	return ERR_OK;
}

bool
assertion_wants_baseline(const struct assertion *a)
{
	return kind_of(a->of) == RATIO;
}

bool
assertion_applies(const struct assertion *a, const struct bench_result *r)
{
	return a->pattern[0] == '\0' || strcmp(a->pattern, r->pattern) == 0;
}

static double
value_of(const struct assertion *a, const struct bench_result *r)
{
	const struct histogram *h = a->plain ? r->ours.plain : r->ours.latency;

	switch (a->of) {
	case ASSERT_PERCENTILE: return (double)histogram_at(h, a->percent);
	case ASSERT_MIN: return (double)histogram_min(h);
	case ASSERT_MEAN: return histogram_mean(h);
	case ASSERT_MAX: return (double)histogram_max(h);
	case ASSERT_RATE: return bench_tally_rate(&r->ours);
	case ASSERT_COUNT: return (double)histogram_count(h);
	case ASSERT_ERRORS: return (double)r->ours.errors;
	case ASSERT_RATIO_P50: return r->ratio.p50;
	case ASSERT_RATIO_P90: return r->ratio.p90;
	case ASSERT_RATIO_P99: return r->ratio.p99;
	case ASSERT_RATIO_P999: return r->ratio.p999;
	case ASSERT_RATIO_THROUGHPUT: return r->ratio.throughput;
	}
	MUST(false);
}

static bool
compare(enum assertion_op op, double a, double b)
{
	switch (op) {
	case ASSERT_BELOW: return a < b;
	case ASSERT_AT_MOST: return a <= b;
	case ASSERT_ABOVE: return a > b;
	case ASSERT_AT_LEAST: return a >= b;
	}
	MUST(false);
}

bool
assertion_holds(const struct assertion *a, const struct bench_result *r, char said[ASSERTION_SAID_MAX])
{
	size_t at = strcspn(a->text, "<>"), from = a->pattern[0] != '\0' ? strcspn(a->text, ":") + 1 : 0;
	bool measured = histogram_count(r->ours.latency) > 0 && (!assertion_wants_baseline(a) || r->n > 0);
	double v = value_of(a, r);
	bool holds = compare(a->op, v, a->value) && (measured || a->of == ASSERT_ERRORS || a->of == ASSERT_COUNT);
	char is[32];

	if (kind_of(a->of) == LATENCY)
		bench_ns_text(v, is, sizeof is);
	else
		snprintf(is, sizeof is, "%.4g", v);
	if (!measured && kind_of(a->of) != NUMBER)
		snprintf(is, sizeof is, "not measured");
	snprintf(said, ASSERTION_SAID_MAX, "%.*s is %s%s%s%s", (int)(at - from), a->text + from, is, holds ? "" : ", not ",
	    holds ? "" : ops[a->op], holds ? "" : a->text + at + strlen(ops[a->op]));
	return holds;
}
