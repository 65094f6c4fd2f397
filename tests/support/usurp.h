/* usurp.h - takes the lead away from whoever has it: a higher epoch in a register, of a holder that is nobody.  What a leader
 * meets when its renewals were late for too long and another one was faster. */
#ifndef SUPPORT_USURP_H
#define SUPPORT_USURP_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nats/conn.h"
#include "nats/kv.h"

/* usurp(c, bucket, key, epoch, wait_ms): whatever stands there gives way; the members wait for that long until one leads again. */
static inline bool
usurp(struct conn *c, const char *bucket, const char *key, uint64_t epoch, unsigned wait_ms)
{
	struct kv kv = { c, bucket };
	struct err err;
	uint64_t revision;
	char text[300];

	snprintf(text, sizeof text, "{\"v\":1,\"e\":%" PRIu64 ",\"s\":\"held\",\"h\":\"usurper\",\"n\":\"%032x\",\"c\":1,\"D\":%u,"
	    "\"L\":%u,\"to\":\"\",\"conn\":[],\"w\":0}", epoch, 0xbadu, wait_ms / 2, wait_ms);
	return kv_put(&kv, &(struct kv_put){ .key = key, .value = text, .n = strlen(text), .expect = KV_ANY }, &revision, &err) == ERR_OK;
}

#endif
