/* fuzz.h - what the fuzzers share.  Each calls with arbitrary bytes what reads bytes from
 * outside; a promise that does not hold ends the program, and libFuzzer keeps the input. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/magic.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* same(a, b): two buffers hold the same bytes. */
static inline int
same(const struct str *a, const struct str *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

#endif
