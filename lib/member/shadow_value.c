/* shadow_value.c - the JSON of wire.md §9. */
#include "member/shadow_value.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/wall.h"
#include "codec/codec.h"

static double
seconds(struct wall w)
{
	return (double)w.ns / 1e9;
}

void
shadow_bucket(const char *service, struct str *out)
{
	str_puts(out, "election_");
	for (const char *p = service; *p != '\0'; p++)
		str_add(out, *p == '-' ? "_" : p, 1);
}

void
shadow_key(const char *service, const char *group, struct str *out)
{
	str_puts(out, "sticky-active__");
	for (const char *p = service; *p != '\0'; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
		str_add(out, &c, 1);
	}
	str_printf(out, "__%s__leader", group);
}

void
shadow_encode(const struct shadow_value *v, struct wall now, struct str *out)
{
	char started[WALL_TEXT_MAX];
	struct pack p;

	wall_utc(v->started, started);
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 4);
	pack_key_puts(&p, "instance_id", v->instance);
	pack_key_real(&p, "elected_at", seconds(v->elected));
	pack_key_real(&p, "last_heartbeat", seconds(now));
	pack_key_map(&p, "metadata", 3);
	pack_key_puts(&p, "start_time", started);
	pack_key_uint(&p, "epoch", v->epoch);
	pack_key_int(&p, "lease_ms", v->lease_ms);
	MUST(pack_end(&p, NULL) == ERR_OK);
}

enum shadow_kind
shadow_judge(const char *p, size_t n, uint64_t epoch, struct wall now, char who[132])
{
	struct value v;
	struct text id = { "?", 1 };
	int64_t theirs;
	double beat = 0;

	if (n == 0 || codec_parse(codec_mine(), (struct data){ DATA_JSON, p, n }, &v, NULL) != ERR_OK || v.type != VALUE_MAP)
		return SHADOW_NONE;
	if (value_int(value_field(value_field(&v, "metadata"), "epoch"), &theirs) && theirs > 0)
		return (uint64_t)theirs > epoch ? SHADOW_NEWER : (uint64_t)theirs == epoch ? SHADOW_MINE : SHADOW_OLDER;
	if (!value_real(value_field(&v, "last_heartbeat"), &beat) || seconds(now) - beat > (double)SHADOW_FOREIGN_NS / 1e9)
		return SHADOW_NONE;
	value_text(value_field(&v, "instance_id"), &id);
	snprintf(who, 132, "%.*s", (int)(id.n < 131 ? id.n : 131), id.p);
	return SHADOW_FOREIGN;
}
