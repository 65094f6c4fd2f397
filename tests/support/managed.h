/* managed.h - the management API as its handlers are, on a server of their own, and a client that reads what they say. */
#ifndef SUPPORT_MANAGED_H
#define SUPPORT_MANAGED_H

#include "expect.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "api/manage_inner.h"
#include "api/manage_kept.h"
#include "audit/audit.h"
#include "bus.h"
#include "discovery/discovery.h"
#include "election/groups.h"
#include "electors.h"
#include "http/server.h"
#include "messaging/janitor.h"
#include "monitor/monitor.h"
#include "nats/conn.h"
#include "registry/registry.h"
#include "sys/loop.h"
#include "sys/loop_thread.h"
#include "sys/thread.h"

/* What one test puts there, those behind it look for: it must neither grow old nor expire meanwhile. */
#define STALE_S 1800

static struct world {
	struct bus bus;
	struct loop *loop;
	struct loop_thread thread;
	struct conn *conn;
	struct registry *registry;
	struct manage manage;
	struct web_server *web;
	struct web_route *routes;
	struct err err;
} w;

/* Everybody may do everything here: who may what is another test's business. */
static inline enum err_code
admit(void *arg, struct web_request *r, const struct web_route *route, struct err *err)
{
	(void)arg;
	(void)r;
	(void)route;
	(void)err;
	return ERR_OK;
}

static inline bool
synced(void)
{
	for (int i = 0; i < 20000 && !discovery_state(w.manage.discovery).synced; i++)
		thread_pause(NS_PER_MS);
	return discovery_state(w.manage.discovery).synced;
}

static inline void
serve(void)
{
	size_t n = manage_routes_count();

	w.routes = mem_array(n, sizeof *w.routes);
	for (size_t i = 0; i < n; i++)
		w.routes[i] = *manage_web_route(i);
	w.web = web_server_new(&(struct web_server_opts){
		.listen = (const char *const[]){ "127.0.0.1:0" }, .nlisten = 1, .routes = w.routes, .nroutes = n,
		.admit = admit, .done = manage_done, .arg = &w.manage,
	}, &w.err);
	if (w.web == NULL)
		fail_msg("%s", w.err.text);
	w.manage.web = w.web;
}

static inline int
begin(void **state)
{
	(void)state;
	if (!bus_start(&w.bus) || (w.loop = loop_new(clock_system(), 1024, &w.err)) == NULL)
		return 1;
	w.conn = conn_new(&(struct conn_opts){ .servers = bus_url(&w.bus), .name = "t_manage", .timeout_ns = 10 * NS_PER_S }, &w.err);
	if (w.conn == NULL)
		return 1;
	w.registry = registry_new(&(struct registry_opts){ .conn = w.conn, .create = true, .terse = true }, &w.err);
	w.manage = (struct manage){ .magic = MANAGE_MAGIC, .conn = w.conn, .version = "9.8.7", .base_path = "",
		.environment = "staging", .deployment = "v2", .loop = w.loop, .began = clock_mono(clock_system()) };
	w.manage.meter = manage_meter_new();
	w.manage.kept = manage_kept_new();
	w.manage.janitor = janitor_new(w.conn, w.loop, &w.err);
	w.manage.registry = w.registry;
	w.manage.discovery = discovery_new(&(struct discovery_opts){ .loop = w.loop, .conn = w.conn, .stale_ns = STALE_S * NS_PER_S });
	w.manage.monitor = monitor_new(&(struct monitor_opts){ .loop = w.loop, .conn = w.conn, .discovery = w.manage.discovery }, &w.err);
	w.manage.groups = groups_new(&(struct groups_opts){ .conn = w.conn }, &w.err);
	w.manage.auth = auth_new(&(struct auth_opts){ .conn = w.conn, .create = true }, &w.err);
	w.manage.audit = audit_new(&(struct audit_opts){ .conn = w.conn, .loop = w.loop }, &w.err);
	w.manage.answered = w.manage.turned = INT64_MAX / 2;	/* all is well, until a test says otherwise */
	if (w.registry == NULL || w.manage.janitor == NULL || w.manage.monitor == NULL || loop_thread_start(&w.thread, w.loop, &w.err) != ERR_OK ||
	    discovery_start(w.manage.discovery, &w.err) != ERR_OK)
		return 1;
	serve();
	return !synced();
}

static inline int
end(void **state)
{
	(void)state;
	monitor_leave(w.manage.monitor);
	web_server_free(w.web);
	loop_thread_stop(&w.thread);
	monitor_free(w.manage.monitor);
	audit_free(w.manage.audit);
	auth_free(w.manage.auth);
	janitor_free(w.manage.janitor);
	manage_meter_free(w.manage.meter);
	manage_kept_free(w.manage.kept);
	groups_free(w.manage.groups);
	discovery_free(w.manage.discovery);
	registry_free(w.registry);
	conn_free(w.conn);
	loop_free(w.loop);
	bus_end(&w.bus);
	mem_free(w.routes);
	return 0;
}

/* --- a client ---------------------------------------------------------------------------- */

static char got[1 << 20];	/* the last answer, from its first line on */

static inline int
ask(const char *line, const char *headers, const char *body)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n = 0;
	ssize_t k;

	to.sin_port = htons((uint16_t)strtol(strrchr(web_server_address(w.web, 0), ':') + 1, NULL, 10));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	dprintf(fd, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s", line, headers != NULL ? headers : "");
	if (body != NULL)
		dprintf(fd, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
	else
		dprintf(fd, "\r\n");
	while ((k = recv(fd, got + n, sizeof got - 1 - n, 0)) > 0)
		n += (size_t)k;
	got[n] = '\0';
	close(fd);
	return strncmp(got, "HTTP/1.1 ", 9) == 0 ? (int)strtol(got + 9, NULL, 10) : 0;
}

static inline const char *
body_of(void)
{
	const char *at = strstr(got, "\r\n\r\n");

	return at != NULL ? at + 4 : "";
}

/* header: the value of a header of the last answer; "" when there is none. */
static inline const char *
header(const char *name)
{
	static char value[4096];
	char line[64];

	snprintf(line, sizeof line, "\r\n%s: ", name);
	const char *at = strstr(got, line);
	value[0] = '\0';
	if (at != NULL)
		snprintf(value, sizeof value, "%.*s", (int)strcspn(at + strlen(line), "\r"), at + strlen(line));
	return value;
}

/* expect: the request, its status, and parts of the answer that must stand in it. */
#define expect(status, line, headers, body, ...) \
	expect_at(__LINE__, status, line, headers, body, (const char *const[]){ __VA_ARGS__ __VA_OPT__(,) NULL })
static inline void
expect_at(int at, int status, const char *line, const char *headers, const char *body, const char *const *parts)
{
	int is = ask(line, headers, body);

	if (is != status)
		fail_msg("line %d: %s: %d, not %d: %s", at, line, is, status, got);
	for (; *parts != NULL; parts++)
		if (strstr(got, *parts) == NULL)
			fail_msg("line %d: %s: no %s in %s", at, line, *parts, got);
}

/* if_match: the header that names the last answer's tag. */
static inline const char *
if_match(const char *name)
{
	static char text[128];

	snprintf(text, sizeof text, "%s: %s\r\n", name, header("ETag"));
	return text;
}

/* --- definitions -------------------------------------------------------------------------- */

#define ORDERS "{\"service_name\":\"order-service\",\"owner\":\"me\",\"description\":\"d\",\"version\":\"1.0.0\",\"else\":1}"

#endif
