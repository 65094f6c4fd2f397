/* near.c - a small Damerau-Levenshtein, bounded because more than two slips is no slip. */
#include "base/near.h"

#include <stdlib.h>
#include <string.h>

#define FAR 3
#define LONGEST 64

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned
near_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned row[3][LONGEST + 1];

	if (n > LONGEST || m > LONGEST || n > m + 2 || m > n + 2)
		return FAR;
	for (size_t j = 0; j <= m; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			now[j] = least(least(up[j], now[j - 1]) + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], up2[j - 2] + 1);
		}
	}
	return least(row[n % 3][m], FAR);
}

static unsigned
rank(const char *word, const char *candidate)
{
	unsigned d = near_distance(word, candidate);

	/* What somebody began to type is nearer than a slip of two letters. */
	if (d > 1 && word[0] != '\0' && strncmp(word, candidate, strlen(word)) == 0)
		return 1;
	return d;
}

size_t
near_pick(const char *word, const char *const *candidates, size_t n, const char **out, size_t max)
{
	size_t found = 0;

	for (unsigned want = 0; want < FAR; want++)
		for (size_t i = 0; i < n && found < max; i++)
			if (rank(word, candidates[i]) == want)
				out[found++] = candidates[i];
	return found;
}
