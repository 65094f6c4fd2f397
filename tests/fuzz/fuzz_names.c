/* fuzz_names - every rule on any text: both forms of the check agree, refusals have words,
 * and what was sanitized passes. */
#include "fuzz.h"

#include "base/mem.h"
#include "codec/subject.h"
#include "model/names.h"

/* keys: an instance's key falls apart into what it was made of. */
static void
keys(const char *name)
{
	struct text service, id;

	key_parse(name, &service, &id);
	if (!name_ok(NAME_INSTANCE, name, strlen(name)))
		return;
	struct subject key = key_instance("order-service", name);
	MUST(key_parse(key.s, &service, &id));
	MUST(text_is(service, "order-service") && text_is(id, name));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = mem_text_n((const char *)data, size);
	size_t n = strlen(name);

	for (enum name_kind kind = 0; kind < NAME_KINDS; kind++) {
		struct err err = { ERR_OK, "" };
		bool ok = name_check(kind, name, &err) == ERR_OK;
		MUST(ok == name_ok(kind, name, n));
		MUST(ok == (err.text[0] == '\0'));
		if (n < size)
			MUST(!name_ok(kind, (const char *)data, size));
	}
	keys(name);
	name_sanitize_instance(name);
	MUST(n == 0 || name_ok(NAME_INSTANCE, name, strlen(name)));
	mem_free(name);
	return 0;
}
