/* contracts.c - contracts by compare-and-set; the revision is the only lock. */
#include "registry/contracts.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/codec.h"
#include "codec/subject.h"
#include "model/contract.h"
#include "nats/kv.h"
#include "nats/stream.h"

#define HISTORY 10			/* as many as of definitions */

struct contracts {
	struct kv kv;
	bool missing;			/* the bucket does not exist, and we only read */
};

struct contracts *
contracts_new(struct conn *conn, bool create, struct err *err)
{
	static const struct bucket_opts bucket = {
		.name = CONTRACT_BUCKET, .history = HISTORY, .max_value_bytes = CONTRACT_MAX_BYTES,
	};
	struct bucket_state state;
	enum err_code code = create ? bucket_ensure(conn, &bucket, &state, err)
	    : bucket_inspect(conn, CONTRACT_BUCKET, &state, err);
	bool missing = code == ERR_NOT_FOUND && !create;

	if (code != ERR_OK && !missing) {
		err_prefix(err, "contracts");
		return NULL;
	}
	struct contracts *c = mem_new(sizeof *c);
	c->kv = (struct kv){ conn, CONTRACT_BUCKET };
	c->missing = missing;
	return c;
}

void
contracts_free(struct contracts *c)
{
	mem_free(c);
}

static enum err_code
check(const struct value *v, struct err *err)
{
	struct contract *c = contract_new(v, err);
	enum err_code code = c != NULL ? ERR_OK : ERR_INVALID;

	contract_free(c);
	return code;
}

static enum err_code
encode(const struct value *v, struct str *out, struct err *err)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_value(&p, v);
	enum err_code code = pack_end(&p, err);
	if (code == ERR_OK && out->len > CONTRACT_MAX_BYTES)
		code = err_set(err, ERR_TOO_LARGE, "%zu bytes are more than the %d that a contract may have", out->len,
		    CONTRACT_MAX_BYTES);
	return code;
}

enum err_code
contracts_put(struct contracts *c, const char *service, const struct value *v, uint64_t expect, uint64_t *rev,
    struct err *err)
{
	struct str text = STR_INIT;
	enum err_code code = check(v, err);

	if (code == ERR_OK && (code = encode(v, &text, err)) == ERR_OK)
		code = kv_put(&c->kv, &(struct kv_put){
			.key = service, .value = text.p, .n = text.len, .expect = expect,
		}, rev, err);
	str_release(&text);
	if (code == ERR_REVISION)
		return err_set(err, code, "contract of '%s': somebody else changed it since revision %llu; read it again",
		    service, (unsigned long long)expect);
	if (code != ERR_OK)
		err_prefix(err, "contract of '%s'", service);
	return code;
}

static enum err_code
get(struct contracts *c, const char *service, struct kv_entry *e, struct err *err)
{
	enum err_code code = c->missing ? ERR_NOT_FOUND : kv_get(&c->kv, service, e, err);

	if (code == ERR_NOT_FOUND)
		return err_set(err, code, "service '%s' has no contract; write one with `aegis registry put %s --contract FILE`",
		    service, service);
	if (code != ERR_OK)
		err_prefix(err, "contract of '%s'", service);
	return code;
}

enum err_code
contracts_get(struct contracts *c, const char *service, char **json, size_t *n, uint64_t *rev, struct err *err)
{
	struct kv_entry e;
	enum err_code code = get(c, service, &e, err);

	if (code != ERR_OK)
		return code;
	*json = mem_text_n(e.value, e.n);
	*n = e.n;
	*rev = e.revision;
	kv_entry_release(&e);
	return ERR_OK;
}

enum err_code
contracts_remove(struct contracts *c, const char *service, uint64_t expect, struct err *err)
{
	enum err_code code = kv_remove(&c->kv, service, expect, true, 0, err);

	if (code == ERR_REVISION)
		return err_set(err, code, "contract of '%s': somebody else changed it; read it again", service);
	if (code != ERR_OK)
		err_prefix(err, "contract of '%s'", service);
	return code;
}

struct walk {
	void (*each)(void *arg, const char *service, uint64_t revision);
	void *arg;
};

static void
one(void *arg, const struct kv_entry *e)
{
	struct walk *w = arg;

	if (!e->gone)
		w->each(w->arg, e->key, e->revision);
}

enum err_code
contracts_each(struct contracts *c, void (*each)(void *arg, const char *service, uint64_t revision), void *arg,
    struct err *err)
{
	struct walk w = { each, arg };
	enum err_code code = c->missing ? ERR_OK : kv_list(&c->kv, ">", false, one, &w, err);

	if (code != ERR_OK)
		err_prefix(err, "contracts");
	return code;
}
