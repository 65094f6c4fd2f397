/* bench_show.c - a measurement on stdout and in files, and its progress on stderr. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench.h"
#include "sys/clock.h"

#define BAR 30
#define DRAW_WIDTH 72

/* --- progress ---------------------------------------------------------------------------- */

static void
say(const char *text, size_t n)
{
	ssize_t ignored = write(2, text, n);

	(void)ignored;			/* nothing depends on it */
}

void
bench_progress(void *arg, const struct bench_pattern *p, double share)
{
	struct benching *b = arg;
	int full = (int)(share * BAR);
	struct mono now = clock_mono(clock_system());
	char line[160];

	if (!mono_reached(now, b->next_bar))
		return;
	b->next_bar = mono_after(now, NS_PER_S / 4);
	int n = snprintf(line, sizeof line, "\r\033[K%s %s [%.*s%*s] %3.0f %%", p->bench, p->name, full,
	    "##############################", BAR - full, "", share * 100);
	say(line, (size_t)n);
	b->drawing = true;
}

void
bench_progress_end(struct benching *b)
{
	if (b->drawing)
		say("\r\033[K", 4);
	b->drawing = false;
}

/* --- the table --------------------------------------------------------------------------- */

static const struct out_column columns[] = {
	{ .name = "PATTERN" }, { .name = "SIDE" }, { .name = "PER SECOND", .right = true }, { .name = "P50", .right = true },
	{ .name = "P90", .right = true }, { .name = "P99", .right = true }, { .name = "P99.9", .right = true },
	{ .name = "P99.99", .right = true }, { .name = "MAX", .right = true }, { .name = "COUNT", .right = true },
	{ .name = "ERRORS", .right = true },
};

#define CELL_MAX 24

static void
row_of(struct benching *b, const char *pattern, const char *side, const struct bench_tally *t,
    const struct histogram *h, enum out_tone tone)
{
	static const double shown[] = { 50, 90, 99, 99.9, 99.99, 100 };
	char text[COUNT_OF(columns)][CELL_MAX];
	struct out_cell cells[COUNT_OF(columns)] = { { pattern, OUT_STRONG }, { side, tone } };
	size_t n = 2;

	snprintf(text[n], CELL_MAX, "%.0f", bench_tally_rate(t));
	cells[n] = (struct out_cell){ text[n], tone };
	n++;
	for (size_t i = 0; i < COUNT_OF(shown); i++, n++) {
		bench_ns_text((double)histogram_at(h, shown[i]), text[n], CELL_MAX);
		cells[n] = (struct out_cell){ text[n], tone };
	}
	snprintf(text[n], CELL_MAX, "%llu", (unsigned long long)histogram_count(h));
	cells[n] = (struct out_cell){ text[n], tone };
	n++;
	snprintf(text[n], CELL_MAX, "%llu", (unsigned long long)t->errors);
	cells[n] = (struct out_cell){ text[n], t->errors > 0 ? OUT_BAD : tone };
	out_row(b->c->out, cells, "");
}

static void
ratio_row(struct benching *b, const struct bench_result *r)
{
	char text[5][CELL_MAX];
	const double v[] = { r->ratio.throughput, r->ratio.p50, r->ratio.p90, r->ratio.p99, r->ratio.p999 };

	for (size_t i = 0; i < COUNT_OF(v); i++)
		snprintf(text[i], CELL_MAX, "%.3f x", v[i]);
	out_row(b->c->out, (const struct out_cell[]){ { r->pattern, OUT_STRONG }, { "ratio", OUT_STRONG },
	    { text[0], OUT_STRONG }, { text[1], OUT_STRONG }, { text[2], OUT_STRONG }, { text[3], OUT_STRONG },
	    { text[4], OUT_STRONG }, { "", OUT_PLAIN }, { "", OUT_PLAIN }, { "", OUT_PLAIN }, { "", OUT_PLAIN } }, "");
}

static void
rows_of(struct benching *b, const struct bench_result *r)
{
	bool open_loop = r->rate > 0;

	row_of(b, r->pattern, open_loop ? "corrected" : "aegis", &r->ours, r->ours.latency, OUT_PLAIN);
	if (open_loop)
		row_of(b, r->pattern, "plain", &r->ours, r->ours.plain, OUT_DIM);
	if (r->against == NULL)
		return;
	row_of(b, r->pattern, r->against, &r->theirs, r->theirs.latency, OUT_DIM);
	ratio_row(b, r);
}

void
bench_machine(const struct benching *b, struct str *out)
{
	const struct machine *m = &b->machine;

	str_printf(out, "%s, %ld cores, %s, load %s; %s, server %s%s%s\n", m->cpu, m->cores, m->kernel, m->load, m->client,
	    m->server_name, m->server_version[0] != '\0' ? " " : "", m->server_version);
}

static void
show_table(struct benching *b)
{
	struct winsize w = { .ws_col = 0 };
	struct str text = STR_INIT;
	bool tty = isatty(1) && ioctl(1, TIOCGWINSZ, &w) == 0;

	bench_machine(b, &text);
	str_printf(&text, "%s\n", b->o->rate > 0 ? "open loop: latencies are corrected for coordinated omission, "
	    "that is from the intended start; plain ones, from the actual start, stand below"
	    : "closed loop: latencies are plain, from the actual start (--rate corrects for coordinated omission)");
	for (size_t i = 0; tty && i < b->nresults; i++) {
		str_printf(&text, "\n%s\n", b->results[i].what);
		report_draw(b->results[i].ours.latency, w.ws_col > 0 && w.ws_col < DRAW_WIDTH ? w.ws_col : DRAW_WIDTH, &text);
	}
	str_putc(&text, '\n');
	out_text(b->c->out, str_text(&text));
	str_release(&text);
	out_list(b->c->out, columns, COUNT_OF(columns));
	for (size_t i = 0; i < b->nresults; i++)
		rows_of(b, &b->results[i]);
}

/* --- files ------------------------------------------------------------------------------- */

static enum err_code
write_file(struct benching *b, const char *path, const struct str *text, struct err *err)
{
	if (strcmp(path, "-") == 0) {
		out_text(b->c->out, str_text(text));
		return ERR_OK;
	}
	FILE *f = fopen(path, "we");
	bool written = f != NULL && fwrite(str_text(text), 1, text->len, f) == text->len;
	if (f != NULL && fclose(f) != 0)
		written = false;
	return written ? ERR_OK : err_errno(err, ERR_SYSTEM, errno, "'%s' cannot be written", path);
}

/* path_of: the first pattern gets the file that was named, the others one beside it, with their name
 * before the suffix; the caller's. */
static char *
path_of(const char *path, const char *pattern, bool first)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');

	if (first || strcmp(path, "-") == 0)
		return mem_text(path);
	if (dot == NULL || (slash != NULL && dot < slash))
		dot = path + strlen(path);
	return mem_printf("%.*s-%s%s", (int)(dot - path), path, pattern, dot);
}

static enum err_code
write_hgrm(struct benching *b, struct err *err)
{
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < b->nresults && code == ERR_OK; i++) {
		struct str text = STR_INIT;
		char *path = path_of(b->o->hgrm, b->results[i].pattern, i == 0);
		histogram_hgrm(b->results[i].ours.latency, &text);
		code = write_file(b, path, &text, err);
		mem_free(path);
		str_release(&text);
	}
	return code;
}

enum err_code
bench_show(struct benching *b, struct err *err)
{
	struct bench_report r = {
		.bench = b->bench, .at = b->at, .machine = &b->machine, .opts = &b->opts, .results = b->results, .n = b->nresults,
		.verdicts = b->verdicts, .nverdicts = b->nverdicts,
	};
	struct str text = STR_INIT;
	enum err_code code = ERR_OK;

	if (b->o->general.out.format == OUT_CSV && !b->o->general.out.json) {
		report_csv(&r, &text);
		out_text(b->c->out, str_text(&text));
	} else if (out_is_table(b->c->out)) {
		(b->table != NULL ? b->table : show_table)(b);
	} else {
		report_json(&r, &text);
		out_object(b->c->out, NULL, NULL, 0, str_text(&text));
	}
	if (b->o->hgrm != NULL)
		code = write_hgrm(b, err);
	if (code == ERR_OK && b->o->junit != NULL) {
		str_clear(&text);
		report_junit(&r, &text);
		code = write_file(b, b->o->junit, &text, err);
	}
	str_release(&text);
	return code;
}
