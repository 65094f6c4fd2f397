/* handle.h - for tests of the public interface: one private server, the error of the last call, and what
 * calls are held against. */
#ifndef SUPPORT_HANDLE_H
#define SUPPORT_HANDLE_H

#include "bus.h"
#include "client/aegis.h"
#include "expect.h"

static aegis_error e;

/* connect_as(o): on the bus, unless o says where. */
static inline aegis *
connect_as(const aegis_options *o)
{
	aegis_options own = o != NULL ? *o : (aegis_options){ 0 };

	if (own.servers == NULL)
		own.servers = bus_url(&bus);
	if (own.timeout_ms == 0)
		own.timeout_ms = WAIT_NS / NS_PER_MS;		/* whatever the machine does besides */
	aegis *a = aegis_connect(&own, &e);
	if (a == NULL)
		fail_msg("%s", e.text);
	return a;
}

static inline void
ok(int code)
{
	if (code != AEGIS_OK)
		fail_msg("%s: %s", aegis_code_name(code), e.text);
}

static inline void
fails(int code, int want, const char *part)
{
	if (code != want || e.code != want || strstr(e.text, part) == NULL)
		fail_msg("%s, '%s' is not %s with '%s'", aegis_code_name(code), e.text, aegis_code_name(want), part);
}

static inline int
enrol(aegis *a, const char *service, const char *instance)
{
	return aegis_register(a, &(aegis_identity){ .service = service, .instance = instance }, &e);
}

static inline void
echo(void *arg, aegis_request *r)
{
	(void)arg;
	aegis_reply_json(r, aegis_params_json(r));
}

#endif
