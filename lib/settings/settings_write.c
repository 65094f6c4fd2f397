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
	pack_key(&p, "service");
	pack_puts(&p, d->service);
	pack_key(&p, "revision");
	pack_uint(&p, d->revision);
	pack_key(&p, "updated_at");
	pack_puts(&p, at);
	pack_key(&p, "updated_by");
	pack_puts(&p, d->by);
	if (whole) {
		pack_key(&p, "settings");
		if (d->json != NULL)
			pack_data(&p, (struct data){ DATA_JSON, d->json, strlen(d->json) });
		else
			pack_null(&p);
		pack_key(&p, "deleted");
		pack_bool(&p, d->deleted);
		pack_key(&p, "unreadable");
		pack_puts(&p, d->why);
	}
	MUST(pack_end(&p, NULL) == ERR_OK);
}
