/* registry_contract.c - contracts in `aegis registry`: put and get with --contract, and whether
 * there is one, for ls.
 *
 * The revision works as with definitions: nothing is overwritten that nobody saw. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/codec.h"
#include "model/contract.h"
#include "model/names.h"
#include "registry.h"
#include "trail.h"

struct contracts *
cmd_contract_open(struct cmd *c, bool create, struct conn **conn, struct err *err)
{
	struct conn_opts co = cmd_conn_opts(c, NULL);
	struct contracts *all;

	if ((*conn = conn_new(&co, err)) == NULL)
		return NULL;
	if ((all = contracts_new(*conn, create, err)) == NULL) {
		conn_free(*conn);
		*conn = NULL;
	}
	return all;
}

void
cmd_contract_close(struct contracts *all, struct conn *conn)
{
	contracts_free(all);
	conn_free(conn);
}

/* --- put -------------------------------------------------------------------------------- */

/* One contract on its way into the bucket. */
struct put {
	struct cmd *c;
	const char *service;
	uint64_t *expect;		/* cmd_registry_read may set it, before it is used */
	bool create, dry_run;
};

static void
show(const struct put *p, const char *action, uint64_t revision)
{
	char number[24], *json = mem_printf("{\"service_name\":\"%s\",\"action\":\"%s\",\"dry_run\":%s,\"revision\":%llu}",
	    p->service, action, p->dry_run ? "true" : "false", (unsigned long long)revision);
	char *says = mem_printf("%s%s", p->dry_run ? "would be " : "", action);

	snprintf(number, sizeof number, "%llu", (unsigned long long)revision);
	out_object(p->c->out, (const char *const[]){ "contract of", "action", "revision" },
	    (const struct out_cell[]){ { p->service, OUT_STRONG }, { says, OUT_GOOD }, { number, OUT_PLAIN } }, 3, json);
	mem_free(says);
	mem_free(json);
}

static enum err_code
check_revision(const struct put *p, uint64_t revision, struct err *err)
{
	if (p->create && revision != 0)
		return err_set(err, ERR_EXISTS, "'%s' has a contract already, at revision %llu; leave out --create to replace it",
		    p->service, (unsigned long long)revision);
	if (*p->expect != CMD_REGISTRY_UNSET && *p->expect != revision)
		return err_set(err, *p->expect == 0 ? ERR_EXISTS : ERR_REVISION, "the contract of '%s' is at revision %llu, not "
		    "%llu; look at it with `aegis registry get %s --contract` and try again", p->service,
		    (unsigned long long)revision, (unsigned long long)*p->expect, p->service);
	return ERR_OK;
}

/* is_same: what is stored is, value by value, what would be written. */
static bool
is_same(const struct value *v, const char *stored, size_t n)
{
	struct str text = STR_INIT;
	struct pack p;

	pack_init(&p, &text, DATA_JSON, PACK_COMPACT);
	pack_value(&p, v);
	bool same = pack_end(&p, NULL) == ERR_OK && text.len == n && memcmp(text.p, stored, n) == 0;
	str_release(&text);
	return same;
}

/* write_new: over what is stored, or NULL; and into the audit trail. */
static enum err_code
write_new(struct contracts *all, struct conn *conn, const struct put *p, const struct value *v, const char *stored, uint64_t *revision,
    struct err *err)
{
	uint64_t before = stored == NULL ? 0 : *revision;
	struct str text = STR_INIT;
	struct pack k;
	enum err_code code = contracts_put(all, p->service, v, before, revision, err);

	if (code != ERR_OK)
		return code;
	pack_init(&k, &text, DATA_JSON, PACK_COMPACT);
	pack_value(&k, v);
	cmd_trail(p->c, conn, (struct audit_entry){
		.action = stored == NULL ? "contract.create" : "contract.update", .target = p->service, .service = p->service,
		.before = cmd_json(stored), .before_revision = before,
		.after = cmd_json(pack_end(&k, NULL) == ERR_OK ? str_text(&text) : NULL), .after_revision = *revision,
	}, false);
	str_release(&text);
	return ERR_OK;
}

static enum err_code
put_value(struct contracts *all, struct conn *conn, const struct put *p, const struct value *v, struct err *err)
{
	uint64_t revision = 0;
	char *stored = NULL;
	size_t n = 0;
	enum err_code code = contracts_get(all, p->service, &stored, &n, &revision, err);

	if (code == ERR_NOT_FOUND)
		code = ERR_OK;
	if (code != ERR_OK || (code = check_revision(p, revision, err)) != ERR_OK)
		goto err0;
	bool same = revision != 0 && is_same(v, stored, n);
	if (!p->dry_run && !same)
		code = write_new(all, conn, p, v, stored, &revision, err);
	if (code == ERR_OK)
		show(p, stored == NULL ? "created" : same ? "unchanged" : "replaced", revision);
err0:
	mem_free(stored);
	return code;
}

static enum err_code
use(void *arg, const struct value *v, struct err *err)
{
	struct put *p = arg;
	struct contract *contract = contract_new(v, err);
	struct contracts *all;
	struct conn *conn;

	if (contract == NULL)
		return ERR_INVALID;
	contract_free(contract);
	if ((all = cmd_contract_open(p->c, !p->dry_run, &conn, err)) == NULL)
		return err->code;
	enum err_code code = put_value(all, conn, p, v, err);
	cmd_contract_close(all, conn);
	return code;
}

enum err_code
cmd_contract_put(struct cmd *c, uint64_t expect, bool create, bool dry_run, struct err *err)
{
	struct put p = { c, c->words[0], &expect, create, dry_run };
	enum err_code code;

	if (c->words[1] == NULL)
		return err_set(err, ERR_USAGE, "FILE is missing; with --contract the words are SERVICE FILE");
	if ((code = name_check(NAME_SERVICE_CALLED, p.service, err)) != ERR_OK)
		return code;
	return cmd_registry_read(c->words[1], use, &p, &expect, err);
}

/* --- get -------------------------------------------------------------------------------- */

enum err_code
cmd_contract_get(struct cmd *c, const char *service, struct err *err)
{
	struct contracts *all;
	struct conn *conn;
	uint64_t revision;
	char *json;
	size_t n;

	if ((all = cmd_contract_open(c, false, &conn, err)) == NULL)
		return err->code;
	enum err_code code = contracts_get(all, service, &json, &n, &revision, err);
	if (code == ERR_OK) {
		struct str out = STR_INIT;
		struct data d = { DATA_JSON, json, n };
		struct value v;
		/* What somebody else wrote may be no object; it is shown, for this is how one finds out. */
		code = codec_parse(codec_mine(), d, &v, err);
		if (code == ERR_OK && v.type == VALUE_MAP) {
			str_add(&out, json, n - 1);
			str_printf(&out, "%s\"revision\":%llu}", v.n > 0 ? "," : "", (unsigned long long)revision);
		} else {
			str_add(&out, json, n);
		}
		if (code == ERR_OK)
			out_value(c->out, str_text(&out));
		else
			err_prefix(err, "the stored contract of '%s', revision %llu", service, (unsigned long long)revision);
		str_release(&out);
		mem_free(json);
	}
	cmd_contract_close(all, conn);
	return code;
}

/* --- ls --------------------------------------------------------------------------------- */

struct wanted {
	struct cmd_contract_names *out;
	const char *service;		/* NULL: all */
};

static void
add(void *arg, const char *service, uint64_t revision)
{
	struct wanted *w = arg;
	struct cmd_contract_names *l = w->out;

	if (w->service != NULL && strcmp(w->service, service) != 0)
		return;
	mem_grow(&l->v, &l->cap, l->n + 1, sizeof *l->v);
	l->v[l->n++] = (struct cmd_contract_name){ mem_text(service), revision, false };
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct cmd_contract_name *)a)->service, ((const struct cmd_contract_name *)b)->service);
}

enum err_code
cmd_contract_names(struct conn *conn, const char *service, struct cmd_contract_names *out, struct err *err)
{
	struct wanted w = { out, service };
	struct contracts *all = contracts_new(conn, false, err);

	if (all == NULL)
		return err->code;
	enum err_code code = contracts_each(all, add, &w, err);
	contracts_free(all);
	if (out->n > 0)
		qsort(out->v, out->n, sizeof *out->v, by_name);
	return code;
}

struct cmd_contract_name *
cmd_contract_find(const struct cmd_contract_names *names, const char *service)
{
	struct cmd_contract_name key = { .service = (char *)(uintptr_t)service };

	return names->n == 0 ? NULL : bsearch(&key, names->v, names->n, sizeof *names->v, by_name);
}

void
cmd_contract_names_free(struct cmd_contract_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		mem_free(names->v[i].service);
	mem_free(names->v);
}
