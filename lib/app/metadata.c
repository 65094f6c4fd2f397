/* metadata.c - KEY=VALUE words as one JSON map. */
#include "app/metadata.h"

#include <string.h>

#include "base/str.h"
#include "codec/codec.h"

/* as_json: V of K=V: JSON if it reads as such, else text. */
static void
pack_given(struct pack *p, const char *text)
{
	struct value v;
	struct data d = { DATA_JSON, text, strlen(text) };

	if (text[0] != '\0' && codec_parse(codec_mine(), d, &v, NULL) == ERR_OK)
		pack_value(p, &v);
	else
		pack_puts(p, text);
}

static struct text
key_of(const char *kv)
{
	return (struct text){ kv, strcspn(kv, "=") };
}

/* given: which of the first n is this key; n when none is. */
static size_t
given(const char *const *kv, size_t n, struct text key)
{
	size_t i = 0;

	while (i < n && (key_of(kv[i]).n != key.n || memcmp(kv[i], key.p, key.n) != 0))
		i++;
	return i;
}

static enum err_code
check_metadata(const char *const *kv, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct text key = key_of(kv[i]);
		if (key.n == 0 || kv[i][key.n] == '\0')
			return err_set(err, ERR_CONFIG, "--metadata: '%s' is no KEY=VALUE", kv[i]);
		if (given(kv, i, key) < i)
			return err_set(err, ERR_CONFIG, "--metadata: '%.*s' is given twice; give each key once",
			    (int)key.n, key.p);
	}
	return ERR_OK;
}

enum err_code
metadata_make(const char *const *kv, const char *type, char **made, struct err *err)
{
	struct str out = STR_INIT;
	struct pack p;
	size_t n = 0;

	while (kv != NULL && kv[n] != NULL)
		n++;
	enum err_code code = check_metadata(kv, n, err);
	if (code != ERR_OK)
		return code;
	/* Who writes the key itself means it more than an option that has a default. */
	if (given(kv, n, text_of("service_type")) < n)
		type = NULL;
	pack_init(&p, &out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, (uint32_t)n + (type != NULL));
	for (size_t i = 0; i < n; i++) {
		struct text key = key_of(kv[i]);
		pack_key_n(&p, key);
		pack_given(&p, kv[i] + key.n + 1);
	}
	if (type != NULL)
		pack_key_puts(&p, "service_type", type);
	code = pack_end(&p, err);
	if (code == ERR_OK)
		*made = str_steal(&out);
	else
		err_prefix(err, "--metadata");
	str_release(&out);
	return code;
}
