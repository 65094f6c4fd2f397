/* beats.c - heartbeats: read where they arrive, applied on the loop.
 *
 * Anybody may send them, so they are bounded one by one, in number (the loop's mailbox refuses) and
 * together.  One that comes before its record was seen waits a moment for it. */
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"
#include "codec/codec.h"
#include "codec/heartbeat.h"
#include "codec/subject.h"
#include "monitor/monitor_inner.h"
#include "nats/conn.h"

#define TEXT_BYTES_MAX ((size_t)64 << 20)	/* of all metrics together; beyond it only figures are kept */
#define ORPHANS 64
#define ORPHAN_NS (5 * NS_PER_S)

struct beat_mail {
	struct mail mail;
	struct monitor *owner;
	struct mono heard;
	struct wall at;
	char *key;
	struct str rest;
	struct heartbeat h;
};

struct bye_mail {
	struct mail mail;
	struct monitor *owner;
	char *key;
};

/* The latest that belong to nobody yet. */
struct orphans {
	size_t next;
	struct beat_mail *v[ORPHANS];
};

static void
beat_discard(struct mail *m)
{
	struct beat_mail *b = CONTAINER_OF(m, struct beat_mail, mail);

	mem_free(b->key);
	str_release(&b->rest);
	mem_free(b);
}

static void
bye_discard(struct mail *m)
{
	struct bye_mail *b = CONTAINER_OF(m, struct bye_mail, mail);

	mem_free(b->key);
	mem_free(b);
}

/* --- on the loop -------------------------------------------------------------------------- */

/* uptime_of: what it says; else by when its record says that it started (Python never tells, wire.md §10). */
static double
uptime_of(const struct watched *w, const struct heartbeat *h, struct wall now)
{
	const struct instance *i = w->entry->instance;
	struct value v;
	struct text t;
	struct wall started;

	if (h->uptime_s > 0)
		return h->uptime_s;
	if (codec_parse(codec_mine(), (struct data){ DATA_JSON, i->metadata, strlen(i->metadata) }, &v, NULL) != ERR_OK ||
	    !value_text(value_field(&v, "start_time"), &t) || !wall_parse(t.p, t.n, &started) || started.ns > now.ns)
		return 0;
	return ns_seconds(now.ns - started.ns);
}

static void
keep_metrics(struct monitor *m, struct watched *w, const char *rest, double uptime_s)
{
	struct str text = STR_INIT;
	size_t old = w->metrics != NULL ? strlen(w->metrics) : 0;

	heartbeat_metrics(rest, uptime_s, &text);
	if (m->text_bytes - old + text.len > TEXT_BYTES_MAX) {
		str_release(&text);
		beats_leave(m, w);
		log_warning(EV_MONITOR_FULL, LOG_NONE, "heartbeats of all instances together are larger than 64 MiB; some instances are "
		    "shown without their metrics");
		return;
	}
	m->text_bytes = m->text_bytes - old + text.len;
	mem_free(w->metrics);
	w->metrics = mem_text_n(text.p, text.len);
	str_release(&text);
}

void
beats_leave(struct monitor *m, struct watched *w)
{
	if (w->metrics != NULL)
		m->text_bytes -= strlen(w->metrics);
	mem_free(w->metrics);
	w->metrics = NULL;
}

static void
apply(struct monitor *m, struct watched *w, struct beat_mail *b)
{
	double uptime_s = uptime_of(w, &b->h, b->at);

	if (figures_next(&w->past, &b->h, b->heard, w->anew, &w->figures))
		note_restart(w, b->at);
	w->anew = false;
	if (uptime_s > 0)
		w->figures.uptime_s = (float)uptime_s;
	series_add(&w->series, &w->figures, b->at);
	keep_metrics(m, w, b->rest.p != NULL ? b->rest.p : "}", uptime_s);
	w->beaten = true;
	atomic_fetch_add(&m->version, 1);
}

static void
keep_orphan(struct monitor *m, struct beat_mail *b)
{
	struct orphans *o = m->orphans;

	if (o->v[o->next] != NULL) {
		beat_discard(&o->v[o->next]->mail);
		atomic_fetch_add(&m->beats_unknown, 1);
	}
	o->v[o->next] = b;
	o->next = (o->next + 1) % ORPHANS;
}

void
beats_adopt(struct monitor *m, struct watched *w)
{
	char *key = monitor_key(w->entry->instance->service, w->entry->instance->id);

	for (size_t i = 0; i < ORPHANS; i++) {
		struct beat_mail *b = m->orphans->v[i];
		if (b == NULL || strcmp(b->key, key) != 0)
			continue;
		m->orphans->v[i] = NULL;
		if (mono_since(monitor_mono(m), b->heard) < ORPHAN_NS)
			apply(m, w, b);
		beat_discard(&b->mail);
	}
	mem_free(key);
}

static void
beat_deliver(struct mail *mail)
{
	struct beat_mail *b = CONTAINER_OF(mail, struct beat_mail, mail);
	struct monitor *m = b->owner;

	MAGIC_CHECK(m, MONITOR_MAGIC);
	struct watched *w = map_get(&m->watched, b->key);
	if (w == NULL || w->entry == NULL) {
		keep_orphan(m, b);
		return;
	}
	apply(m, w, b);
	beat_discard(mail);
}

static void
bye_deliver(struct mail *mail)
{
	struct bye_mail *b = CONTAINER_OF(mail, struct bye_mail, mail);
	struct watched *w = map_get(&b->owner->watched, b->key);

	if (w != NULL)
		news_bye(b->owner, w);
	bye_discard(mail);
}

/* --- where they arrive -------------------------------------------------------------------- */

static void
on_beat(void *arg, struct msg *msg)
{
	struct monitor *m = arg;
	struct beat_mail *b = mem_new(sizeof *b);
	struct text service = subject_method(msg_subject(msg));
	struct err err;

	MAGIC_CHECK(m, MONITOR_MAGIC);
	b->mail = (struct mail){ .deliver = beat_deliver, .discard = beat_discard };
	b->owner = m;
	b->heard = clock_mono(clock_system());
	b->at = clock_wall(clock_system());
	atomic_fetch_add(&m->beats_heard, 1);
	if (heartbeat_decode(msg_subject(msg), msg_data(msg), msg_size(msg), &b->h, &b->rest, &err) != ERR_OK) {
		atomic_fetch_add(&m->beats_bad, 1);
		log_warning(EV_HEARTBEAT_BAD, LOG_F(LOG_S("subject", msg_subject(msg)), LOG_S("err", err.text)),
		    "a heartbeat cannot be read and is left out");
		beat_discard(&b->mail);
	} else {
		char *name = mem_text_n(service.p, service.n);
		b->key = monitor_key(name, b->h.instance);
		mem_free(name);
		if (loop_post(m->o.loop, &b->mail) != ERR_OK) {
			atomic_fetch_add(&m->beats_dropped, 1);		/* the next one comes in ten seconds */
			beat_discard(&b->mail);
		}
	}
	msg_free(msg);
}

static void
on_bye(void *arg, struct msg *msg)
{
	struct monitor *m = arg;
	struct value v;
	struct text service, id;

	if (codec_parse(codec_mine(), (struct data){ DATA_JSON, msg_data(msg), msg_size(msg) }, &v, NULL) == ERR_OK &&
	    value_text(value_field(&v, "service_name"), &service) && value_text(value_field(&v, "instance_id"), &id)) {
		struct bye_mail *b = mem_new(sizeof *b);
		char *name = mem_text_n(service.p, service.n), *one = mem_text_n(id.p, id.n);
		b->mail = (struct mail){ .deliver = bye_deliver, .discard = bye_discard };
		b->owner = m;
		b->key = monitor_key(name, one);
		mem_free(name);
		mem_free(one);
		if (loop_post(m->o.loop, &b->mail) != ERR_OK)
			bye_discard(&b->mail);		/* it is shown as purged then */
	}
	msg_free(msg);
}

enum err_code
beats_open(struct monitor *m, struct err *err)
{
	m->orphans = mem_new(sizeof *m->orphans);
	if ((m->beats = sub_new(&(struct sub_opts){ .conn = m->o.conn, .subject = SUBJECT_HEARTBEATS, .handler = on_beat, .arg = m },
	    err)) == NULL ||
	    (m->byes = sub_new(&(struct sub_opts){ .conn = m->o.conn, .subject = SUBJECT_UNREGISTER, .handler = on_bye, .arg = m },
	    err)) == NULL)
		return ERR_UNAVAILABLE;
	return ERR_OK;
}

void
beats_close(struct monitor *m)
{
	sub_free(m->beats);
	sub_free(m->byes);
	loop_discard(m->o.loop, beat_deliver);
	loop_discard(m->o.loop, bye_deliver);
	for (size_t i = 0; m->orphans != NULL && i < ORPHANS; i++)
		if (m->orphans->v[i] != NULL)
			beat_discard(&m->orphans->v[i]->mail);
	mem_free(m->orphans);
}
