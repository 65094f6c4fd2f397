/* manage_audit.c - writing down who changed what, and showing it. */
#include "api/manage_inner.h"
#include "audit/audit.h"
#include "base/magic.h"
#include "codec/record.h"

#define PAGE 100
#define PAGE_MAX 1000

void
manage_audit_as(struct manage *m, struct web_request *r, const struct auth_who *who, const struct audit_entry *e)
{
	struct audit_entry full = *e;

	if (who != NULL) {
		full.actor_id = who->id;
		full.actor_name = who->name;
		full.actor_role = auth_role_name(who->role);
	}
	full.request_id = web_request_id(r);
	full.peer = web_peer(r);
	full.traceparent = manage_trace(r);
	if (audit_write(m->audit, &full, NULL) != ERR_OK)
		web_set_header(r, "Warning", "199 aegis \"the change was made, but its audit record is not known to be stored\"");
}

void
manage_audit(struct manage *m, struct web_request *r, const struct audit_entry *e)
{
	manage_audit_as(m, r, manage_who(r), e);
}

/* --- definitions ----------------------------------------------------------------------------- */

void
manage_version_take(struct manage_version *v, const struct definition *d, uint64_t revision)
{
	struct pack k;

	*v = (struct manage_version){ .revision = 0 };
	if (d == NULL)
		return;
	v->revision = revision;
	pack_init(&k, &v->json, DATA_JSON, PACK_COMPACT);
	definition_pack(&k, d);
	MUST(pack_end(&k, NULL) == ERR_OK);
}

void
manage_version_release(struct manage_version *v)
{
	str_release(&v->json);
}

void
manage_audit_definition(struct manage *m, struct web_request *r, const char *action, const char *name,
    struct manage_version *before, struct manage_version *after)
{
	manage_audit(m, r, &(struct audit_entry){
		.action = action, .target = name, .service = name,
		.before_revision = before->revision, .before = { DATA_JSON, before->json.p, before->json.len },
		.after_revision = after->revision, .after = { DATA_JSON, after->json.p, after->json.len },
	});
	manage_version_release(before);
	manage_version_release(after);
}

/* --- showing -------------------------------------------------------------------------------- */

struct page {
	struct str items;		/* with commas between */
	size_t n;
};

/* add: the record as it was written, with its sequence in front. */
static void
add(void *arg, uint64_t seq, const struct value *record)
{
	struct page *p = arg;
	struct str one = STR_INIT;
	struct pack k;

	pack_init(&k, &one, DATA_JSON, PACK_COMPACT);
	pack_map(&k, record->n + 1);
	pack_key_uint(&k, "seq", seq);
	for (uint32_t i = 0; i < record->n; i++) {
		pack_key_n(&k, record->u.pairs[i].key);
		pack_value(&k, &record->u.pairs[i].value);
	}
	MUST(pack_end(&k, NULL) == ERR_OK);
	if (p->n++ > 0)
		str_putc(&p->items, ',');
	str_add(&p->items, one.p, one.len);
	str_release(&one);
}

static void
link_next(struct web_request *r, const struct audit_query *q, uint64_t next)
{
	struct str link = STR_INIT;

	str_printf(&link, "<%s?limit=%zu&cursor=%llu", web_path(r), q->limit, (unsigned long long)next);
	if (q->service != NULL)
		manage_link(&link, "service", q->service);
	if (q->actor != NULL)
		manage_link(&link, "actor", q->actor);
	str_puts(&link, ">; rel=\"next\"");
	web_set_header(r, "Link", str_text(&link));
	str_release(&link);
}

enum err_code
manage_audit_list(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	char service[AUTH_SERVICE_MAX], actor[AUTH_NAME_MAX];
	bool has_limit, has_cursor, has_service, has_actor;
	uint64_t limit = PAGE, before = 0, next;
	struct page page = { .items = STR_INIT };
	enum err_code code = manage_up(m, err);

	if (code != ERR_OK || !manage_number(r, "limit", 1, PAGE_MAX, &has_limit, &limit) ||
	    !manage_number(r, "cursor", 1, INT64_MAX, &has_cursor, &before) ||
	    !manage_word(r, "service", service, sizeof service, &has_service) ||
	    !manage_word(r, "actor", actor, sizeof actor, &has_actor))
		return code;
	struct audit_query q = {
		.before = has_cursor ? before : 0, .limit = has_limit ? (size_t)limit : PAGE,
		.service = has_service ? service : NULL, .actor = has_actor ? actor : NULL,
	};
	str_putc(&page.items, '[');
	if ((code = audit_read(m->audit, &q, add, &page, &next, err)) != ERR_OK) {
		str_release(&page.items);
		return manage_store(code, err);
	}
	str_putc(&page.items, ']');
	if (next > 0)
		link_next(r, &q, next);
	manage_json(r, 200, &page.items, NULL);
	return ERR_OK;
}
