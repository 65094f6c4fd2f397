/* fuzz_lease - what stands in the buckets of an election: what can be read is written, and
 * reading that gives the same again.  Answers to lease writes only have to be survived. */
#include "fuzz.h"

#include "codec/lease.h"
#include "model/names.h"

static struct str first, again;

static void
value(const uint8_t *data, size_t size)
{
	struct lease_record r;

	if (lease_decode(data, size, &r, NULL) != ERR_OK || !name_ok(NAME_INSTANCE_CALLED, r.holder, strlen(r.holder)))
		return;
	str_clear(&first);
	lease_encode(&r, &first);
	MUST(first.len <= LEASE_VALUE_MAX && lease_decode(first.p, first.len, &r, NULL) == ERR_OK);
	str_clear(&again);
	lease_encode(&r, &again);
	MUST(same(&first, &again));
}

#define ROUND_TRIP(what, type) do { \
	struct type it; \
	if (what##_decode(data, size, &it, NULL) == ERR_OK) { \
		str_clear(&first); \
		what##_encode(&it, &first); \
		MUST(what##_decode(first.p, first.len, &it, NULL) == ERR_OK); \
		str_clear(&again); \
		what##_encode(&it, &again); \
		MUST(same(&first, &again)); \
	} \
} while (0)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t number;

	value(data, size);
	ROUND_TRIP(lease_set, lease_set);
	ROUND_TRIP(lease_group, lease_group_record);
	ROUND_TRIP(lease_changes, lease_changes);
	lease_answer(data, size, &number);
	lease_read_missing(data, size);
	return 0;
}
