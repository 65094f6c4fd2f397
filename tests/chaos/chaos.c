/* chaos.c - real servers, real members, everything that can happen to them, and the judge of their
 * history.
 *
 *	chaos [--faults A,B,…|all] [--rounds N] [--changes N] [--rate PPM] [--profile P] [--seed S] [--record FILE]
 *	chaos --list
 *
 * Ends with 0 when no two members were active and everything recovered.  A round in which something did not recover is
 * a finding, and the next one begins; INT and TERM end the run with what there is.  The seed is printed first
 * and repeats the order of the faults and the moments; what the machine does in between it
 * cannot repeat.  In the build with mutants AEGIS_MUTANT chooses the broken variant. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/drill.h"
#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/wall.h"
#include "bench/drill.h"
#include "bench/failover.h"
#include "election/elector.h"
#include "election/profile.h"
#include "election/repair.h"
#include "runner/guardian.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/dir.h"

#ifdef AEGIS_MUTANTS
extern int lease_mutant;
#endif

#define RATE 10000			/* by which members' clocks are too fast and too slow: what the specification grants */
#define RATE_MAX 100000
#define TOLD_EVERY 50			/* rounds */

struct wishes {
	const char *faults, *profile, *record;
	uint64_t rounds, changes, seed, rate;	/* rate: in millionths */
};

static int
list(void)
{
	const struct fault *k;

	for (unsigned i = 0; (k = fault(i)) != NULL; i++)
		printf("%-14s %s\n", k->name, k->what);
	return 0;
}

static bool
choose(const char *names, const struct fault **out, unsigned *n)
{
	char *copy = mem_text(names), *rest = NULL;
	bool fine = true;

	*n = 0;
	for (unsigned i = 0; strcmp(names, "all") == 0 && fault(i) != NULL; i++)
		out[(*n)++] = fault(i);
	for (char *one = strtok_r(copy, ",", &rest); *n < FAILOVER_FAULTS && fine && one != NULL && strcmp(names, "all") != 0;
	    one = strtok_r(NULL, ",", &rest)) {
		fine = (out[*n] = fault_find(one)) != NULL;
		if (fine)
			(*n)++;
		else
			fprintf(stderr, "chaos: no fault '%s'; --list shows them\n", one);
	}
	mem_free(copy);
	return fine && *n > 0;
}

/* --- telling ------------------------------------------------------------------------------ */

static double
ms(int64_t ns)
{
	return (double)ns / 1e6;
}

/* The load of the machine, looked at after each round. */
struct loads {
	double first, sum, max, last;
	unsigned n;
};

static void
look_at_load(struct loads *l)
{
	FILE *f = fopen("/proc/loadavg", "re");

	if (f != NULL && fscanf(f, "%lf", &l->last) == 1) {
		l->first = l->n++ == 0 ? l->last : l->first;
		l->sum += l->last;
		l->max = l->last > l->max ? l->last : l->max;
	}
	if (f != NULL)
		fclose(f);
}

static double
load_mean(const struct loads *l)
{
	return l->n > 0 ? l->sum / l->n : 0;
}

static void
tell_faults(const struct failover_result *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct failover_tally *t = &r->tally[i];
		if (t->rounds == 0 && t->failed == 0)
			continue;
		printf("%-14s rounds %4llu  changes %4llu  outage p50 %7.1f  p99 %7.1f  max %7.1f ms", t->fault->name,
		    (unsigned long long)t->rounds, (unsigned long long)t->changed, ms(histogram_at(t->outage, 50)),
		    ms(histogram_at(t->outage, 99)), ms(histogram_max(t->outage)));
		if (t->failed > 0)
			printf("  FAILED %llu", (unsigned long long)t->failed);
		putchar('\n');
	}
}

/* tell_checks: a line for each; only one that found something begins with its name and a colon. */
static void
tell_checks(const struct failover_result *r)
{
	static const char *const what[VERIFY_CHECKS] = { "gates never overlap", "served under one epoch at a time", "stored once, in order",
		"epochs grow, one holder each", "the exclusive counter", "no change without a fault", "served again after each fault" };
	const struct verify_report *v = &r->verdict;

	for (int c = 0; c < VERIFY_CHECKS; c++) {
		if (v->wrong[c] > 0)
			printf("C%d: %llu, first: %s\n", c + 1, (unsigned long long)v->wrong[c], v->first[c]);
		else if (c == VERIFY_C3 && v->effects == 0)
			printf("C3 not judged: nothing was stored\n");
		else
			printf("C%d holds: %s\n", c + 1, what[c]);
	}
	printf("judged: %llu holds, %llu signs of life of programs, %llu served, %llu calls (%llu ok, %llu failed, %llu unknown), %llu stored\n", (unsigned long long)v->holds,
	    (unsigned long long)v->lived, (unsigned long long)v->served, (unsigned long long)v->invoked, (unsigned long long)v->ok, (unsigned long long)v->failed,
	    (unsigned long long)v->unknown, (unsigned long long)v->effects);
}

static void
tell(const struct failover_result *r, const struct loads *l)
{
	tell_faults(r);
	printf("%llu rounds, %llu changes, %llu calls, %llu answered, %llu lost, %.0f s%s\n", (unsigned long long)r->rounds,
	    (unsigned long long)r->changes, (unsigned long long)r->calls, (unsigned long long)r->ok,
	    (unsigned long long)r->lost, r->seconds, r->interrupted ? "; ended early by a signal" : "");
	printf("load %.1f at first, %.1f on average, %.1f at most\n", l->first, load_mean(l), l->max);
	if (r->flow.sent > 0)
		printf("by the queue: %llu calls, %llu refused, lost or unknown\n", (unsigned long long)r->flow.sent,
		    (unsigned long long)r->flow.failed);
	tell_checks(r);
	printf("unprovoked changes: %llu\n", (unsigned long long)r->verdict.wrong[VERIFY_C6]);
	printf("overlap: %llu\n", (unsigned long long)r->overlap);
	if (r->first[0] != '\0')
		printf("first: %s\n", r->first);
	for (unsigned i = 0; i < r->failures && i < FAILOVER_TOLD; i++)
		printf("failed: %s\n", r->failure[i]);
	if (r->failures > 0)
		printf("%llu rounds failed; %u sets of servers and members\n", (unsigned long long)r->failures, r->arenas);
}

/* record: one line per fault, and one about the run. */
static void
record(const struct wishes *w, const struct failover_result *r, const struct loads *l)
{
	FILE *f = w->record != NULL ? fopen(w->record, "ae") : NULL;
	char at[WALL_TEXT_MAX], common[240];

	if (w->record == NULL)
		return;
	if (f == NULL) {
		perror(w->record);
		return;
	}
	wall_rfc3339(clock_wall(clock_system()), at);
	snprintf(common, sizeof common, "\"at\":\"%s\",\"load\":%.1f,\"load_max\":%.1f,\"profile\":\"%s\",\"rate_ppm\":%llu,\"seed\":%llu", at,
	    load_mean(l), l->max, w->profile, (unsigned long long)w->rate, (unsigned long long)w->seed);
	for (unsigned i = 0; i < r->n; i++) {
		const struct failover_tally *t = &r->tally[i];
		if (t->rounds == 0 && t->failed == 0)
			continue;
		fprintf(f, "{\"name\":\"chaos\",%s,\"fault\":\"%s\",\"rounds\":%llu,\"changes\":%llu,\"failed\":%llu,\"p50_ms\":%.1f,"
		    "\"p99_ms\":%.1f,\"max_ms\":%.1f}\n", common, t->fault->name, (unsigned long long)t->rounds,
		    (unsigned long long)t->changed, (unsigned long long)t->failed, ms(histogram_at(t->outage, 50)),
		    ms(histogram_at(t->outage, 99)), ms(histogram_max(t->outage)));
	}
	fprintf(f, "{\"name\":\"chaos_run\",%s,\"seconds\":%.0f,\"interrupted\":%s,\"rounds\":%llu,\"changes\":%llu,\"failed\":%llu,"
	    "\"arenas\":%u,\"calls\":%llu,\"lost\":%llu,\"overlap\":%llu,\"holds\":%llu,\"served\":%llu,\"stored\":%llu", common,
	    r->seconds, r->interrupted ? "true" : "false", (unsigned long long)r->rounds, (unsigned long long)r->changes,
	    (unsigned long long)r->failures, r->arenas, (unsigned long long)r->calls, (unsigned long long)r->lost,
	    (unsigned long long)r->overlap, (unsigned long long)r->verdict.holds, (unsigned long long)r->verdict.served,
	    (unsigned long long)r->verdict.effects);
	for (int c = 0; c < VERIFY_CHECKS; c++)
		fprintf(f, ",\"C%d\":%llu", c + 1, (unsigned long long)r->verdict.wrong[c]);
	fprintf(f, "}\n");
	fclose(f);
}

/* exclusive: nothing that only two active members could cause.  A change of leader without a fault (C6)
 * is what a machine that is busy with other things does, and said, but no failure. */
static bool
exclusive(const struct failover_result *r)
{
	bool fine = r->overlap == 0;

	for (int c = 0; c < VERIFY_CHECKS; c++)
		fine = fine && (c == VERIFY_C6 || r->verdict.wrong[c] == 0);
	return fine;
}

/* --- running ------------------------------------------------------------------------------ */

static atomic_bool stop;

static void
on_signal(int signo)
{
	(void)signo;
	atomic_store(&stop, true);
}

/* What is told while it runs. */
struct telling {
	const struct wishes *w;
	const struct failover_result *r;
	struct loads loads;
};

static void
found(void *arg, const char *what)
{
	const struct telling *t = arg;

	printf("found after %llu rounds: %s\n", (unsigned long long)t->r->rounds, what);
	fflush(stdout);
}

static void
progress(void *arg, double share)
{
	struct telling *t = arg;

	look_at_load(&t->loads);
	if (share < 1 && t->r->rounds > 0 && t->r->rounds % TOLD_EVERY == 0)
		printf("%llu rounds, %llu changes, %llu failed, load %.1f\n", (unsigned long long)t->r->rounds,
		    (unsigned long long)t->r->changes, (unsigned long long)t->r->failures, t->loads.last);
	fflush(stdout);
}

static enum err_code
repair(struct conn *conn, struct err *err)
{
	struct repaired r;

	return repair_group(conn, ELECT_SERVICE, DRILL_GROUP, &r, err);
}

static int
run(const struct wishes *w)
{
	const struct fault *faults[FAILOVER_FAULTS];
	struct failover_result r;
	struct telling t = { .w = w, .r = &r };
	struct err err = { .code = ERR_OK };
	struct profile p;
	const char *tmp = getenv("TMPDIR");
	char *dir = mem_printf("%s/aegis-chaos.XXXXXX", tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
	unsigned n;

	if (!choose(w->faults, faults, &n) || profile_find(w->profile, 1, &p, &err) != ERR_OK || mkdtemp(dir) == NULL) {
		fprintf(stderr, "chaos: %s\n", err.text);
		mem_free(dir);
		return 2;
	}
	printf("seed %llu, profile %s, clocks +-%g %%; one network for all, partitions are made by proxies\n", (unsigned long long)w->seed,
	    w->profile, (double)w->rate / 1e4);
	fflush(stdout);
	log_init(&(struct log_opts){ .level = LOG_ERROR, .format = LOG_TEXT });
	look_at_load(&t.loads);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	enum err_code code = failover_run(&(struct failover_opts){
		.arena = { .server = getenv("NATS_SERVER"), .dir = dir, .nodes = 3, .members = 3, .profile = w->profile,
		    .calls = true, .stores = true, .rate_ppm = (int64_t)w->rate, .seed = w->seed, .stop = &stop },
		.faults = faults, .nfaults = n, .rounds = w->rounds > 0 ? w->rounds : n, .changes = w->changes, .p_ns = p.p_ns, .l_ns = p.l_ns,
		.lasting = true,
		.found = found, .repair = repair, .progress = progress, .arg = &t,
	}, &r, &err);
	if (code != ERR_OK)
		printf("ended: %s\n", err.text);
	tell(&r, &t.loads);
	record(w, &r, &t.loads);
	bool fine = code == ERR_OK && r.failures == 0 && exclusive(&r);
	failover_release(&r);
	if (fine)
		dir_remove(dir, NULL);
	else
		printf("the history and what members said is kept in %s\n", dir);
	mem_free(dir);
	return fine ? 0 : 1;
}

/* take_clock: this process is a member with a clock of its own, or what a member started. */
static void
take_clock(void)
{
	const char *text = getenv(DRILL_CLOCK);
	struct clock_rate r = { .ppm = 0 };
	char all[96];

	if (text == NULL)
		return;
	int n = sscanf(text, "%" SCNd64 ":%" SCNd64 ":%" SCNd64 ":%" SCNd64, &r.ppm, &r.mono.ns, &r.boot.ns, &r.wall.ns);
	if (n == 1) {
		r.mono = clock_mono(clock_system());
		r.boot = clock_boot(clock_system());
		r.wall = clock_wall(clock_system());
		snprintf(all, sizeof all, "%" PRId64 ":%" PRId64 ":%" PRId64 ":%" PRId64, r.ppm, r.mono.ns, r.boot.ns, r.wall.ns);
		setenv(DRILL_CLOCK, all, 1);
	}
	clock_set_rate(&r);
}

static void
choose_mutant(void)
{
#ifdef AEGIS_MUTANTS
	uint64_t n = 0;

	if (getenv("AEGIS_MUTANT") != NULL && num_uint(getenv("AEGIS_MUTANT"), &n))
		lease_mutant = (int)n;
#endif
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "faults", required_argument, NULL, 'f' }, { "rounds", required_argument, NULL, 'r' }, { "changes", required_argument, NULL, 'c' },
		{ "rate", required_argument, NULL, 'd' },
		{ "profile", required_argument, NULL, 'p' }, { "seed", required_argument, NULL, 's' },
		{ "record", required_argument, NULL, 'o' }, { "list", no_argument, NULL, 'l' }, { NULL, 0, NULL, 0 },
	};
	struct wishes w = { .faults = "all", .profile = "default", .rate = RATE, .seed = id_random() >> 32 };
	bool fine = true;

	choose_mutant();
	if (argc > 1 && (strcmp(argv[1], GUARDIAN_VERB) == 0 || strcmp(argv[1], DRILL_VERB) == 0))
		take_clock();
	if (argc > 1 && strcmp(argv[1], CHILD_SHIM_VERB) == 0)
		child_shim_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], GUARDIAN_VERB) == 0)
		guardian_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], DRILL_VERB) == 0)
		drill_main(argc, argv);
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
		switch (c) {
		case 'f': w.faults = optarg; break;
		case 'r': fine = fine && num_uint(optarg, &w.rounds); break;
		case 'c': fine = fine && num_uint(optarg, &w.changes); break;
		case 'd': fine = fine && num_uint(optarg, &w.rate) && w.rate <= RATE_MAX; break;
		case 'p': w.profile = optarg; break;
		case 's': fine = fine && num_uint(optarg, &w.seed); break;
		case 'o': w.record = optarg; break;
		case 'l': return list();
		default: fine = false;
		}
	}
	if (!fine || optind < argc) {
		fprintf(stderr, "chaos: [--faults A,B|all] [--rounds N] [--changes N] [--rate PPM] [--profile P] [--seed S] [--record FILE] | --list\n");
		return 2;
	}
	return run(&w);
}
