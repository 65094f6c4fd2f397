/* member_record.h - inside lib/member: what an instance writes about itself. */
#ifndef MEMBER_MEMBER_RECORD_H
#define MEMBER_MEMBER_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "member/member.h"
#include "model/instance.h"

struct methods;
struct traffic;

struct member_record_opts {
	const char *service, *instance, *version;
	const char *metadata;		/* the owner's JSON map, or NULL */
	const char *nonce;
	enum instance_status status;
	struct wall started;
	const char *group;		/* NULL: none, and the rest says nothing */
	const char *const *exclusive;	/* NULL: all */
	struct member_lead lead;
};

/* member_record(o, now): the record as of now; the caller's (instance_free).  Our own
 * members of the metadata (start_time, nonce, direct_rpc; of a group's epoch, since, exclusive) stand behind the owner's and win
 * over equal names. */
struct instance *member_record(const struct member_record_opts *o, struct wall now);

/* member_record_check(metadata, err): ERR_INVALID unless it is NULL or JSON of a map. */
enum err_code member_record_check(const char *metadata, struct err *err);

struct member_metrics_opts {
	const char *service, *instance;
	struct methods *methods;
	const struct traffic *traffic;	/* may be NULL */
	double uptime_s;
	uint64_t heartbeats;
	bool connected;
	struct map *told;		/* what was told of each timer before, by its name, struct hist; the caller's */
};

/* member_metrics(o, now, out): the heartbeat broadcast of wire.md §10.  Of a timer, the count is of all since the
 * start; the rest is of what was recorded since the heartbeat before, or of all when nothing was: in a process
 * that runs for days nobody would see otherwise that it is slow now. */
void member_metrics(const struct member_metrics_opts *o, struct wall now, struct str *out);

#endif
