/* adversary.h - episodes: a world, a seed, and everything that goes wrong in election.md §12. */
#ifndef SIM_ADVERSARY_H
#define SIM_ADVERSARY_H

#include "world.h"

/* adversary_episode(w, seed, trace): one episode; everything in it follows from the seed.  False
 * when an invariant did not hold: w->violated says which. */
bool adversary_episode(struct world *w, uint64_t seed, bool trace);

#endif
