/* manage_config_live.c - what one instance is configured with: as the registry and the store have it, and as the instance
 * itself says when it is asked. */
#include <string.h>

#include "api/manage_inner.h"
#include "codec/record.h"
#include "codec/subject.h"
#include "discovery/discovery.h"
#include "nats/conn.h"

#define ASK_NS (1 * NS_PER_S)	/* an instance that lives answers within milliseconds */

/* record: of the instance that the path names, however old; NULL: there is none. */
static const struct instance *
record(struct web_request *r, const struct directory *d)
{
	const struct service_group *g = directory_find(d, web_param(r, "service"));

	for (size_t i = 0; g != NULL && i < g->n; i++)
		if (strcmp(g->v[i]->instance->id, web_param(r, "instance")) == 0)
			return g->v[i]->instance;
	return NULL;
}

/* unknown: answers 404 when the registry has no record of that instance, however old. */
static bool
unknown(struct web_request *r, const struct directory *d)
{
	if (record(r, d) != NULL)
		return false;
	manage_fail(r, ERR_INSTANCE_UNKNOWN, 0, NULL, "service '%.128s' has no instance '%.128s'", web_param(r, "service"),
	    web_param(r, "instance"));
	return true;
}

/* --- asked of the instance ---------------------------------------------------------------- */

/* ask: its answer, checked to be an object; *silent says that none came. */
static enum err_code
ask(struct manage *m, struct web_request *r, struct str *out, bool *silent, struct err *err)
{
	struct subject s = subject_control(web_param(r, "service"), web_param(r, "instance"), "settings");
	struct msg *reply = NULL;
	struct value v;
	const struct conn_header headers[] = { { "traceparent", manage_trace(r) }, { NULL, NULL } };
	enum err_code code = conn_request(m->conn, &(struct conn_msg){
		.subject = s.s, .headers = headers[0].value != NULL ? headers : NULL, .urgent = true,
	}, ASK_NS, &reply, err);

	*silent = code == ERR_TIMEOUT || code == ERR_NO_MEMBER;
	if (code != ERR_OK)
		return code;
	struct data d = { DATA_JSON, msg_data(reply), msg_size(reply) };
	code = d.n > 0 ? codec_parse(codec_mine(), d, &v, err) : ERR_CORRUPT;
	if (code != ERR_OK || v.type != VALUE_MAP)
		code = err_set(err, ERR_CORRUPT, "what instance '%.128s' answered is not to be read", web_param(r, "instance"));
	else
		str_add(out, d.p, d.n);
	msg_free(reply);
	return code;
}

enum err_code
manage_instance_settings(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	struct str out = STR_INIT;
	bool silent = false;
	enum err_code code = manage_up(m, err);

	if (code != ERR_OK)
		return code;
	const struct directory *d = discovery_take(m->discovery);
	bool answered = unknown(r, d);
	discovery_drop(d);
	if (answered)
		return ERR_OK;
	code = ask(m, r, &out, &silent, err);
	if (silent) {
		manage_fail(r, ERR_TIMEOUT, 0, NULL, "instance '%.128s' does not answer: it is gone, frozen, or no aegis",
		    web_param(r, "instance"));
		code = ERR_OK;
	} else if (code == ERR_OK) {
		manage_json(r, 200, &out, NULL);
	} else {
		code = manage_store(code, err);
	}
	str_release(&out);
	return code;
}

/* --- as it is stored ---------------------------------------------------------------------- */

/* pack_config: what an instance reports as its configuration: metadata.config if that is an object, else all of the
 * metadata (wire.md §11). */
static void
pack_config(struct pack *k, const struct instance *i)
{
	struct data d = { DATA_JSON, i->metadata, strlen(i->metadata) };
	struct value v;
	const struct value *config = NULL;

	if (codec_parse(codec_mine(), d, &v, NULL) == ERR_OK)
		config = value_field(&v, "config");
	if (config != NULL && config->type == VALUE_MAP)
		pack_value(k, config);
	else
		instance_pack_metadata(k, i);
}

enum err_code
manage_instance_config(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	struct str out = STR_INIT;
	struct pack k;
	enum err_code code = manage_up(m, err);

	if (code != ERR_OK)
		return code;
	const struct directory *d = discovery_take(m->discovery);
	if (!unknown(r, d)) {
		const struct instance *i = record(r, d);
		pack_init(&k, &out, DATA_JSON, PACK_COMPACT);
		pack_map(&k, 3);
		pack_key_puts(&k, "serviceName", i->service);
		pack_key_puts(&k, "instanceId", i->id);
		pack_key(&k, "config");
		pack_config(&k, i);
		if ((code = pack_end(&k, err)) == ERR_OK)
			manage_json(r, 200, &out, NULL);
	}
	discovery_drop(d);
	str_release(&out);
	return code;
}
