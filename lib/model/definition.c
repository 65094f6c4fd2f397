/* definition.c - ownership of a definition, and what a definition may say. */
#include "model/definition.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "model/names.h"

void
definition_init(struct definition *d)
{
	*d = (struct definition){ 0 };
}

void
definition_release(struct definition *d)
{
	mem_free(d->service);
	mem_free(d->owner);
	mem_free(d->description);
	mem_free(d->version);
	definition_init(d);
}

void
definition_free(struct definition *d)
{
	if (d == NULL)
		return;
	definition_release(d);
	mem_free(d);
}

static enum err_code
length_check(const char *field, const char *s, size_t max, struct err *err)
{
	if (s == NULL)
		return err_set(err, ERR_INVALID, "%s: is missing; give 1 to %zu characters", field, max);
	if (utf8_valid(s, strlen(s)) < strlen(s))
		return err_set(err, ERR_INVALID, "%s: is not valid UTF-8", field);
	size_t n = utf8_count(s);
	if (n == 0)
		return err_set(err, ERR_INVALID, "%s: is empty; give 1 to %zu characters", field, max);
	if (n > max)
		return err_set(err, ERR_INVALID, "%s: has %zu characters; at most %zu are allowed", field, n,
		    max);
	return ERR_OK;
}

static enum err_code
name_field_check(const char *field, enum name_kind kind, const char *s, struct err *err)
{
	enum err_code code;

	if (s == NULL)
		return err_set(err, ERR_INVALID, "%s: is missing", field);
	if ((code = name_check(kind, s, err)) != ERR_OK)
		err_prefix(err, "%s", field);
	return code;
}

enum err_code
definition_check(const struct definition *d, struct err *err)
{
	enum err_code code;

	if ((code = name_field_check("service_name", NAME_SERVICE, d->service, err)) != ERR_OK ||
	    (code = length_check("owner", d->owner, 100, err)) != ERR_OK ||
	    (code = length_check("description", d->description, 500, err)) != ERR_OK ||
	    (code = name_field_check("version", NAME_VERSION_DEFINED, d->version, err)) != ERR_OK)
		return code;
	if (d->updated_at.ns < d->created_at.ns)
		return err_set(err, ERR_INVALID, "updated_at: is before created_at");
	return ERR_OK;
}
