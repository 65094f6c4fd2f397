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
subject_beats(const char *service)
{
	return MADE("aegis.hb.", service, ".*");
}

static void
lower(char *s)
{
	for (; *s != '\0'; s++) {
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
	}
}

struct subject
subject_heartbeat(const char *service)
{
	struct subject out = MADE("internal.heartbeat.", service);

	lower(out.s);
	return out;
}

struct subject
subject_event(const char *domain, const char *type)
{
	return MADE("events.", domain, ".", type);
}

struct subject
subject_event_group(const char *service)
{
	struct subject out = MADE(service);

	lower(out.s);
	return out;
}

struct subject
subject_event_durable(const char *service, const char *pattern, const char *instance)
{
	struct subject out = subject_event_group(service);
	size_t at = strlen(out.s);

	MUST(at + 2 * strlen(pattern) + (instance != NULL ? strlen(instance) : 0) + 5 < sizeof out.s);
	memcpy(out.s + at, "__", 2);
	at += 2;
	for (const char *c = pattern; *c != '\0'; c++) {
		out.s[at++] = *c == '.' ? '=' : *c == '*' || *c == '>' ? '+' : *c;
		if (*c == '>')
			out.s[at++] = '+';
	}
	if (instance != NULL) {
		memcpy(out.s + at, "==", 2);
		memcpy(out.s + at + 2, instance, strlen(instance));
		at += 2 + strlen(instance);
	}
	out.s[at] = '\0';
	return out;
}

struct subject
subject_command(const char *service, const char *command)
{
	return MADE("commands.", service, ".", command);
}

struct subject
subject_command_durable(const char *service, const char *command)
{
	return MADE(service, "__", command);
}

struct subject
subject_command_python(const char *service, const char *command)
{
	return MADE(service, "-", command);
}

struct subject
subject_progress(const char *id)
{
	return MADE("commands.progress.", id);
}

struct subject
subject_callback(const char *id)
{
	return MADE("commands.callback.", id);
}

struct subject
subject_cancel(const char *id)
{
	return MADE("commands.cancel.", id);
}

struct subject
subject_beat(const char *service, const char *instance)
{
	return MADE("aegis.hb.", service, ".", instance != NULL ? instance : "*");
}

/* Registers are numbered with one digit. */
static struct subject
of_register(const char *before, unsigned reg, const char *gid)
{
	MUST(reg < 10);
	return MADE(before, (const char[]){ (char)('0' + reg), '\0' }, ".", gid);
}

struct subject
subject_lease_watch(unsigned reg, const char *gid)
{
	return of_register("aegis.lease.", reg, gid);
}

struct subject
subject_lease(unsigned reg, const char *gid)
{
	return of_register("$KV.AEGIS_L", reg, gid);
}

struct subject
subject_control(const char *service, const char *instance, const char *verb)
{
	return MADE("aegis.ctl.", service, ".", instance, ".", verb);
}

struct subject
subject_config(const char *service)
{
	return MADE("aegis.config.", service);
}

struct subject
subject_dead(const char *subject)
{
	return MADE("dlq.", subject);
}

struct subject
subject_departed(const char *service, const char *instance)
{
	return MADE("aegis.departed.", service, ".", instance);
}

bool
subject_token_ok(struct text t)
{
	if (t.p == NULL || t.n == 0 || t.n > 128)
		return false;
	for (size_t i = 0; i < t.n; i++) {
		unsigned char c = (unsigned char)t.p[i];
		if (c <= ' ' || c == 0x7F || strchr(".*>", c) != NULL)
			return false;
	}
	return true;
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
