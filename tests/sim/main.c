/* main.c - the simulation of the election.
 *
 *	lease --steps N [--seed S] [--workers W] [--mutant M]	random episodes; a violation ends it
 *	lease --replay EPISODE [--mutant M] [--trace]		one episode again
 *	lease --scripts						the directed scripts, mutants included
 *
 * Exit code 0: nothing was violated; 1: something was; with --mutant the other way round. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "adversary.h"
#include "base/id.h"
#include "scripts.h"

#ifdef AEGIS_MUTANTS
extern int lease_mutant;
#else
static int lease_mutant;
#endif

struct shared {
	_Atomic uint64_t steps, opened, episodes, beyond;
	_Atomic uint64_t bad;		/* episode of a violation; 0: none */
	char what[120];
};

static struct world world;

static void
work(struct shared *sh, uint64_t seed, uint64_t steps)
{
	for (uint64_t episode = seed; sh->steps < steps && sh->bad == 0; episode += 64) {
		bool good = adversary_episode(&world, episode, false);
		sh->steps += world.steps;
		sh->opened += world.opened;
		sh->beyond += world.beyond;
		sh->episodes++;
		if (good)
			continue;
		snprintf(sh->what, sizeof sh->what, "%s (N=%u, %u members)", world.violated, world.n, world.members);
		sh->bad = episode;
	}
}

/* progress: over itself on a terminal; elsewhere a line per tenth, and none for the last. */
static void
progress(const struct shared *sh, uint64_t steps, time_t begin, bool terminal)
{
	static uint64_t told;
	uint64_t tenth = steps > 0 ? 10 * sh->steps / steps : 10;

	if (!terminal && (tenth <= told || tenth >= 10))
		return;
	told = tenth;
	fprintf(stderr, "%s%6.1f %%  %" PRIu64 " steps, %" PRIu64 " holds, %ld s %s", terminal ? "\r" : "",
	    100.0 * (double)sh->steps / (double)steps, sh->steps, sh->opened, (long)(time(NULL) - begin),
	    terminal ? "" : "\n");
}

static int
run(uint64_t seed, uint64_t steps, unsigned workers)
{
	struct shared *sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	time_t begin = time(NULL);
	bool terminal = isatty(2);

	if (sh == MAP_FAILED)
		return 2;
	/* Before the first step: a run that hangs or dies can be repeated, too. */
	printf("seed %" PRIu64 ": %" PRIu64 " steps by %u workers\n", seed, steps, workers);
	fflush(NULL);
	for (unsigned i = 0; i < workers; i++)
		if (fork() == 0) {
			work(sh, seed + i, steps);
			exit(0);	/* not _exit: coverage is written on the way out */
		}
	for (unsigned left = workers; left > 0;) {
		int status;
		if (waitpid(-1, &status, WNOHANG) > 0) {
			left--;
			if (status != 0 && sh->bad == 0) {
				snprintf(sh->what, sizeof sh->what, "a worker died, status %d", status);
				sh->bad = UINT64_MAX;
			}
			continue;
		}
		progress(sh, steps, begin, terminal);
		usleep(50000);
	}
	if (terminal)
		fprintf(stderr, "\n");
	printf("seed %" PRIu64 ": %" PRIu64 " steps, %" PRIu64 " episodes (%" PRIu64 " beyond the budget), %" PRIu64
	    " holds, %ld s\n", seed, sh->steps, sh->episodes, sh->beyond, sh->opened, (long)(time(NULL) - begin));
	if (sh->bad == 0)
		return 0;
	printf("episode %" PRIu64 ": %s\n", sh->bad, sh->what);
	return 1;
}

static int
replay(uint64_t episode, bool trace)
{
	if (adversary_episode(&world, episode, trace)) {
		printf("episode %" PRIu64 ": %" PRIu64 " steps, nothing violated\n", episode, world.steps);
		return 0;
	}
	printf("episode %" PRIu64 ": %s, after %" PRIu64 " steps\n", episode, world.violated, world.steps);
	return 1;
}

static uint64_t
number(const char *s)
{
	char *end;
	uint64_t v = strtoull(s, &end, 10);

	if (*s == '\0' || *end != '\0') {
		fprintf(stderr, "lease: '%s' is no number\n", s);
		exit(2);
	}
	return v;
}

int
main(int argc, char **argv)
{
	uint64_t seed = id_random() >> 16, steps = 1000000, episode = 0;
	unsigned workers = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	bool trace = false, scripts = false;

	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;
		if (strcmp(argv[i], "--seed") == 0 && more)
			seed = number(argv[++i]);
		else if (strcmp(argv[i], "--steps") == 0 && more)
			steps = number(argv[++i]);
		else if (strcmp(argv[i], "--workers") == 0 && more)
			workers = (unsigned)number(argv[++i]);
		else if (strcmp(argv[i], "--replay") == 0 && more)
			episode = number(argv[++i]);
		else if (strcmp(argv[i], "--mutant") == 0 && more)
			lease_mutant = (int)number(argv[++i]);
		else if (strcmp(argv[i], "--trace") == 0)
			trace = true;
		else if (strcmp(argv[i], "--scripts") == 0)
			scripts = true;
		else {
			fprintf(stderr, "lease: '%s' is no option; see main.c\n", argv[i]);
			return 2;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (scripts)
		return scripts_run();
	if (episode != 0)
		return replay(episode, trace);
	return run(seed, steps, workers > 0 && workers < 64 ? workers : 1);
}
