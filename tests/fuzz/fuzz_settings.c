/* fuzz_settings - any bytes as a central document, under a process that runs: taken or refused with words, and
 * what is answered afterwards is JSON; merging and comparing it with itself changes nothing. */
#include "fuzz.h"

#include "base/mem.h"
#include "codec/codec.h"
#include "settings/effective.h"
#include "settings/settings.h"

struct target { int64_t beat_ns; uint64_t most; int level; bool on; const char *text; };

static const char *const levels[] = { "debug", "info", NULL };
static const struct opt rows[] = {
	OPT_DURATION(struct target, beat_ns, "beat", 0, "how often it beats", .def = "10s", .min = 1, .max = 1LL << 40, .env = true,
	    .live = true, .central = true),
	OPT_UINT(struct target, most, "most", 0, "N", "how much at once", .def = "4", .env = true, .central = true),
	OPT_CHOICE(struct target, level, "level", 0, levels, "how much it says", .def = "info", .env = true, .live = true, .central = true),
	OPT_FLAG(struct target, on, "on", 0, "whether it is on", .env = true, .central = true),
	OPT_TEXT(struct target, text, "text", 0, "TEXT", "what it says", .env = true, .live = true, .central = true),
	OPTS_END
};
static const struct opts_table tables[] = { { "Options", "own", rows, 0 }, { .title = NULL } };
static const struct settings_rules rules = { tables, sizeof(struct target), NULL };

static void
never(void *arg, const char *key, const char *from, const char *to)
{
	(void)arg;
	(void)key;
	(void)from;
	(void)to;
	MUST(!"a difference");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct codec *c = codec_new();
	char *text = mem_text_n((const char *)data, size);
	struct target target = { .text = NULL };
	struct err err = { ERR_OK, "" };
	struct str out = STR_INIT;
	struct opts base;
	struct value v;

	opts_init(&base, tables, &target);
	struct effective *e = effective_new(&rules, &base);
	enum err_code code = effective_take(e, text, size, 1, &err);
	MUST(code == ERR_OK || code == ERR_CORRUPT || code == ERR_INVALID);
	MUST((code == ERR_OK) == (err.text[0] == '\0') && (code == ERR_OK) == (effective_refused(e) == NULL));
	effective_write(e, "svc", "i", true, &out);
	MUST(codec_parse(c, (struct data){ DATA_JSON, str_text(&out), out.len }, &v, &err) == ERR_OK);
	if (code == ERR_OK) {
		const char *own = effective_workload(e);
		MUST(codec_parse(c, (struct data){ DATA_JSON, own, strlen(own) }, &v, &err) == ERR_OK);
		str_clear(&out);
		MUST(settings_merge(own, &(struct value){ .type = VALUE_MAP }, &out, &err) == ERR_OK);
		settings_diff(own, str_text(&out), never, NULL, NULL);
	}
	effective_free(e);
	opts_release(&base);
	str_release(&out);
	mem_free(text);
	codec_free(c);
	return 0;
}
