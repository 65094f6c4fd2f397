/* chaos.c - real servers, real members, everything that can happen to them, and the judge of their
 * history.
 *
 *	chaos [--faults A,B,…|all] [--rounds N] [--profile P] [--seed S] [--record FILE]
 *	chaos --list
 *
 * Ends with 0 when no two members were active and everything recovered.  The seed is printed first
 * and repeats the order of the faults and the moments; what the machine does in between it
 * cannot repeat.  In the build with mutants AEGIS_MUTANT chooses the broken variant. */
#include <getopt.h>
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
#include "bench/failover.h"
#include "election/profile.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/dir.h"

#ifdef AEGIS_MUTANTS
extern int lease_mutant;
#endif

struct wishes {
	const char *faults, *profile, *record;
	uint64_t rounds, seed;
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

static void
tell(const struct failover_result *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct failover_tally *t = &r->tally[i];
		if (t->rounds > 0)
			printf("%-14s rounds %4llu  changes %4llu  outage p50 %7.1f  p99 %7.1f  max %7.1f ms\n", t->fault->name,
			    (unsigned long long)t->rounds, (unsigned long long)t->changed, ms(histogram_at(t->outage, 50)),
			    ms(histogram_at(t->outage, 99)), ms(histogram_max(t->outage)));
	}
	printf("%llu rounds, %llu changes, %llu calls, %llu answered, %llu lost, %.0f s\n", (unsigned long long)r->rounds,
	    (unsigned long long)r->changes, (unsigned long long)r->calls, (unsigned long long)r->ok,
	    (unsigned long long)r->lost, r->seconds);
	for (int c = 0; c < VERIFY_CHECKS; c++)
		if (r->verdict.wrong[c] > 0)
			printf("C%d: %llu, first: %s\n", c + 1, (unsigned long long)r->verdict.wrong[c], r->verdict.first[c]);
	if (r->overlap > 0)
		printf("overlap: %llu\n", (unsigned long long)r->overlap);
	if (r->first[0] != '\0')
		printf("first: %s\n", r->first);
}

/* record: one line per fault. */
static void
record(const struct wishes *w, const struct failover_result *r)
{
	FILE *f = w->record != NULL ? fopen(w->record, "ae") : NULL, *load = fopen("/proc/loadavg", "re");
	char at[WALL_TEXT_MAX], loads[64] = "";

	wall_rfc3339(clock_wall(clock_system()), at);
	if (load != NULL && fgets(loads, sizeof loads, load) != NULL)
		loads[strcspn(loads, "\n")] = '\0';
	if (load != NULL)
		fclose(load);
	for (unsigned i = 0; f != NULL && i < r->n; i++) {
		const struct failover_tally *t = &r->tally[i];
		fprintf(f, "{\"name\":\"chaos\",\"at\":\"%s\",\"load\":\"%s\",\"profile\":\"%s\",\"seed\":%llu,\"fault\":\"%s\",\"rounds\":%llu,"
		    "\"changes\":%llu,\"p50_ms\":%.1f,\"p99_ms\":%.1f,\"max_ms\":%.1f,\"lost_of_run\":%llu,\"overlap_of_run\":%llu,"
		    "\"unprovoked_of_run\":%llu}\n", at, loads, w->profile, (unsigned long long)w->seed, t->fault->name,
		    (unsigned long long)t->rounds, (unsigned long long)t->changed, ms(histogram_at(t->outage, 50)),
		    ms(histogram_at(t->outage, 99)), ms(histogram_max(t->outage)), (unsigned long long)r->lost,
		    (unsigned long long)r->overlap, (unsigned long long)r->verdict.wrong[VERIFY_C6]);
	}
	if (f != NULL)
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

static int
run(const struct wishes *w)
{
	const struct fault *faults[FAILOVER_FAULTS];
	struct failover_result r;
	struct err err = { .code = ERR_OK };
	struct profile p;
	char dir[] = "/tmp/aegis-chaos.XXXXXX";
	unsigned n;

	if (!choose(w->faults, faults, &n) || profile_find(w->profile, 1, &p, &err) != ERR_OK || mkdtemp(dir) == NULL) {
		fprintf(stderr, "chaos: %s\n", err.text);
		return 2;
	}
	printf("seed %llu, profile %s; one network for all, partitions are made by proxies\n", (unsigned long long)w->seed, w->profile);
	fflush(stdout);
	log_init(&(struct log_opts){ .level = LOG_ERROR, .format = LOG_TEXT });
	enum err_code code = failover_run(&(struct failover_opts){
		.arena = { .server = getenv("NATS_SERVER"), .dir = dir, .nodes = 3, .members = 3, .profile = w->profile,
		    .calls = true, .seed = w->seed },
		.faults = faults, .nfaults = n, .rounds = w->rounds > 0 ? w->rounds : n, .p_ns = p.p_ns, .l_ns = p.l_ns,
	}, &r, &err);
	if (code != ERR_OK)
		printf("failed: %s\n", err.text);
	if (r.n > 0)
		tell(&r);
	record(w, &r);
	bool fine = code == ERR_OK && exclusive(&r);
	failover_release(&r);
	dir_remove(dir, NULL);
	return fine ? 0 : 1;
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
		{ "faults", required_argument, NULL, 'f' }, { "rounds", required_argument, NULL, 'r' },
		{ "profile", required_argument, NULL, 'p' }, { "seed", required_argument, NULL, 's' },
		{ "record", required_argument, NULL, 'o' }, { "list", no_argument, NULL, 'l' }, { NULL, 0, NULL, 0 },
	};
	struct wishes w = { .faults = "all", .profile = "default", .seed = id_random() >> 32 };
	bool fine = true;

	choose_mutant();
	if (argc > 1 && strcmp(argv[1], CHILD_SHIM_VERB) == 0)
		child_shim_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], DRILL_VERB) == 0)
		drill_main(argc, argv);
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
		switch (c) {
		case 'f': w.faults = optarg; break;
		case 'r': fine = fine && num_uint(optarg, &w.rounds); break;
		case 'p': w.profile = optarg; break;
		case 's': fine = fine && num_uint(optarg, &w.seed); break;
		case 'o': w.record = optarg; break;
		case 'l': return list();
		default: fine = false;
		}
	}
	if (!fine || optind < argc) {
		fprintf(stderr, "chaos: [--faults A,B|all] [--rounds N] [--profile P] [--seed S] [--record FILE] | --list\n");
		return 2;
	}
	return run(&w);
}
