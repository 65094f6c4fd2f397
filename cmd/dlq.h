/* dlq.h - `aegis command dlq` and `aegis event dlq`: one set of verbs for two streams. */
#ifndef CMD_DLQ_H
#define CMD_DLQ_H

#include "cmd.h"
#include "nats/stream.h"

struct dlq_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *filter;		/* of original subjects */
	bool all;
	uint64_t limit;
};

extern const struct opt dlq_rows[];

/* cmd_dlq_run(c, id, err): c->opts is a struct dlq_opts; the words are ls, or show, retry or rm with
 * sequences. */
enum err_code cmd_dlq_run(struct cmd *c, enum stream_id id, struct err *err);

#endif
