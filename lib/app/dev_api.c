/* dev_api.c - a port is looked for before anything is started, so that a taken one is said at once and not by a
 * process that fails again and again. */
#include "app/dev_api.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audit/audit.h"
#include "auth/record.h"
#include "auth/store.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define TOKEN_NS (12 * 3600 * NS_PER_S)	/* as long as a session may last (conventions.md §3) */

static enum err_code
bind_to(int fd, uint16_t *port, struct err *err)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;
	int on = 1;

	/* As the server does, so that what an earlier run left behind is no hindrance. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 && errno == EADDRINUSE)
		return err_set(err, ERR_EXISTS, "port %u is taken by another program; --port 0 takes a free one", *port);
	if (getsockname(fd, (struct sockaddr *)&at, &n) != 0 || at.sin_port == 0)
		return err_errno(err, ERR_SYSTEM, errno, "--port %u", *port);
	*port = ntohs(at.sin_port);
	return ERR_OK;
}

enum err_code
dev_api_url(uint16_t port, char out[DEV_URL_MAX], struct err *err)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_errno(err, ERR_SYSTEM, errno, "socket");
	enum err_code code = bind_to(fd, &port, err);
	close(fd);
	if (code == ERR_OK)
		snprintf(out, DEV_URL_MAX, "http://127.0.0.1:%u", port);
	return code;
}

/* note: in the audit trail, as every other token is. */
static void
note(struct conn *c, const struct auth_token *t, const char *by)
{
	struct str text = STR_INIT;
	struct err err;

	auth_token_show(&text, t, NULL, NULL);
	if (audit_once(c, &(struct audit_entry){
		.actor_id = "cli", .actor_name = by, .action = "token.create", .target = t->id, .after_revision = t->revision,
		.after = { DATA_JSON, str_text(&text), text.len },
	    }, true, &err) != ERR_OK)
		log_warning(EV_AUDIT_LOST, LOG_F(LOG_S("err", err.text)), "the login link is made, but the audit trail does not have it");
	str_release(&text);
}

enum err_code
dev_api_link(struct conn *c, const char *url, char **link, struct err *err)
{
	struct auth_wish w = { .name = "aegis-dev", .role = AUTH_ADMIN, .ttl_ns = TOKEN_NS, .by = "aegis dev" };
	struct auth_store *s = auth_store_new(c, true);
	struct auth_token t;
	char secret[AUTH_TEXT_MAX];
	enum err_code code;

	if ((code = auth_store_create(s, &w, NULL, &t, err)) == ERR_OK && (code = auth_store_code(s, &t, secret, err)) == ERR_OK) {
		*link = mem_printf("%s/login#code=%s", url, secret);
		note(c, &t, w.by);
	}
	auth_store_free(s);
	return code;
}
