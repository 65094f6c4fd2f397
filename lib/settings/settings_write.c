/* settings_write.c - a document as every door shows it. */
#include <string.h>

#include "base/magic.h"
#include "base/wall.h"
#include "codec/codec.h"
#include "settings/settings.h"

void
settings_write(const struct settings_document *d, bool whole, struct str *out)
{
	char at[WALL_TEXT_MAX];
	struct pack p;

	wall_rfc3339(d->at, at);
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, whole ? 7 : 4);
	pack_key_puts(&p, "service", d->service);
	pack_key_uint(&p, "revision", d->revision);
	pack_key_puts(&p, "updated_at", at);
	pack_key_puts(&p, "updated_by", d->by);
	if (whole) {
		pack_key_data(&p, "settings", (struct data){ DATA_JSON, d->json, d->json != NULL ? strlen(d->json) : 0 });
		pack_key_bool(&p, "deleted", d->deleted);
		pack_key_puts(&p, "unreadable", d->why);
	}
	MUST(pack_end(&p, NULL) == ERR_OK);
}
