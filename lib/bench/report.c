/* report.c - every format is one function over the same plain data. */
#include "bench/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/wall.h"
#include "codec/codec.h"

#define SCHEMA_VERSION 1
#define BARS 12
#define US 1e3

static double
us(int64_t ns)
{
	return (double)ns / US;
}

/* --- JSON -------------------------------------------------------------------------------- */

static const char *const percentile_keys[BENCH_PERCENTILES] = {
	"p50_us", "p75_us", "p90_us", "p99_us", "p999_us", "p9999_us",
};

#define LATENCY_MEMBERS (BENCH_PERCENTILES + 3)

static void
latency_members(struct pack *p, const struct histogram *h)
{
	for (size_t i = 0; i < BENCH_PERCENTILES; i++)
		pack_key_real(p, percentile_keys[i], us(histogram_at(h, bench_percentiles[i].percent)));
	pack_key_real(p, "min_us", us(histogram_min(h)));
	pack_key_real(p, "mean_us", histogram_mean(h) / US);
	pack_key_real(p, "max_us", us(histogram_max(h)));
}

#define TALLY_MEMBERS (LATENCY_MEMBERS + 4)

static void
tally_members(struct pack *p, const struct bench_tally *t)
{
	latency_members(p, t->latency);
	pack_key_real(p, "per_second", bench_tally_rate(t));
	pack_key_uint(p, "count", histogram_count(t->latency));
	pack_key_uint(p, "errors", t->errors);
	pack_key_real(p, "seconds", t->seconds);
}

static void
rounds_array(struct pack *p, const struct bench_result *r)
{
	pack_key_array(p, "rounds", (uint32_t)r->n);
	for (size_t i = 0; i < r->n; i++) {
		const struct bench_round *one = &r->rounds[i];
		pack_map(p, r->against != NULL ? 6 : 3);
		pack_key_real(p, "p50_us", one->p50_us);
		pack_key_real(p, "p99_us", one->p99_us);
		pack_key_real(p, "per_second", one->per_second);
		if (r->against == NULL)
			continue;
		pack_key_real(p, "ratio_p50", one->ratio.p50);
		pack_key_real(p, "ratio_p99", one->ratio.p99);
		pack_key_real(p, "ratio_throughput", one->ratio.throughput);
	}
}

#define MS 1e6

static void
failover_map(struct pack *p, const struct bench_result *r)
{
	const struct bench_failover *f = r->failover;
	const struct histogram *h = r->ours.latency;

	pack_key_map(p, "failover", 14);
	pack_key_real(p, "p50_ms", (double)histogram_at(h, 50) / MS);
	pack_key_real(p, "p99_ms", (double)histogram_at(h, 99) / MS);
	pack_key_real(p, "max_ms", (double)histogram_max(h) / MS);
	pack_key_uint(p, "rounds", f->rounds);
	pack_key_uint(p, "changes", f->changes);
	pack_key_uint(p, "calls", f->calls);
	pack_key_uint(p, "lost", f->lost);
	pack_key_uint(p, "overlap", f->overlap);
	pack_key_uint(p, "findings", f->findings);
	pack_key_uint(p, "unprovoked", f->unprovoked);
	pack_key_uint(p, "queue_calls", f->flow_calls);
	pack_key_uint(p, "queue_failed", f->flow_failed);
	pack_key_real(p, "queue_longest_ms", f->flow_longest_ms);
	pack_key_some(p, "first", f->first);
}

static void
run_map(struct pack *p, const struct bench_result *r)
{
	bool open_loop = r->rate > 0;

	pack_map(p, 6u + TALLY_MEMBERS + (open_loop ? 2 : 0) + (r->against != NULL ? 3 : 0) + (r->failover != NULL));
	pack_key_puts(p, "pattern", r->pattern);
	pack_key_puts(p, "what", r->what);
	pack_key_uint(p, "in_flight", r->in_flight);
	pack_key_bool(p, "corrected", open_loop);
	pack_key_bool(p, "interrupted", r->interrupted);
	tally_members(p, &r->ours);
	if (open_loop) {
		pack_key_real(p, "rate_asked", r->rate);
		pack_key_map(p, "plain", LATENCY_MEMBERS);
		latency_members(p, r->ours.plain);
	}
	if (r->against != NULL) {
		pack_key_puts(p, "against", r->against);
		pack_key_map(p, "baseline", TALLY_MEMBERS);
		tally_members(p, &r->theirs);
		pack_key_map(p, "ratio", 5);
		pack_key_real(p, "p50", r->ratio.p50);
		pack_key_real(p, "p90", r->ratio.p90);
		pack_key_real(p, "p99", r->ratio.p99);
		pack_key_real(p, "p999", r->ratio.p999);
		pack_key_real(p, "throughput", r->ratio.throughput);
	}
	if (r->failover != NULL)
		failover_map(p, r);
	rounds_array(p, r);
}

static void
machine_map(struct pack *p, const struct machine *m)
{
	pack_key_map(p, "machine", 4);
	pack_key_puts(p, "cpu", m->cpu);
	pack_key_uint(p, "cores", (uint64_t)m->cores);
	pack_key_puts(p, "kernel", m->kernel);
	pack_key_puts(p, "load", m->load);
	pack_key_map(p, "server", 3);
	pack_key_puts(p, "name", m->server_name);
	pack_key_some(p, "version", m->server_version);
	pack_key_uint(p, "api_level", (uint64_t)m->api_level);
	pack_key_puts(p, "client", m->client);
}

static void
options_map(struct pack *p, const struct bench_opts *o)
{
	char target[300];

	snprintf(target, sizeof target, "%s/%s", o->service != NULL ? o->service : "", o->method != NULL ? o->method : "");
	pack_key_map(p, "options", 9);
	pack_key_real(p, "warmup_seconds", ns_seconds(o->warmup_ns));
	pack_key_real(p, "duration_seconds", o->count > 0 ? 0 : ns_seconds(o->duration_ns));
	pack_key_uint(p, "count", o->count);
	pack_key_uint(p, "repeat", o->repeats);
	pack_key_real(p, "rate", o->rate);
	pack_key_uint(p, "size_bytes", o->size);
	pack_key_puts(p, "encoding", o->format == DATA_JSON ? "json" : "msgpack");
	pack_key_uint(p, "instances", o->instances);
	pack_key_puts(p, "target", o->service != NULL ? target : NULL);
}

void
report_json(const struct bench_report *r, struct str *out)
{
	char at[WALL_TEXT_MAX];
	struct pack p;

	wall_rfc3339(r->at, at);
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 9);
	pack_key_uint(&p, "schema_version", SCHEMA_VERSION);
	pack_key_puts(&p, "name", r->bench);
	pack_key_puts(&p, "at", at);
	machine_map(&p, r->machine);
	options_map(&p, r->opts);
	pack_key_array(&p, "runs", (uint32_t)r->n);
	for (size_t i = 0; i < r->n; i++)
		run_map(&p, &r->results[i]);
	pack_key_array(&p, "assertions", (uint32_t)r->nverdicts);
	for (size_t i = 0; i < r->nverdicts; i++) {
		const struct bench_verdict *v = &r->verdicts[i];
		pack_map(&p, 4);
		pack_key_puts(&p, "assertion", v->assertion);
		pack_key_puts(&p, "pattern", v->pattern);
		pack_key_bool(&p, "holds", v->holds);
		pack_key_puts(&p, "said", v->said);
	}
	MUST(pack_end(&p, NULL) == ERR_OK);
}

/* --- CSV --------------------------------------------------------------------------------- */

/* Everything in it is a figure or one of our own words, so nothing needs quotes. */
void
report_csv(const struct bench_report *r, struct str *out)
{
	str_puts(out, "name,pattern,in_flight,corrected,count,errors,seconds,per_second");
	for (size_t i = 0; i < BENCH_PERCENTILES; i++)
		str_printf(out, ",%s", percentile_keys[i]);
	str_puts(out, ",min_us,mean_us,max_us,against,baseline_p50_us,baseline_p99_us,baseline_per_second,"
	    "ratio_p50,ratio_p90,ratio_p99,ratio_throughput\r\n");
	for (size_t i = 0; i < r->n; i++) {
		const struct bench_result *b = &r->results[i];
		const struct histogram *h = b->ours.latency, *t = b->theirs.latency;
		str_printf(out, "%s,%s,%u,%s,%llu,%llu,%.3f,%.1f", r->bench, b->pattern, b->in_flight,
		    b->rate > 0 ? "true" : "false", (unsigned long long)histogram_count(h),
		    (unsigned long long)b->ours.errors, b->ours.seconds, bench_tally_rate(&b->ours));
		for (size_t k = 0; k < BENCH_PERCENTILES; k++)
			str_printf(out, ",%.3f", us(histogram_at(h, bench_percentiles[k].percent)));
		str_printf(out, ",%.3f,%.3f,%.3f", us(histogram_min(h)), histogram_mean(h) / US, us(histogram_max(h)));
		if (b->against == NULL)
			str_puts(out, ",,,,,,,,\r\n");
		else
			str_printf(out, ",%s,%.3f,%.3f,%.1f,%.4f,%.4f,%.4f,%.4f\r\n", b->against, us(histogram_at(t, 50)),
			    us(histogram_at(t, 99)), bench_tally_rate(&b->theirs), b->ratio.p50, b->ratio.p90, b->ratio.p99,
			    b->ratio.throughput);
	}
}

/* --- JUnit ------------------------------------------------------------------------------- */

static void
put_xml(struct str *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '<': str_puts(out, "&lt;"); break;
		case '>': str_puts(out, "&gt;"); break;
		case '&': str_puts(out, "&amp;"); break;
		case '"': str_puts(out, "&quot;"); break;
		default:
			str_putc(out, (unsigned char)*text < 0x20 ? ' ' : *text);
		}
	}
}

/* put_case: failure NULL: it passed. */
static void
put_case(struct str *out, const char *bench, const char *name, const char *pattern, double seconds,
    const char *failure)
{
	str_printf(out, "  <testcase classname=\"bench.%s.%s\" name=\"", bench, pattern);
	put_xml(out, name);
	str_printf(out, "\" time=\"%.3f\"", seconds);
	if (failure == NULL) {
		str_puts(out, "/>\n");
		return;
	}
	str_puts(out, ">\n    <failure message=\"");
	put_xml(out, failure);
	str_puts(out, "\"/>\n  </testcase>\n");
}

void
report_junit(const struct bench_report *r, struct str *out)
{
	char at[WALL_TEXT_MAX];
	size_t failed = 0;

	for (size_t i = 0; i < r->nverdicts; i++)
		failed += !r->verdicts[i].holds;
	for (size_t i = 0; i < r->n; i++)
		failed += histogram_count(r->results[i].ours.latency) == 0;
	wall_rfc3339(r->at, at);
	str_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	str_printf(out, "<testsuite name=\"aegis bench %s\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" timestamp=\"%.19s\">\n",
	    r->bench, r->n + r->nverdicts, failed, at);
	for (size_t i = 0; i < r->n; i++) {
		const struct bench_result *b = &r->results[i];
		put_case(out, r->bench, "measured", b->pattern, b->ours.seconds,
		    histogram_count(b->ours.latency) > 0 ? NULL : "nothing was measured");
	}
	for (size_t i = 0; i < r->nverdicts; i++) {
		const struct bench_verdict *v = &r->verdicts[i];
		put_case(out, r->bench, v->assertion, v->pattern, 0, v->holds ? NULL : v->said);
	}
	str_puts(out, "</testsuite>\n");
}

/* --- a drawing --------------------------------------------------------------------------- */

static void
put_bar(struct str *out, const char *from, uint64_t n, uint64_t most, uint64_t all, int width)
{
	static const char *const eighths[] = { "", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589" };
	uint64_t length = most > 0 ? (n * (uint64_t)width * 8 + most - 1) / most : 0;

	str_printf(out, "%9s %5.1f %% ", from, all > 0 ? 100.0 * (double)n / (double)all : 0);
	for (uint64_t i = 0; i < length / 8; i++)
		str_puts(out, "\u2588");
	str_printf(out, "%s\n", eighths[length % 8]);
}

void
report_draw(const struct histogram *h, int width, struct str *out)
{
	double low = (double)histogram_min(h), high = (double)histogram_at(h, 99.9);
	uint64_t counts[BARS + 1], below = 0, most = 0, all = histogram_count(h);
	char text[24];

	if (all == 0)
		return;
	low = low < 1 ? 1 : low;
	double step = pow(high > low ? high / low : 1, 1.0 / BARS);
	for (int i = 0; i <= BARS; i++) {
		/* The last bar is what lies beyond p99.9; the one before ends there exactly. */
		uint64_t up = i == BARS ? all
		    : histogram_below(h, i == BARS - 1 ? (int64_t)high : (int64_t)(low * pow(step, i + 1)));
		counts[i] = up > below ? up - below : 0;
		below = up > below ? up : below;
		most = counts[i] > most ? counts[i] : most;
	}
	width = width > 24 ? width - 20 : 10;
	for (int i = 0; i < BARS; i++) {
		bench_ns_text(low * pow(step, i), text, sizeof text);
		put_bar(out, text, counts[i], most, all, width);
	}
	if (counts[BARS] > 0) {
		bench_ns_text(high, text, sizeof text);
		put_bar(out, text, counts[BARS], most, all, width);
	}
}
