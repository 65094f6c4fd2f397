/* trail.c - one record, when the change has been made. */
#include "trail.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"

char *
cmd_author(void)
{
	const char *user = out_getenv(NULL, "USER");
	char host[65] = "localhost";

	gethostname(host, sizeof host - 1);
	if (user != NULL && user[0] != '\0')
		return mem_printf("%.64s@%s", user, host);
	return mem_printf("uid %u@%s", (unsigned)getuid(), host);
}

struct data
cmd_json(const char *text)
{
	return (struct data){ DATA_JSON, text, text != NULL ? strlen(text) : 0 };
}

void
cmd_trail(struct cmd *c, struct conn *conn, struct audit_entry e, bool make)
{
	char *user = cmd_author();
	struct err err;

	e.actor_id = "cli";
	e.actor_name = user;
	enum err_code code = audit_once(conn, &e, make, &err);
	if (code != ERR_OK && code != ERR_NOT_FOUND)
		out_note(c->out, "the change was made, but the audit trail does not have it: %s", err.text);
	mem_free(user);
}
