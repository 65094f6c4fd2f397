/* manage_inner.h - inside lib/api: handlers of the management API, and what they share. */
#ifndef API_MANAGE_INNER_H
#define API_MANAGE_INNER_H

#include "api/manage.h"
#include "auth/auth.h"
#include "codec/codec.h"
#include "http/server.h"

#define MANAGE_BODY_MAX (1 << 20)

#define ROUTE(method, path, operation, access, reach, kind, max_body, handler, ...) extern web_handler handler;
#include "api/manage_routes.def"
#undef ROUTE

/* --- who asks (manage_access.c) ------------------------------------------------------------ */

/* manage_admit: the server's question before every request. */
enum err_code manage_admit(void *arg, struct web_request *r, const struct web_route *route, struct err *err);

/* manage_still(m, r): the credential that r was admitted with is still good; for what goes on for long.  An open
 * stream counts as use of a browser's session.  Nothing of the answer is touched. */
bool manage_still(struct manage *m, struct web_request *r);

/* manage_who(r): who asks; of role AUTH_NONE on public routes.  Lives as long as r. */
const struct auth_who *manage_who(struct web_request *r);

/* manage_cookie(r, out): the value of our cookie; false without one.  manage_set_cookie: sets it, or with "" ends
 * it, in the browser. */
bool manage_cookie(const struct web_request *r, char out[AUTH_TEXT_MAX]);
void manage_set_cookie(struct web_request *r, const char *value);

/* manage_own_origin(r, strict, err): as auth_own_origin. */
enum err_code manage_own_origin(struct web_request *r, bool strict, struct err *err);

/* manage_retry(m, r): sets Retry-After of who guesses too often. */
void manage_retry(struct manage *m, struct web_request *r);

/* manage_bound(r): the service that the request's credential is bound to; NULL: it is not.  What belongs
 * to others is left out of lists by their handlers; the rest was refused before. */
const char *manage_bound(struct web_request *r);

/* manage_trace(r): the request's traceparent, for what it sends over NATS; NULL without a valid one. */
const char *manage_trace(const struct web_request *r);

/* manage_caller(r): the id of the request's credential, "" without one. */
const char *manage_caller(struct web_request *r);

/* manage_policy(arg, r): the headers that every answer has (web_server_opts): what the page may load and
 * who may frame it (conventions.md §3). */
void manage_policy(void *arg, struct web_request *r);

/* --- counting requests (manage_metrics.c) --------------------------------------------------- */

struct manage_meter *manage_meter_new(void);
void manage_meter_free(struct manage_meter *x);		/* NULL is fine */
void manage_done(void *arg, const struct web_route *route, int status, int64_t ns);	/* web_server_opts */

/* manage_audit(m, r, e): writes down what the request changed; who, request and peer are filled in.  Before
 * the answer: one that could not be written down says so in a Warning (and in log and counter). */
struct audit_entry;
void manage_audit(struct manage *m, struct web_request *r, const struct audit_entry *e);

/* manage_audit_as: as manage_audit, by somebody whom the request's own credential does not name; NULL: nobody knows. */
void manage_audit_as(struct manage *m, struct web_request *r, const struct auth_who *who, const struct audit_entry *e);

/* A definition as a change found or left it, for the trail: zeroed for none.  manage_version_take: from d, or
 * none from NULL.  manage_audit_definition: writes the change down, and empties both. */
struct definition;
struct manage_version {
	struct str json;
	uint64_t revision;
};
void manage_version_take(struct manage_version *v, const struct definition *d, uint64_t revision);
void manage_version_release(struct manage_version *v);
void manage_audit_definition(struct manage *m, struct web_request *r, const char *action, const char *name,
    struct manage_version *before, struct manage_version *after);

/* --- what was sent (manage_input.c) ---------------------------------------------------------- */

/* manage_flag(r, name, out, err): ?name, ?name=true and ?name=false; *out is false when absent.
 * manage_number: ?name=N within min and max; *given says whether it is there.  What cannot be read
 * is answered at once, as all of manage_input.c: then the handler returns ERR_OK. */
bool manage_flag(struct web_request *r, const char *name, bool *out);
bool manage_number(struct web_request *r, const char *name, uint64_t min, uint64_t max, bool *given, uint64_t *out);

/* manage_word(r, name, out, max, given): ?name=TEXT. */
bool manage_word(struct web_request *r, const char *name, char *out, size_t max, bool *given);

/* The fields of a body that are wrong, until all were looked at (wire.md §11).  Pointers are kept. */
#define MANAGE_FAULTS 16
struct manage_faults {
	size_t n;
	struct manage_fault {
		char field[80];			/* "body.owner", "query.limit", "version" */
		const char *type;		/* "missing", "string_type", … */
		char message[256];
	} v[MANAGE_FAULTS];
};

/* manage_fault(f, field, type, fmt, …): one more; beyond MANAGE_FAULTS they are dropped. */
void manage_fault(struct manage_faults *f, const char *field, const char *type, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* manage_refused(r, f): answers 422 when there are any, and says so. */
bool manage_refused(struct web_request *r, const struct manage_faults *f);

/* manage_body(r, out): the body, which must be a JSON map; else it was answered.  Uses codec_mine. */
bool manage_body(struct web_request *r, struct value *out);

/* manage_members(body, known, f): a fault for each member that is none of known (NULL-terminated). */
void manage_members(const struct value *body, const char *const *known, struct manage_faults *f);

/* manage_text(body, name, needed, f): the member as text that the caller frees; NULL when it is not there, or is null
 * where it is not needed, or with a fault. */
char *manage_text(const struct value *body, const char *name, bool needed, struct manage_faults *f);

/* manage_target(r, revision): the body names a revision to go back to; false: answered. */
bool manage_target(struct web_request *r, uint64_t *revision);

/* manage_query_known(r, route): that a route which is no older client's is asked nothing it does not know; else it was
 * answered, as a typing mistake in a parameter must not look like an answer. */
bool manage_query_known(struct web_request *r, const struct web_route *route);

/* manage_idempotency(r, id, given, err): the request's Idempotency-Key, as an id that no other caller's
 * key makes; ERR_INVALID when it is none. */
#define MANAGE_KEY_MAX 200
enum err_code manage_idempotency(struct web_request *r, char id[MANAGE_KEY_MAX], bool *given, struct err *err);

/* --- answering (manage_answer.c) -------------------------------------------------------------- */

/* manage_json(r, status, out, etag): out, which is released, as JSON; etag as of web_reply_etag, or NULL. */
void manage_json(struct web_request *r, int status, struct str *out, const char *etag);

/* manage_json_revision: as manage_json; the tag is the revision, unless that is 0. */
void manage_json_revision(struct web_request *r, int status, struct str *out, uint64_t revision);

/* manage_condition(r, revision, required, service): the request's If-Match or If-None-Match holds for what has that
 * revision (0: nothing is there), or there is none and none is required; else it was answered, about service as
 * by manage_fail. */
bool manage_condition(struct web_request *r, uint64_t revision, bool required, const char *service);

/* manage_condition_once(r, revision, once, service, expect): the same, required.  once: the request has an Idempotency-Key, and
 * a condition that fails now may have held when it came for the first time; the store finds out.  *expect: the
 * revision that has to be there for it, 0 for none. */
bool manage_condition_once(struct web_request *r, uint64_t revision, bool once, const char *service, uint64_t *expect);

/* manage_location(m, r, what, id): sets Location to /api/what/id. */
void manage_location(const struct manage *m, struct web_request *r, const char *what, const char *id);

/* manage_fail(r, code, status, service, fmt, …): a problem whose details are {"service_name"}, or null
 * when service is NULL; status 0: the code's. */
void manage_fail(struct web_request *r, enum err_code code, int status, const char *service, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* manage_settle(m, name, revision): waits, not for ever, until the snapshot has what was just written of a definition (0:
 * its removal), so that who wrote finds it in the next list. */
void manage_settle(struct manage *m, const char *name, uint64_t revision);

/* manage_store(m, code, err): what a store said, as a data route tells it: silence of NATS is 503. */
enum err_code manage_store(enum err_code code, struct err *err);

/* --- lists (manage_list.c) ------------------------------------------------------------------- */

#define MANAGE_FIELD_MAX 512

struct manage_list {
	const char *const *fields;		/* by which one may sort and filter; NULL-terminated */
	/* field(item, i, buf): the value of fields[i] as text; "" when it has none. */
	const char *(*field)(const void *item, size_t i, char buf[MANAGE_FIELD_MAX]);
	/* key(item, buf): what makes it unique; lists come ordered by it. */
	const char *(*key)(const void *item, char buf[MANAGE_FIELD_MAX]);
	void (*pack)(struct pack *k, const void *item);
	uint64_t (*mark)(const void *item);	/* another whenever pack says something else */
	size_t page;				/* how many without ?limit; 0: all */
};

/* manage_list_reply(r, l, items, n): 200 with those that ?filter, ?sort, ?limit and ?cursor leave, and a
 * Link to the next; the array is sorted in place.  What of the query cannot be read is answered 422. */
void manage_list_reply(struct web_request *r, const struct manage_list *l, const void **items, size_t n);

/* manage_list_array: as manage_list_reply, of n items of `size` bytes that stand in an array. */
void manage_list_array(struct web_request *r, const struct manage_list *l, const void *items, size_t n, size_t size);

/* manage_list_key(first, second, buf): a key of two names, ordered by the first. */
const char *manage_list_key(const char *first, const char *second, char buf[MANAGE_FIELD_MAX]);

/* manage_link(link, name, text): adds &name=text to the address of a next page, with the escapes that it needs. */
void manage_link(struct str *link, const char *name, const char *text);

/* manage_list_keep: as manage_list_reply, and keeps the answer for those who ask the same (manage_kept.h). */
struct manage_keep;
void manage_list_keep(struct web_request *r, const struct manage_list *l, const void **items, size_t n, const struct manage_keep *keep);

#define MANAGE_LIST_QUERY "limit cursor sort filter"

#endif
