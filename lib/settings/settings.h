/* settings.h - the bucket aegis_config: one central document per service (design.md §6).
 *
 * The key is the service's name; whether there is a definition of that name does not matter.  The bucket
 * keeps ten revisions of each, and tells each write on aegis.config.{service}, so that any number of
 * instances follow it without a consumer each (follower.h).  What is not allowed (rules.h) is not
 * written; what somebody else wrote is read as far as it is a document.  The revision settles every
 * race.  Any thread but the core loop; every call blocks for a round trip or two. */
#ifndef SETTINGS_SETTINGS_H
#define SETTINGS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"
#include "settings/rules.h"

struct conn;
struct settings;

struct settings_opts {
	struct conn *conn;			/* must outlive it, as must the tables of rules */
	const struct settings_rules *rules;	/* copied */
	bool create;				/* make the bucket when it is missing; without, it holds nothing */
};

struct settings *settings_new(const struct settings_opts *o, struct err *err);
void settings_free(struct settings *s);		/* NULL is fine */
const struct settings_rules *settings_rules(const struct settings *s);

/* settings_make(conn, err): makes the bucket when it is missing. */
enum err_code settings_make(struct conn *conn, struct err *err);

/* settings_tells(s): whether the bucket tells its writes.  One that somebody else made may not; then running
 * instances notice a change only when they look again by themselves (FOLLOWER_AGAIN_NS). */
bool settings_tells(const struct settings *s);

/* One revision of a document. */
struct settings_document {
	char *service;
	char *json;			/* its settings, compact; NULL: deleted, or not readable */
	char *by;			/* who wrote it; NULL when it does not say */
	char *why;			/* not readable: the sentence; else NULL */
	uint64_t revision;
	struct wall at;
	bool deleted;
};
void settings_document_release(struct settings_document *d);

/* settings_write(d, whole, out): {"service","revision","updated_at","updated_by"} and, when whole, "settings" (null when
 * deleted or not readable), "deleted" and "unreadable" (the sentence, or null); compact JSON. */
void settings_write(const struct settings_document *d, bool whole, struct str *out);

/* settings_get(s, service, out, err): ERR_NOT_FOUND: there is none; out->revision is that of its marker, or 0.
 * ERR_CORRUPT: it cannot be read; revision, at and why are set.  out is released by the caller in any case.
 * settings_at: one kept revision; ERR_NOT_FOUND when it is not kept. */
enum err_code settings_get(struct settings *s, const char *service, struct settings_document *out, struct err *err);
enum err_code settings_at(struct settings *s, const char *service, uint64_t revision, struct settings_document *out,
    struct err *err);

/* settings_put(s, service, v, by, expect, culprit, rev, err): checks (ERR_INVALID, culprit as in rules.h) and
 * writes.  expect: the revision last seen, KV_ABSENT (0) or KV_ANY of nats/kv.h.  ERR_REVISION, ERR_EXISTS:
 * nothing was written.  ERR_TOO_LARGE beyond SETTINGS_MAX_BYTES.  A bucket that is missing is made. */
enum err_code settings_put(struct settings *s, const char *service, const struct value *v, const char *by, uint64_t expect,
    struct settings_culprit *culprit, uint64_t *rev, struct err *err);

/* settings_put_once(s, w, rev, err): the same.  With an id (else NULL) *w->repeated says that it was here before
 * (kv_put): then nothing was written, whatever w->v is, and rev is of what was written then. */
struct settings_wish {
	const char *service;
	const struct value *v;
	const char *by;
	uint64_t expect;
	const char *id;
	bool *repeated;
	struct settings_culprit *culprit;	/* or NULL */
};
enum err_code settings_put_once(struct settings *s, const struct settings_wish *w, uint64_t *rev, struct err *err);

/* settings_remove: its history stays. */
enum err_code settings_remove(struct settings *s, const char *service, uint64_t expect, struct err *err);

/* settings_list(s, each, arg, err): every document under the name of a service, in no order; settings_history: every kept revision of one,
 * oldest first, ERR_NOT_FOUND when there never was one.  What they hand over lives during the call. */
typedef void settings_each(void *arg, const struct settings_document *d);
enum err_code settings_list(struct settings *s, settings_each *each, void *arg, struct err *err);
enum err_code settings_history(struct settings *s, const char *service, settings_each *each, void *arg, struct err *err);

/* settings_merge(json, v, out, err): the map v merged into the map json (RFC 7396: null removes a key, maps are
 * merged), as compact JSON; json NULL is an empty map.  Checks nothing. */
enum err_code settings_merge(const char *json, const struct value *v, struct str *out, struct err *err);

/* settings_diff(was, is, each, arg, err): what differs between two maps, key by key, the program's own as
 * "workload.KEY", in the order of was, then is; from or to is NULL where there is none, else compact JSON. */
typedef void settings_change(void *arg, const char *key, const char *from, const char *to);
enum err_code settings_diff(const char *was, const char *is, settings_change *each, void *arg, struct err *err);

#endif
