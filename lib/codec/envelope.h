/* codec/envelope.h - the messages of wire.md §3 to bytes and back. */
#ifndef CODEC_ENVELOPE_H
#define CODEC_ENVELOPE_H

#include "base/instant.h"
#include "codec/codec.h"
#include "model/envelope.h"

/* envelope_decode(c, kind, data, n, e, format, err): reads one message under every row of
 * the strictness table of §3, but ignores and counts unknown keys (rule 2).  Absent ids and
 * timestamps are filled in.  e lives as long as the bytes and until c decodes again.
 * *format is set as soon as it is known, also on failure, because a reply to an unreadable
 * request still mirrors it.  ERR_SYNTAX for bytes that are no map, ERR_INVALID for a row of
 * the table; the sentence names the field. */
enum err_code envelope_decode(struct codec *c, enum envelope_kind kind, const void *data, size_t n,
    struct envelope *e, enum data_format *format, struct err *err);

/* envelope_encode(e, format, out, err): appends the message, keys in the order of §3,
 * after checking it against the same table.  message_id, trace_id and timestamp that are
 * absent are drawn afresh into the output only.  now is the caller's time, for the timestamp. */
enum err_code envelope_encode(const struct envelope *e, enum data_format format, struct wall now,
    struct str *out, struct err *err);

/* envelope_check(e, err): the table of §3 for a message that is not yet encoded. */
enum err_code envelope_check(const struct envelope *e, struct err *err);

#endif
