/* codec.h - bytes to values and back: MessagePack and JSON, one tree, one writer.
 *
 * A decoder keeps the arena in which decoded trees lie.  Decoding again with the same
 * decoder ends the life of what it decoded before; nothing is allocated in the steady
 * state.  A decoder belongs to one thread at a time; codec_mine gives each thread its own.
 *
 * Limits on everything that is read: nesting 32 (what msgpack-c can hold, and far beyond
 * any message of ours), and the caller's size limit.  Text must be valid UTF-8, map keys
 * must be text, numbers finite, extension types are refused (wire.md §3, rule 5). */
#ifndef CODEC_CODEC_H
#define CODEC_CODEC_H

#include "base/err.h"
#include "base/instant.h"
#include "base/str.h"
#include "model/value.h"

struct codec;

struct codec *codec_new(void);
void codec_free(struct codec *c);

/* codec_mine(): this thread's decoder, made at its first call and freed when the thread
 * ends.  Functions that use it say so, because it ends the life of earlier trees. */
struct codec *codec_mine(void);

/* codec_scratch(): this thread's buffer, emptied, for what is encoded and handed on at once:
 * its next use ends the life of what is in it. */
struct str *codec_scratch(void);

/* codec_detect(p, n): the format by the first byte (wire.md §4); n > 0. */
enum data_format codec_detect(const void *p, size_t n);

/* codec_parse(c, data, out, err): one complete value and nothing behind it.  Text slices
 * may point into data.p, which must outlive out.  ERR_SYNTAX says what is wrong and at
 * which byte. */
enum err_code codec_parse(struct codec *c, struct data data, struct value *out, struct err *err);

/* codec_parse_file(c, text, n, out, err): JSON as people write it: comments and trailing
 * commas allowed; errors say line and column. */
enum err_code codec_parse_lenient(struct codec *c, const char *text, size_t n, struct value *out,
    struct err *err);

/* How JSON is written; MessagePack has one form (§4). */
enum pack_style {
	PACK_COMPACT,		/* envelopes: no blanks, raw UTF-8 */
	PACK_ASCII,		/* instance records: no blanks, \uXXXX */
	PACK_PYTHON,		/* internal.*: ", " and ": ", \uXXXX */
	PACK_PRETTY,		/* for people: two blanks deep, one member a line */
};

/* A writer of one value, piece by piece, to the end of a str.  Maps and arrays announce
 * their size, because MessagePack wants it in front.  Keys are written with pack_key.
 * Misuse (too many or too few members, a key outside a map) is a bug and asserts; what can
 * go wrong with data (NaN, invalid UTF-8, RAW that cannot be read) is remembered and
 * told by pack_end. */
struct pack {
	struct str *out;
	enum data_format format;
	enum pack_style style;
	enum err_code code;		/* first failure */
	struct err err;			/* its sentence; meaningless while code is ERR_OK */
	size_t start;			/* out->len at pack_init */
	unsigned depth;
	struct pack_level { uint32_t left; uint32_t count; bool map, key_done; } level[33];
};

void pack_init(struct pack *p, struct str *out, enum data_format format, enum pack_style style);
void pack_map(struct pack *p, uint32_t pairs);
void pack_array(struct pack *p, uint32_t items);
void pack_key(struct pack *p, const char *key);
void pack_key_n(struct pack *p, struct text key);
void pack_null(struct pack *p);
void pack_bool(struct pack *p, bool v);
void pack_int(struct pack *p, int64_t v);
void pack_uint(struct pack *p, uint64_t v);
void pack_real(struct pack *p, double v);	/* float64 always; JSON 5.0, never 5 */
void pack_text(struct pack *p, struct text t);	/* absent writes null */
void pack_puts(struct pack *p, const char *s);	/* NULL writes null */
void pack_bytes(struct pack *p, struct text t);	/* absent writes null; JSON has none: base64 text */
void pack_value(struct pack *p, const struct value *v);	/* NULL writes null */
void pack_data(struct pack *p, struct data d);	/* as it is when the format fits, else transcoded
						   with a decoder of its own */

/* pack_key_...(p, key, v): the key, then v as pack_... writes it. */
void pack_key_null(struct pack *p, const char *key);
void pack_key_bool(struct pack *p, const char *key, bool v);
void pack_key_int(struct pack *p, const char *key, int64_t v);
void pack_key_uint(struct pack *p, const char *key, uint64_t v);
void pack_key_real(struct pack *p, const char *key, double v);
void pack_key_text(struct pack *p, const char *key, struct text v);
void pack_key_puts(struct pack *p, const char *key, const char *v);
void pack_key_value(struct pack *p, const char *key, const struct value *v);
void pack_key_data(struct pack *p, const char *key, struct data v);
void pack_key_map(struct pack *p, const char *key, uint32_t pairs);
void pack_key_array(struct pack *p, const char *key, uint32_t items);
void pack_key_some(struct pack *p, const char *key, const char *v);	/* "" and NULL write null */
void pack_key_nonzero(struct pack *p, const char *key, uint64_t v);	/* 0 writes null */
void pack_key_time(struct pack *p, const char *key, struct wall v);	/* RFC 3339; 0 writes null */

/* pack_end(p, err): the value is complete; what was wrong, if anything.  On failure the
 * str is cut back to where pack_init found it. */
enum err_code pack_end(struct pack *p, struct err *err);

/* codec_convert(d, to, style, out, err): appends d to out in another format. */
enum err_code codec_convert(struct data d, enum data_format to, enum pack_style style,
    struct str *out, struct err *err);

/* codec_versions(): "yyjson 0.10.0, msgpack-c 4.0.0", for `aegis version`. */
const char *codec_versions(void);

#endif
