/* command.h - what travels about a command while it runs (wire.md §7.1): progress and completion
 * from its worker, a wish to cancel towards it.
 *
 * Plain maps without an envelope; readers tolerate further keys.  Progress and completion are
 * written in the encoding of the command, because a Python sender set to JSON reads no other. */
#ifndef CODEC_COMMAND_H
#define CODEC_COMMAND_H

#include "base/instant.h"
#include "codec/codec.h"

/* How a command ended. */
enum command_status { COMMAND_COMPLETED, COMMAND_FAILED, COMMAND_CANCELLED, COMMAND_STATUSES };

const char *command_status_name(enum command_status s);		/* "completed" */

struct command_progress {
	struct text command_id;
	double progress;		/* 0 to 100 */
	struct text status;		/* a word or a sentence of the handler's; absent: "" */
	double timestamp;		/* seconds since 1970, see command_epoch */
};

struct command_completion {
	struct text command_id;
	enum command_status status;
	struct value result;		/* of a completed one; may be RAW */
	struct text error;		/* of the other two */
};

struct command_cancel {
	struct text command_id, reason;		/* reason may be absent */
};

/* command_epoch(now): as Python's time.time() has it. */
double command_epoch(struct wall now);

/* The encoders append to out; ERR_INVALID when something cannot be written (text that is no
 * UTF-8, a progress that is no number), and then out is as before. */
enum err_code command_progress_encode(const struct command_progress *p, enum data_format format,
    struct str *out, struct err *err);
enum err_code command_completion_encode(const struct command_completion *c, enum data_format format,
    struct str *out, struct err *err);
enum err_code command_cancel_encode(const struct command_cancel *c, enum data_format format,
    struct str *out, struct err *err);

/* The decoders fill slices that live until c decodes again, and as long as the bytes.  A
 * completion of another status than these three is taken for a failure that says so: the
 * command has ended in any case.  ERR_SYNTAX: no map; ERR_INVALID names the key. */
enum err_code command_progress_decode(struct codec *c, const void *data, size_t n,
    struct command_progress *out, struct err *err);
enum err_code command_completion_decode(struct codec *c, const void *data, size_t n,
    struct command_completion *out, struct err *err);
enum err_code command_cancel_decode(struct codec *c, const void *data, size_t n,
    struct command_cancel *out, struct err *err);

#endif
