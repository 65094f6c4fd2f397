/* aegis_settings.c - what a member in a C program runs with, for those who ask for it
 * (aegis.ctl.{service}.{instance}.settings, wire.md §2), in the form of the wrapper's answer. */
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"
#include "client/client.h"
#include "codec/codec.h"
#include "codec/subject.h"
#include "discovery/discovery.h"

struct client_settings {
	struct conn *conn;
	struct sub *sub;
	struct str text;		/* fixed: nothing of it changes while the member is there */
};

static void
put(struct pack *p, const char *key, const char *value, bool told)
{
	pack_map(p, 7);
	pack_key_puts(p, "key", key);
	pack_key_puts(p, "value", value);
	pack_key_puts(p, "origin", told ? "flag" : "default");
	pack_key_puts(p, "source", told ? "the program" : NULL);
	pack_key_bool(p, "pending", false);
	pack_key_bool(p, "live", false);
	pack_key_bool(p, "secret", false);
}

static void
put_time(struct pack *p, const char *key, int64_t ns, int64_t otherwise)
{
	char text[NUM_TEXT_MAX];

	num_duration_text(ns > 0 ? ns : otherwise, text);
	put(p, key, text, ns > 0 && ns != otherwise);
}

/* write_text: the document's revision is null: the program does not follow it. */
static void
write_text(const struct aegis *a, const aegis_identity *who, struct str *out)
{
	static const char *const validations[] = { "off", "warn", "enforce" };
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 7);
	pack_key_puts(&p, "service", who->service);
	pack_key_puts(&p, "instance", a->instance);
	pack_key_null(&p, "revision");
	pack_key_null(&p, "applied_revision");
	pack_key_null(&p, "refused");
	pack_key_array(&p, "pending", 0);
	pack_key_array(&p, "settings", 5);
	put_time(&p, "heartbeat_interval", who->heartbeat_ms * NS_PER_MS, 10 * NS_PER_S);
	put_time(&p, "registry_ttl", who->ttl_s * NS_PER_S, 30 * NS_PER_S);
	put_time(&p, "stale_threshold", discovery_stale_ns(a->discovery), 35 * NS_PER_S);
	put_time(&p, "timeout", a->timeout_ns, 5 * NS_PER_S);
	put(&p, "validate", validations[a->validation], a->validation != AEGIS_VALIDATE_OFF);
	MUST(pack_end(&p, NULL) == ERR_OK);	/* names that were checked, and numbers */
}

static void
on_ask(void *arg, struct msg *m)
{
	struct client_settings *s = arg;

	if (msg_reply(m) != NULL)
		conn_publish(s->conn, &(struct conn_msg){ .subject = msg_reply(m), .data = str_text(&s->text), .n = s->text.len,
		    .urgent = true }, NULL);
	msg_free(m);
}

enum err_code
client_settings_start(struct aegis *a, const aegis_identity *who, struct err *err)
{
	struct client_settings *s = mem_new(sizeof *s);

	client_settings_free(a);
	s->conn = a->conn;
	write_text(a, who, &s->text);
	a->settings = s;
	s->sub = sub_new(&(struct sub_opts){
		.conn = a->conn, .subject = subject_control(who->service, a->instance, "settings").s, .handler = on_ask, .arg = s,
	}, err);
	return s->sub != NULL ? ERR_OK : ERR_UNAVAILABLE;
}

void
client_settings_free(struct aegis *a)
{
	struct client_settings *s = a->settings;

	a->settings = NULL;
	if (s == NULL)
		return;
	sub_free(s->sub);
	str_release(&s->text);
	mem_free(s);
}
