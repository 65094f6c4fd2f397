/* register.h - the answer to a leader read of a lease register (election.md §3.4): STREAM.MSG.GET wraps the
 * stored bytes in base64 within JSON.
 *
 * Four answers that must never be mixed up: blank is only what the stream's leader says is
 * absent (10037); what cannot be understood is left alone; everything else is no answer. */
#ifndef CODEC_REGISTER_H
#define CODEC_REGISTER_H

#include <stdint.h>

#include "model/lease.h"

enum register_reading {
	REGISTER_LOST,		/* no answer of JetStream, or an error of it */
	REGISTER_BLANK,
	REGISTER_UNREADABLE,	/* rev is set */
	REGISTER_VALUE,		/* rev and record are set */
};

struct register_reply {
	enum register_reading reading;
	uint64_t rev;
	struct lease_record record;
};

/* register_reply_parse(p, n, out): uses codec_mine. */
void register_reply_parse(const void *p, size_t n, struct register_reply *out);

/* base64_decode(p, n, out): out has room for n * 3 / 4 + 3 bytes; how many there are, or -1 when it is no
 * base64. */
int64_t base64_decode(const char *p, size_t n, unsigned char *out);

#endif
