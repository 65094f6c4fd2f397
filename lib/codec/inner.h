/* inner.h - what the files of this folder share and nobody else includes: the arena, the
 * two doors to the libraries, and the writer's scalars.
 *
 * Both readers build the same tree of struct value in an arena; the JSON door also lets
 * yyjson take its memory there, so that one reset frees everything and a warm arena means
 * no allocation at all. */
#ifndef CODEC_INNER_H
#define CODEC_INNER_H

#include "base/utf8.h"
#include "codec/codec.h"

#define CODEC_DEPTH_MAX 32	/* nesting that is read or written: msgpack-c's own stack */

/* --- arena -------------------------------------------------------------------------------- */

struct arena_chunk;

struct arena {
	struct arena_chunk *head;	/* newest first; one chunk once it is warm */
	char *p, *end;			/* what is free in head */
	size_t total;			/* bytes of all chunks */
};

/* arena_reset(a): ends the life of all that was taken; keeps at most ARENA_KEEP bytes, and
 * joins several chunks into one, so that the same work fits without growing next time. */
void arena_reset(struct arena *a);
void arena_release(struct arena *a);
void *arena_alloc(struct arena *a, size_t n);		/* aligned to 16, not zeroed */

/* arena_resize(a, p, from, to): as realloc; in place when p was taken last. */
void *arena_resize(struct arena *a, void *p, size_t from, size_t to);

#define ARENA_KEEP ((size_t)1 << 20)	/* what a thread may hold on to: a large message's tree */

/* --- codecs of the thread ----------------------------------------------------------------- */

/* codec_aside(): a second decoder of this thread, for what is decoded while a tree of
 * codec_mine is being written.  Its trees live until its next use: never call pack_data
 * while holding one. */
struct codec *codec_aside(void);

/* codec_arena(c): where the trees of c lie, for texts that live as long as they do. */
struct arena *codec_arena(struct codec *c);

/* --- texts in messages -------------------------------------------------------------------- */

/* shown(t): how many bytes of t a sentence quotes with %.*s: at most 64, whole characters,
 * and nothing that would make the sentence itself invalid where it is sent on. */
static inline int
shown(struct text t)
{
	return (int)utf8_valid(t.p, t.n < 64 ? t.n : 64);
}

/* --- JSON: the only door to yyjson -------------------------------------------------------- */

/* json_read(a, p, n, lenient, out, err): n > 0.  lenient: comments and trailing commas, and
 * errors by line and column instead of byte. */
enum err_code json_read(struct arena *a, const char *p, size_t n, bool lenient, struct value *out,
    struct err *err);

/* json_digits(v, out): the shortest number that reads back as the finite v, in any notation. */
#define JSON_DIGITS_MAX 40
void json_digits(double v, char out[JSON_DIGITS_MAX]);
const char *json_version(void);

/* --- MessagePack: the only door to msgpack-c ---------------------------------------------- */

struct msgpack_reader;

struct msgpack_reader *msgpack_reader_new(void);
void msgpack_reader_free(struct msgpack_reader *r);

/* msgpack_read(r, a, p, n, out, err): n > 0; texts point into p. */
enum err_code msgpack_read(struct msgpack_reader *r, struct arena *a, const char *p, size_t n,
    struct value *out, struct err *err);

/* Each appends one item; the caller counts what belongs to a map or an array.  The text's
 * terminator is left to the end (str_end). */
void msgpack_put_map(struct str *s, uint32_t pairs);
void msgpack_put_array(struct str *s, uint32_t items);
void msgpack_put_null(struct str *s);
void msgpack_put_bool(struct str *s, bool v);
void msgpack_put_int(struct str *s, int64_t v);
void msgpack_put_uint(struct str *s, uint64_t v);
void msgpack_put_real(struct str *s, double v);
void msgpack_put_text(struct str *s, struct text t);
void msgpack_put_bytes(struct str *s, struct text t);
const char *msgpack_version_text(void);

/* --- the writer (pack.c) ------------------------------------------------------------------ */

/* pack_key_known(p, key): as pack_key_n for a key that is known to be UTF-8: a literal. */
void pack_key_known(struct pack *p, struct text key);

/* --- writing JSON (pack_json.c) ----------------------------------------------------------- */

void json_put_text(struct str *s, struct text t, enum pack_style style);	/* t is valid UTF-8 */
void json_put_int(struct str *s, int64_t v);
void json_put_uint(struct str *s, uint64_t v);
void json_put_real(struct str *s, double v);		/* finite */
void json_put_base64(struct str *s, struct text t);
void json_put_newline(struct str *s, unsigned depth);	/* of PACK_PRETTY */

#endif
