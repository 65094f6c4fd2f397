/* profile.c - the table of profiles and its inequalities. */
#include "election/profile.h"

#include <string.h>

#include "base/magic.h"

#define GUARD_MIN_NS (20 * NS_PER_MS)
#define STEP_MIN_NS (5 * NS_PER_MS)
#define L_MAX_NS (60 * NS_PER_S)

static int64_t
larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

struct profile
profile_make(int64_t p_ms, int64_t d_ms, int64_t l_ms, int64_t resolution_ns)
{
	return (struct profile){
		.name = "custom",
		.p_ns = p_ms * NS_PER_MS,
		.d_ns = d_ms * NS_PER_MS,
		.l_ns = l_ms * NS_PER_MS,
		.g_ns = larger(GUARD_MIN_NS, 4 * resolution_ns),
		.step_ns = larger(STEP_MIN_NS, p_ms * NS_PER_MS / 10),
	};
}

enum err_code
profile_find(const char *name, int64_t resolution_ns, struct profile *out, struct err *err)
{
	static const struct { const char *name; int64_t p, d, l; } rows[] = {
#define X(name, p, d, l) { #name, p, d, l },
		PROFILES(X)
#undef X
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strcmp(rows[i].name, name) == 0) {
			*out = profile_make(rows[i].p, rows[i].d, rows[i].l, resolution_ns);
			out->name = rows[i].name;
			return ERR_OK;
		}
	return err_set(err, ERR_INVALID, "election profile '%s' does not exist; use fast, default, relaxed or wan", name);
}

int64_t
profile_wait(int64_t d_ns, int64_t l_ns, int64_t g_ns)
{
	return larger(l_ns, d_ns + d_ns / 50 + g_ns);
}

static double
ms(int64_t ns)
{
	return (double)ns / 1e6;
}

enum err_code
profile_check(const struct profile *p, int64_t rtt_ns, bool replicated, struct err *err)
{
	int64_t least = p->d_ns + p->d_ns / 50 + p->g_ns;

	if (p->p_ns <= 0 || p->d_ns < 3 * p->p_ns)
		return err_set(err, ERR_INVALID, "election profile '%s': D = %.0f ms is less than 3P = %.0f ms; two lost "
		    "renewals in a row would end the lease: lengthen D or shorten P", p->name, ms(p->d_ns), ms(3 * p->p_ns));
	if (p->l_ns < least)
		return err_set(err, ERR_INVALID, "election profile '%s': L = %.1f ms is less than D*1.02+g = %.1f ms "
		    "(D = %.0f, g = %.1f); two could lead: lengthen L", p->name, ms(p->l_ns), ms(least), ms(p->d_ns),
		    ms(p->g_ns));
	if (p->l_ns > L_MAX_NS)
		return err_set(err, ERR_INVALID, "election profile '%s': L = %.0f ms is more than %.0f ms; no member would "
		    "believe such a value: shorten L", p->name, ms(p->l_ns), ms(L_MAX_NS));
	if (p->d_ns < 4 * rtt_ns)
		return err_set(err, ERR_INVALID, "election profile '%s': D = %.0f ms is less than 4 round trips of %.1f ms to "
		    "the registers; use a slower profile", p->name, ms(p->d_ns), ms(rtt_ns));
	if (replicated && p->d_ns >= 4 * NS_PER_S)
		return err_set(err, ERR_INVALID, "election profile '%s': D = %.0f ms does not go with a replicated register, "
		    "which may lose writes after 4000 ms; use default, fast or relaxed", p->name, ms(p->d_ns));
	return ERR_OK;
}
