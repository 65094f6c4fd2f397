/* prom.c - Prometheus text: escaping, and histograms from ours. */
#include "codec/prom.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/instant.h"
#include "base/magic.h"
#include "base/num.h"

/* Around the third of a second in which another member leads they lie densest. */
static const double bounds_s[] = {
	0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.75, 1, 2, 5, 10,
};

static void
escape(struct str *out, const char *text, bool quotes)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\n') {
			str_puts(out, "\\n");
			continue;
		}
		if (*p == '\\' || (*p == '"' && quotes))
			str_putc(out, '\\');
		str_putc(out, *p);
	}
}

void
prom_family(const struct prom *p, unsigned f)
{
	const struct prom_family *x = &p->families[f];

	str_printf(p->out, "# HELP %s ", x->name);
	escape(p->out, x->help, false);
	str_printf(p->out, "\n# TYPE %s %s\n", x->name, x->type);
}

/* put_labels: those of the list, and one more unless it is NULL. */
static void
put_labels(struct str *out, const struct prom_label *labels, const char *name, const char *value)
{
	const struct prom_label more[] = { { name, value }, { NULL, NULL } };
	char open = '{';

	for (int list = 0; list < 2; list++)
		for (const struct prom_label *l = list == 0 ? labels : more; l != NULL && l->name != NULL; l++) {
			str_printf(out, "%c%s=\"", open, l->name);
			escape(out, l->value, true);
			str_putc(out, '"');
			open = ',';
		}
	if (open == ',')
		str_putc(out, '}');
}

static void
put_value(struct str *out, double value)
{
	char text[NUM_TEXT_MAX];

	if (isnan(value) || isinf(value)) {
		str_puts(out, isnan(value) ? " NaN\n" : value > 0 ? " +Inf\n" : " -Inf\n");
		return;
	}
	num_real_text(value, text);
	/* Counts are read by people, too. */
	size_t n = strlen(text);
	str_printf(out, " %.*s\n", (int)(n > 2 && strcmp(text + n - 2, ".0") == 0 ? n - 2 : n), text);
}

void
prom_sample(const struct prom *p, unsigned f, const struct prom_label *labels, double value)
{
	str_puts(p->out, p->families[f].name);
	put_labels(p->out, labels, NULL, NULL);
	put_value(p->out, value);
}

void
prom_one(const struct prom *p, unsigned f, const struct prom_label *labels, double value)
{
	prom_family(p, f);
	prom_sample(p, f, labels, value);
}

void
prom_histogram(const struct prom *p, unsigned f, const struct prom_label *labels, const struct hist *h)
{
	const char *name = p->families[f].name;
	struct str *out = p->out;
	uint64_t total = hist_count(h);
	char bound[NUM_TEXT_MAX];

	for (size_t i = 0; i <= COUNT_OF(bounds_s); i++) {
		bool last = i == COUNT_OF(bounds_s);
		/* Others record meanwhile; what is below a bound is never more than the whole. */
		uint64_t n = last ? total : hist_count_upto(h, (int64_t)(bounds_s[i] * (double)NS_PER_S));
		if (n > total)
			n = total;
		if (!last)
			num_real_text(bounds_s[i], bound);
		str_printf(out, "%s_bucket", name);
		put_labels(out, labels, "le", last ? "+Inf" : bound);
		str_printf(out, " %" PRIu64 "\n", n);
	}
	str_printf(out, "%s_sum", name);
	put_labels(out, labels, NULL, NULL);
	put_value(out, hist_mean_ms(h) / 1e3 * (double)total);
	str_printf(out, "%s_count", name);
	put_labels(out, labels, NULL, NULL);
	str_printf(out, " %" PRIu64 "\n", total);
}
