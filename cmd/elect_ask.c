/* elect_ask.c - `aegis elect` without a command: asks about a group, or its leader to step down. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/elect_ask.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "election/elector.h"
#include "elect.h"
#include "model/names.h"

const struct opt elect_mode_rows[] = {
	OPT_FLAG(struct elect_cmd, step_down, "step-down", 0, "ask the leader of the group to give it up"),
	OPT_TEXT(struct elect_cmd, to, "to", 0, "ID", "with --step-down: in favour of this member", .def_text = "whoever is first"),
	OPTS_END
};

enum err_code
elect_group(const struct cmd *c, char **service, char **group, struct err *err)
{
	const char *word = c->words[0], *slash = strchr(word, '/');
	enum err_code code = ERR_OK;

	if (slash != NULL && service == NULL)
		return err_set(err, ERR_INVALID, "group '%s': a group of a service is led by its instances (run-service "
		    "--single-active); groups of `aegis elect` have no '/'", word);
	char *s = slash != NULL ? mem_text_n(word, (size_t)(slash - word)) : mem_text(ELECT_SERVICE);
	if (slash != NULL)
		code = name_check(NAME_SERVICE_CALLED, s, err);
	if (code == ERR_OK)
		code = name_check(NAME_GROUP, slash != NULL ? slash + 1 : word, err);
	if (code == ERR_OK && service != NULL)
		*service = s;
	else
		mem_free(s);
	if (code == ERR_OK)
		*group = mem_text(slash != NULL ? slash + 1 : word);
	return code;
}

enum err_code
elect_ask(struct cmd *c, struct err *err)
{
	const struct elect_cmd *o = c->opts;
	char *service = NULL, *group = NULL;
	struct elect_holder was;
	struct conn *conn = NULL;
	enum err_code code;

	if (o->to != NULL && (code = name_check(NAME_INSTANCE_CALLED, o->to, err)) != ERR_OK)
		return code;
	if ((code = elect_group(c, &service, &group, err)) != ERR_OK)
		return code;
	struct conn_opts opts = cmd_conn_opts(c, NULL);
	if ((conn = conn_new(&opts, err)) == NULL)
		code = err->code;
	else
		code = elect_step_down(conn, service, group, o->to, &was, err);
	if (code == ERR_OK) {
		struct pack p;
		struct str json = STR_INIT;
		char epoch[24];
		pack_init(&p, &json, DATA_JSON, PACK_COMPACT);
		pack_map(&p, 5);
		pack_key(&p, "service");
		pack_puts(&p, service);
		pack_key(&p, "group");
		pack_puts(&p, group);
		pack_key(&p, "instance");
		pack_puts(&p, was.instance);
		pack_key(&p, "epoch");
		pack_uint(&p, was.epoch);
		pack_key(&p, "status");
		pack_puts(&p, "accepted");
		code = pack_end(&p, err);
		snprintf(epoch, sizeof epoch, "%" PRIu64, was.epoch);
		if (code == ERR_OK)
			out_object(c->out, (const char *const[]){ "group", "steps down", "epoch" }, (const struct out_cell[]){
				{ c->words[0], OUT_STRONG }, { was.instance, OUT_PLAIN }, { epoch, OUT_PLAIN } }, 3, str_text(&json));
		str_release(&json);
	}
	conn_free(conn);
	mem_free(service);
	mem_free(group);
	return code;
}
