/* pack_pair.c - a key and its value in one call: what most lines of a writer are. */
#include "base/wall.h"
#include "codec/codec.h"

void
pack_key_null(struct pack *p, const char *key)
{
	pack_key(p, key);
	pack_null(p);
}

void
pack_key_bool(struct pack *p, const char *key, bool v)
{
	pack_key(p, key);
	pack_bool(p, v);
}

void
pack_key_int(struct pack *p, const char *key, int64_t v)
{
	pack_key(p, key);
	pack_int(p, v);
}

void
pack_key_uint(struct pack *p, const char *key, uint64_t v)
{
	pack_key(p, key);
	pack_uint(p, v);
}

void
pack_key_real(struct pack *p, const char *key, double v)
{
	pack_key(p, key);
	pack_real(p, v);
}

void
pack_key_text(struct pack *p, const char *key, struct text v)
{
	pack_key(p, key);
	pack_text(p, v);
}

void
pack_key_puts(struct pack *p, const char *key, const char *v)
{
	pack_key(p, key);
	pack_puts(p, v);
}

void
pack_key_value(struct pack *p, const char *key, const struct value *v)
{
	pack_key(p, key);
	pack_value(p, v);
}

void
pack_key_data(struct pack *p, const char *key, struct data v)
{
	pack_key(p, key);
	pack_data(p, v);
}

void
pack_key_map(struct pack *p, const char *key, uint32_t pairs)
{
	pack_key(p, key);
	pack_map(p, pairs);
}

void
pack_key_array(struct pack *p, const char *key, uint32_t items)
{
	pack_key(p, key);
	pack_array(p, items);
}

void
pack_key_some(struct pack *p, const char *key, const char *v)
{
	pack_key_puts(p, key, v != NULL && v[0] != '\0' ? v : NULL);
}

void
pack_key_nonzero(struct pack *p, const char *key, uint64_t v)
{
	if (v != 0)
		pack_key_uint(p, key, v);
	else
		pack_key_null(p, key);
}

void
pack_key_time(struct pack *p, const char *key, struct wall v)
{
	char text[WALL_TEXT_MAX];

	if (v.ns != 0)
		wall_rfc3339(v, text);
	pack_key_puts(p, key, v.ns != 0 ? text : NULL);
}
