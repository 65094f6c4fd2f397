/* kv.c - compare-and-set by headers on a publish, reads from the stream's leader.
 *
 * kvStore_Update and _Create are not used: they drop JetStream's error code and leave
 * text, and _Create retries over markers (election.md §13). */
#include "nats/kv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/wall.h"
#include "nats/conn_inner.h"
#include "nats/kv_reader.h"
#include "nats/nats_c.h"

#define SUBJECT_BYTES 640

static void
subject_of(char out[SUBJECT_BYTES], const struct kv *kv, const char *key)
{
	snprintf(out, SUBJECT_BYTES, "$KV.%s.%s", kv->bucket, key);
}

/* One write; its headers are what makes it conditional, mortal or a marker. */
struct write {
	const char *key;
	const void *value;
	size_t n;
	uint64_t expect;
	int64_t ttl_s;
	bool rollup;
	const char *operation;		/* of a marker; NULL: a value */
	const char *id;
	bool *repeated;
};

static natsStatus
set_number(natsMsg *m, const char *name, uint64_t v, const char *unit)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRIu64 "%s", v, unit);
	return natsMsgHeader_Set(m, name, text);
}

static natsStatus
build(natsMsg **out, const char *subject, const struct write *w)
{
	natsStatus s = natsMsg_Create(out, subject, NULL, w->value, (int)w->n);

	if (s == NATS_OK && w->expect != KV_ANY)
		s = set_number(*out, "Nats-Expected-Last-Subject-Sequence", w->expect, "");
	if (s == NATS_OK && w->ttl_s > 0)
		s = set_number(*out, "Nats-TTL", (uint64_t)w->ttl_s, "s");
	if (s == NATS_OK && w->rollup)
		s = natsMsgHeader_Set(*out, "Nats-Rollup", "sub");
	if (s == NATS_OK && w->operation != NULL)
		s = natsMsgHeader_Set(*out, "KV-Operation", w->operation);
	if (s == NATS_OK && w->id != NULL)
		s = natsMsgHeader_Set(*out, "Nats-Msg-Id", w->id);
	return s;
}

/* not_written: a server whose disk is full logs it and answers nothing at all. */
static enum err_code
not_written(const struct kv *kv, const char *key, natsStatus s, jsErrCode js, struct err *err)
{
	enum err_code code = conn_fail(s, js, err, "bucket '%s', key '%s'", kv->bucket, key);

	code = conn_explain(kv->conn, code, err);
	if (code == ERR_TIMEOUT)
		err_set(err, code, "bucket '%s', key '%s': the server did not confirm the write in time; its log tells "
		    "why, a full disk for example", kv->bucket, key);
	return code;
}

static enum err_code
send_write(const struct kv *kv, const struct write *w, uint64_t *revision, struct err *err)
{
	char subject[SUBJECT_BYTES];
	natsMsg *m = NULL;
	jsPubAck *ack = NULL;
	jsErrCode js = 0;

	if (conn_state(kv->conn) != CONN_UP)
		return err_set(err, ERR_UNAVAILABLE, "nats: not connected to %s", conn_servers(kv->conn));
	subject_of(subject, kv, w->key);
	natsStatus s = build(&m, subject, w);
	if (s == NATS_OK)
		s = js_PublishMsg(&ack, conn_js(kv->conn), m, NULL, &js);
	natsMsg_Destroy(m);
	if (s != NATS_OK)
		return not_written(kv, w->key, s, js, err);
	if (revision != NULL)
		*revision = ack->Sequence;
	if (w->repeated != NULL)
		*w->repeated = ack->Duplicate;
	jsPubAck_Destroy(ack);
	return ERR_OK;
}

/* is_mine: what lies there was put under this id, by a request that is repeated now. */
static bool
is_mine(const struct kv_put *p, const struct kv_entry *e, uint64_t *revision)
{
	if (p->id == NULL || e->id == NULL || strcmp(e->id, p->id) != 0)
		return false;
	*p->repeated = true;
	*revision = e->revision;
	return true;
}

enum err_code
kv_put(const struct kv *kv, const struct kv_put *p, uint64_t *revision, struct err *err)
{
	struct write w = { p->key, p->value, p->n, p->expect, p->ttl_s, p->rollup, NULL, p->id, p->repeated };
	struct err lost;
	enum err_code code = send_write(kv, &w, revision, &lost);

	if (code == ERR_REVISION && p->expect == KV_ABSENT) {
		/* Over a marker, create with the marker's own sequence (wire.md §8.2). */
		struct kv_entry e;
		code = kv_get(kv, p->key, &e, &lost);
		if (code == ERR_OK) {
			bool mine = is_mine(p, &e, revision);
			kv_entry_release(&e);
			return mine ? ERR_OK : err_set(err, ERR_EXISTS, "bucket '%s': key '%s' exists already", kv->bucket, p->key);
		}
		if (code == ERR_NOT_FOUND) {
			w.expect = e.revision;
			code = send_write(kv, &w, revision, &lost);
		}
	} else if (code == ERR_REVISION && p->id != NULL) {
		/* Servers look at the expectation before they look for duplicates. */
		struct kv_entry e;
		if (kv_get(kv, p->key, &e, NULL) == ERR_OK) {
			code = is_mine(p, &e, revision) ? ERR_OK : code;
			kv_entry_release(&e);
		}
	}
	if (code != ERR_OK && err != NULL)
		*err = lost;
	return code;
}

enum err_code
kv_remove(const struct kv *kv, const char *key, uint64_t expect, bool keep, int64_t ttl_s, struct err *err)
{
	struct write w = { key, "", 0, expect, ttl_s, !keep, keep ? "DEL" : "PURGE", NULL, NULL };

	return send_write(kv, &w, NULL, err);
}

void
kv_entry_release(struct kv_entry *e)
{
	mem_free(e->key);
	mem_free(e->value);
	mem_free(e->id);
	memset(e, 0, sizeof *e);
}

enum err_code
kv_get(const struct kv *kv, const char *key, struct kv_entry *e, struct err *err)
{
	return kv_get_within(kv, key, 0, e, err);
}

enum err_code
kv_get_within(const struct kv *kv, const char *key, int64_t timeout_ns, struct kv_entry *e, struct err *err)
{
	char subject[SUBJECT_BYTES], stream[160];
	jsOptions o;
	natsMsg *m = NULL;
	jsErrCode js = 0;

	memset(e, 0, sizeof *e);
	if (conn_state(kv->conn) != CONN_UP)
		return err_set(err, ERR_UNAVAILABLE, "nats: not connected to %s", conn_servers(kv->conn));
	subject_of(subject, kv, key);
	snprintf(stream, sizeof stream, "KV_%s", kv->bucket);
	jsOptions_Init(&o);
	o.Wait = timeout_ns / NS_PER_MS;		/* 0: the connection's */
	natsStatus s = js_GetLastMsg(&m, conn_js(kv->conn), stream, subject, &o, &js);
	if (s != NATS_OK) {
		return conn_explain(kv->conn, conn_fail(s, js, err, "bucket '%s', key '%s'", kv->bucket, key), err);
	}
	e->revision = natsMsg_GetSequence(m);
	e->created = (struct wall){ natsMsg_GetTime(m) };
	if (kv_is_marker(m)) {
		natsMsg_Destroy(m);
		return err_set(err, ERR_NOT_FOUND, "bucket '%s': key '%s' is deleted", kv->bucket, key);
	}
	const char *id = NULL;
	if (natsMsgHeader_Get(m, "Nats-Msg-Id", &id) == NATS_OK)
		e->id = mem_text(id);
	e->key = mem_text(key);
	e->n = (size_t)natsMsg_GetDataLength(m);
	e->value = mem_text_n(e->n > 0 ? natsMsg_GetData(m) : "", e->n);
	natsMsg_Destroy(m);
	return ERR_OK;
}

enum err_code
kv_list(const struct kv *kv, const char *filter, bool history,
    void (*each)(void *arg, const struct kv_entry *e), void *arg, struct err *err)
{
	struct kv_reader r;
	struct kv_entry e;
	jsErrCode js = 0;

	if (conn_state(kv->conn) != CONN_UP)
		return err_set(err, ERR_UNAVAILABLE, "nats: not connected to %s", conn_servers(kv->conn));
	natsStatus s = kv_reader_open(&r, &(struct kv_reader_opts){
		.conn = kv->conn, .bucket = kv->bucket, .filter = filter, .history = history,
	}, &js);
	while (s == NATS_OK && (s = kv_reader_next(&r, &e, conn_timeout_ns(kv->conn) / NS_PER_MS)) == NATS_OK && e.key != NULL)
		each(arg, &e);
	kv_reader_close(&r);
	if (s == NATS_OK)
		return ERR_OK;
	return conn_explain(kv->conn, conn_fail(s, js, err, "bucket '%s': list '%s'", kv->bucket, filter), err);
}
