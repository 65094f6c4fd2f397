/* codec.c - a decoder: an arena and the state of the two readers, one per thread where the
 * caller does not want to carry its own. */
#include "codec/codec.h"

#include <pthread.h>
#include <stdio.h>

#include "base/magic.h"
#include "base/mem.h"
#include "codec/inner.h"

#define SCRATCH_FIRST 512		/* what most messages fit in */
#define SCRATCH_KEEP (64 * 1024)

struct codec {
	struct arena arena;
	struct msgpack_reader *msgpack;
};

struct codec *
codec_new(void)
{
	struct codec *c = mem_new(sizeof *c);

	c->msgpack = msgpack_reader_new();
	return c;
}

void
codec_free(struct codec *c)
{
	if (c == NULL)
		return;
	arena_release(&c->arena);
	msgpack_reader_free(c->msgpack);
	mem_free(c);
}

struct arena *
codec_arena(struct codec *c)
{
	return &c->arena;
}

/* --- the thread's own --------------------------------------------------------------------- */

/* The key exists for its destructor alone; the pointers are read without it. */
static _Thread_local struct own { struct codec *mine, *aside; struct str scratch; } own;
static pthread_key_t own_key;
static pthread_once_t own_once = PTHREAD_ONCE_INIT;

static void
own_end(void *p)
{
	struct own *o = p;

	codec_free(o->mine);
	codec_free(o->aside);
	str_release(&o->scratch);
	*o = (struct own){ NULL, NULL, STR_INIT };
}

static void
own_key_make(void)
{
	MUST(pthread_key_create(&own_key, own_end) == 0);
}

static void
own_watch(void)
{
	pthread_once(&own_once, own_key_make);
	MUST(pthread_setspecific(own_key, &own) == 0);
}

static struct codec *
own_make(struct codec **place)
{
	own_watch();
	return *place = codec_new();
}

struct codec *
codec_mine(void)
{
	return own.mine != NULL ? own.mine : own_make(&own.mine);
}

struct codec *
codec_aside(void)
{
	return own.aside != NULL ? own.aside : own_make(&own.aside);
}

struct str *
codec_scratch(void)
{
	struct str *s = &own.scratch;

	if (s->cap > SCRATCH_KEEP)
		str_release(s);
	if (s->cap == 0) {
		own_watch();
		str_room(s, SCRATCH_FIRST);
	}
	str_clear(s);
	return s;
}

/* --- reading ------------------------------------------------------------------------------ */

enum data_format
codec_detect(const void *p, size_t n)
{
	MUST(n > 0);
	unsigned char c = *(const unsigned char *)p;

	return (c >= 0x80 && c <= 0x9F) || (c >= 0xC0 && c <= 0xDF) ? DATA_MSGPACK : DATA_JSON;
}

enum err_code
codec_parse(struct codec *c, struct data data, struct value *out, struct err *err)
{
	arena_reset(&c->arena);
	if (data.n == 0)
		return err_set(err, ERR_SYNTAX, "nothing to read: it is empty");
	if (data.format == DATA_MSGPACK)
		return msgpack_read(c->msgpack, &c->arena, data.p, data.n, out, err);
	return json_read(&c->arena, data.p, data.n, false, out, err);
}

enum err_code
codec_parse_lenient(struct codec *c, const char *text, size_t n, struct value *out, struct err *err)
{
	arena_reset(&c->arena);
	if (n == 0)
		return err_set(err, ERR_SYNTAX, "nothing to read: it is empty");
	return json_read(&c->arena, text, n, true, out, err);
}

enum err_code
codec_convert(struct data d, enum data_format to, enum pack_style style, struct str *out, struct err *err)
{
	struct pack p;

	pack_init(&p, out, to, style);
	pack_data(&p, d);
	return pack_end(&p, err);
}

const char *
codec_versions(void)
{
	/* Two doors, two headers: joined at run time, in each thread's own room. */
	static _Thread_local char text[64];

	snprintf(text, sizeof text, "yyjson %s, msgpack-c %s", json_version(), msgpack_version_text());
	return text;
}
