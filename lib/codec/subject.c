/* subject.c - every subject and every key in one place. */
#include "codec/subject.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"

static struct subject __attribute__((format(printf, 1, 2)))
made(const char *fmt, ...)
{
	struct subject out;
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(out.s, sizeof out.s, fmt, ap);
	va_end(ap);
	MUST(n > 0 && (size_t)n < sizeof out.s);
	return out;
}

struct subject
subject_rpc(const char *service, const char *method)
{
	return made("rpc.%s.%s", service, method);
}

struct subject
subject_rpc_all(const char *service)
{
	return made("rpc.%s.*", service);
}

struct subject
subject_direct(const char *service, const char *instance, const char *method)
{
	return made("rpc.%s.%s.%s", service, instance, method);
}

struct subject
subject_direct_all(const char *service, const char *instance)
{
	return made("rpc.%s.%s.*", service, instance);
}

struct subject
subject_rpc_group(const char *service)
{
	return made("rpc.%s", service);
}

struct subject
subject_heartbeat(const char *service)
{
	struct subject out = made("internal.heartbeat.%s", service);

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
		return made("$SRV.%s", verb);
	if (id == NULL)
		return made("$SRV.%s.%s", verb, name);
	return made("$SRV.%s.%s.%s", verb, name, id);
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
	return made(PREFIX "__%s__%s", service, instance);
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
