/* page.c - the page in a real browser, with a thousand living instances: what it weighs, how soon it is drawn,
 * what an update costs, how long a change of the registry takes until it is seen; and Lighthouse's opinion.
 *
 * The browser is driven by benchmarks/page/{page,scores}.mjs, which print their samples, one line for each
 * name; what is good enough is decided here.  Browser, driver, service and instances share the machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/magic.h"
#include "base/mem.h"
#include "bench.h"
#include "nats/conn.h"
#include "sys/thread.h"

#define INSTANCES 1000
#define SOME 30			/* for Lighthouse, which plays a slow telephone */

struct row {
	const char *name;		/* of the line */
	double percent;			/* which of its samples is the figure */
	struct bench_figure f;
};

static const struct row page_rows[] = {
	{ "initial", 50, { .id = "page_initial_js", .what = "JS that the page needs at first, gzip", .limit = 25, .unit = "kB" } },
	{ "all", 50, { .id = "page_all", .what = "all of the page, gzip", .limit = 70, .unit = "kB" } },
	{ "first", 50, { .id = "page_first_p50", .what = "1000 instances drawn, from the click on, p50", .limit = 500, .unit = "ms" } },
	{ "frame", 99, { .id = "page_update_p99", .what = "1000 instances that beat: a frame with updates, p99", .limit = 50, .unit = "ms" } },
	{ "burst", 50, { .id = "page_burst_p50", .what = "200 of them changed at once: longest frame, p50", .limit = 50, .unit = "ms" } },
	{ "seen", 99, { .id = "page_seen_p99", .what = "change in KV until it is in an open page, p99", .limit = 150, .unit = "ms" } },
};

static const struct row score_rows[] = {
	{ "accessibility", 0, { .id = "page_accessibility", .what = "Lighthouse: accessibility, worst page", .limit = 100, .sense = BENCH_AT_LEAST } },
	{ "best-practices", 0, { .id = "page_practices", .what = "Lighthouse: best practices, worst page", .limit = 100, .sense = BENCH_AT_LEAST } },
	{ "performance", 0, { .id = "page_performance", .what = "Lighthouse: performance, worst page", .limit = 95, .sense = BENCH_AT_LEAST } },
};

/* complain: with the end of what the browser's driver said. */
static _Noreturn void
complain(const char *script)
{
	char *path = mem_printf("%s/stderr", bench_dir()), text[2048] = "";
	FILE *f = fopen(path, "re");

	if (f != NULL && fseek(f, -(long)(sizeof text - 1), SEEK_END) != 0)
		rewind(f);
	size_t n = f != NULL ? fread(text, 1, sizeof text - 1, f) : 0;
	text[n] = '\0';
	if (f != NULL)
		fclose(f);
	mem_free(path);
	bench_die("%s failed: %s", script, text);
}

/* run: a script with the addresses that it needs; what it prints lies in the file `out` of the scratch directory. */
static void
run(const char *script, const char *out)
{
	char *build = bench_beside(".."), *path = mem_printf("%s/../benchmarks/page/%s", build, script);
	char *url = mem_printf("http://127.0.0.1:%u", api_port()), *link = api_link("admin");
	const char *node = getenv("NODE");
	const char *argv[] = { "/usr/bin/env", node != NULL ? node : "node", path, url, link, bench_nats(), build, NULL };

	if (bench_reap(bench_spawn(argv, out)) != 0)
		complain(script);
	mem_free(path);
	mem_free(build);
	mem_free(url);
	mem_free(link);
}

/* take: the samples of the line that begins with the name. */
static void
take(const char *out, const char *name, struct samples *s)
{
	char *path = mem_printf("%s/%s", bench_dir(), out), *line = NULL, *end;
	FILE *f = fopen(path, "re");
	size_t cap = 0, n = strlen(name);

	while (f != NULL && getline(&line, &cap, f) > 0) {
		if (strncmp(line, name, n) != 0 || line[n] != ' ')
			continue;
		for (char *at = line + n; *at != '\n' && *at != '\0'; at = end) {
			double v = strtod(at, &end);
			if (end == at)
				bench_die("'%s' is no list of numbers", line);
			samples_add(s, v);
		}
	}
	if (s->n == 0)
		bench_die("the browser told nothing of '%s'", name);
	if (f != NULL)
		fclose(f);
	free(line);
	mem_free(path);
}

static void
tell(const char *out, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct samples s = { NULL, 0, 0 };
		struct bench_figure f = rows[i].f;
		char detail[96];

		take(out, rows[i].name, &s);
		f.value = samples_at(&s, rows[i].percent);
		f.unit = f.unit != NULL ? f.unit : "points";
		f.spread = &s;
		snprintf(detail, sizeof detail, "min %.3g, p50 %.3g, max %.3g of %zu", samples_at(&s, 0), samples_at(&s, 50),
		    samples_at(&s, 100), s.n);
		f.detail = s.n > 1 ? detail : NULL;
		bench_figure(&f);
		samples_release(&s);
	}
}

int
main(int argc, char **argv)
{
	bench_begin("page", argc, argv);
	thread_block_signals();
	api_start(SOME);
	run("scores.mjs", "scores");
	tell("scores", score_rows, COUNT_OF(score_rows));
	api_stop();
	api_start(INSTANCES);
	run("page.mjs", "samples");
	tell("samples", page_rows, COUNT_OF(page_rows));
	api_stop();
	conn_library_close();
	return bench_end();
}
