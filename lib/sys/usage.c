/* usage.c - a few lines of /proc, read anew each time: who asks does so rarely. */
#include "sys/usage.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* number_after: what follows `key` in a file of "key: number" lines. */
static bool
number_after(const char *path, const char *key, uint64_t *out)
{
	char line[256];
	unsigned long long v = 0;
	bool found = false;
	FILE *f = fopen(path, "re");

	while (f != NULL && !found && fgets(line, sizeof line, f) != NULL)
		found = strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%*[: \t]%llu", &v) == 1;
	if (f != NULL)
		fclose(f);
	*out = v;
	return found;
}

static uint64_t
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	uint64_t n = 0;

	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.';
	if (d != NULL)
		closedir(d);
	return n > 0 ? n - 1 : 0;	/* without the one that reads them */
}

bool
usage_self(struct usage_self *out)
{
	unsigned long long user, system, start, bytes;
	long pages, tick = sysconf(_SC_CLK_TCK);
	struct rlimit limit;
	uint64_t boot;
	char line[1024];
	FILE *f = fopen("/proc/self/stat", "re");

	if (f == NULL)
		return false;
	size_t n = fread(line, 1, sizeof line - 1, f);
	fclose(f);
	line[n] = '\0';
	/* The name stands in brackets and may hold anything, brackets included. */
	const char *p = strrchr(line, ')');
	if (p == NULL || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu %llu %ld",
	    &user, &system, &start, &bytes, &pages) != 5)
		return false;
	number_after("/proc/stat", "btime", &boot);
	*out = (struct usage_self){
		.cpu_s = (double)(user + system) / (double)tick, .started_s = (double)boot + (double)start / (double)tick,
		.resident_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE), .virtual_bytes = bytes, .open_fds = count_fds(),
	};
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		out->max_fds = limit.rlim_cur;
	return true;
}

bool
usage_cpu(struct usage_cpu *out)
{
	unsigned long long v[8] = { 0 };
	FILE *f = fopen("/proc/stat", "re");

	*out = (struct usage_cpu){ 0 };
	if (f == NULL)
		return false;
	/* user nice system idle iowait irq softirq steal */
	int n = fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]);
	fclose(f);
	for (int i = 0; i < 8; i++)
		out->total += v[i];
	out->busy = out->total - v[3] - v[4];
	return n >= 4;
}

static double
percent(uint64_t part, uint64_t whole)
{
	return whole > 0 && part <= whole ? 100 * (double)part / (double)whole : 0;
}

double
usage_cpu_percent(struct usage_cpu before, struct usage_cpu now)
{
	return now.total > before.total && now.busy >= before.busy ? percent(now.busy - before.busy, now.total - before.total) : 0;
}

double
usage_memory_percent(void)
{
	uint64_t total, available;

	if (!number_after("/proc/meminfo", "MemTotal", &total) || !number_after("/proc/meminfo", "MemAvailable", &available))
		return 0;
	return percent(total - available, total);
}

double
usage_disk_percent(const char *path)
{
	struct statvfs s;

	if (statvfs(path, &s) != 0)
		return 0;
	/* As df does: what only root may use counts neither as used nor as there. */
	uint64_t used = s.f_blocks - s.f_bfree;
	return percent(used, used + s.f_bavail);
}
