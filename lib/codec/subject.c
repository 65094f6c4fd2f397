/* subject.c - every subject and every key in one place. */
#include "codec/subject.h"

#include <string.h>

#include "base/magic.h"

#define MADE_PARTS 8

/* made: the parts one after the other, up to a NULL.  Every call makes two, so no printf. */
static struct subject
made(const char *const parts[MADE_PARTS])
{
	__attribute__((uninitialized)) struct subject out;
	size_t at = 0;

	for (size_t i = 0; parts[i] != NULL; i++) {
		size_t n = strlen(parts[i]);
		MUST(at + n < sizeof out.s);
		memcpy(out.s + at, parts[i], n);
		at += n;
	}
	MUST(at > 0);
	out.s[at] = '\0';
	return out;
}

#define MADE(...) made((const char *const[MADE_PARTS]){ __VA_ARGS__, NULL })

struct subject
subject_rpc(const char *service, const char *method)
{
	return MADE("rpc.", service, ".", method);
}

struct subject
subject_rpc_all(const char *service)
{
	return MADE("rpc.", service, ".*");
}

struct subject
subject_direct(const char *service, const char *instance, const char *method)
{
	return MADE("rpc.", service, ".", instance, ".", method);
}

struct subject
subject_direct_all(const char *service, const char *instance)
{
	return MADE("rpc.", service, ".", instance, ".*");
}

struct subject
subject_rpc_group(const char *service)
{
	return MADE("rpc.", service);
}

struct subject
subject_heartbeat(const char *service)
{
	struct subject out = MADE("internal.heartbeat.", service);

	for (char *c = out.s; *c != '\0'; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	return out;
}

struct subject
subject_micro(const char *verb, const char *name, const char *id)
{
	if (name == NULL)
		return MADE("$SRV.", verb);
	if (id == NULL)
		return MADE("$SRV.", verb, ".", name);
	return MADE("$SRV.", verb, ".", name, ".", id);
}

struct text
subject_method(const char *subject)
{
	const char *dot = strrchr(subject, '.');

	return text_of(dot != NULL ? dot + 1 : subject);
}

#define PREFIX "service-instances"

struct subject
key_instance(const char *service, const char *instance)
{
	return MADE(PREFIX "__", service, "__", instance);
}

/* split: where the text after the prefix falls apart, at the separator of n underscores.
 * An id never begins with '_', so of more underscores in a row the last n separate. */
static const char *
split(const char *s, size_t n)
{
	const char *at = strstr(s, n == 2 ? "__" : "_");

	if (at == NULL)
		return NULL;
	while (n == 2 && at[2] == '_')
		at++;
	return at;
}

bool
key_parse(const char *key, struct text *service, struct text *instance)
{
	size_t n = 0;

	if (strncmp(key, PREFIX, sizeof PREFIX - 1) != 0)
		return false;
	key += sizeof PREFIX - 1;
	while (n < 2 && key[n] == '_')
		n++;
	const char *at = n > 0 ? split(key + n, n) : NULL;
	if (at == NULL || at == key + n || at[n] == '\0')
		return false;
	*service = (struct text){ key + n, (size_t)(at - (key + n)) };
	*instance = text_of(at + n);
	return true;
}
