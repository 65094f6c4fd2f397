/* feed.c - a supervised watch, decoded on its thread. */
#include "registry/feed.h"

#include "base/log.h"
#include "base/mem.h"
#include "codec/record.h"
#include "codec/subject.h"
#include "nats/watch.h"

struct feed {
	struct watch *watch;
	struct codec *codec;		/* the watch's thread alone uses it */
	void (*handler)(void *, struct feed_event *);
	void *arg;
};

static void
pass(struct feed *f, struct feed_event ev)
{
	f->handler(f->arg, &ev);
}

static void
bad_record(struct feed *f, const struct kv_entry *e, const struct err *err)
{
	log_warning(EV_WATCH_BAD_RECORD, LOG_F(LOG_S("key", e->key), LOG_S("err", err->text)),
	    "record '%s' cannot be read and is left out", e->key);
	pass(f, (struct feed_event){ .what = FEED_GONE, .key = e->key, .revision = e->revision });
}

static void
on_instance(struct feed *f, const struct kv_entry *e)
{
	struct instance *i = mem_new(sizeof *i);
	struct err err;

	if (instance_decode(f->codec, e->value, e->n, i, &err) != ERR_OK) {
		instance_free(i);
		bad_record(f, e, &err);
		return;
	}
	pass(f, (struct feed_event){ .what = FEED_INSTANCE, .key = e->key, .instance = i, .revision = e->revision });
}

static void
on_definition(struct feed *f, const struct kv_entry *e)
{
	struct definition *d = mem_new(sizeof *d);
	struct err err;

	if (definition_decode(f->codec, e->value, e->n, d, &err) != ERR_OK) {
		definition_free(d);
		bad_record(f, e, &err);
		return;
	}
	pass(f, (struct feed_event){ .what = FEED_DEFINITION, .key = e->key, .definition = d, .revision = e->revision });
}

static void
on_watch(void *arg, const struct watch_event *ev)
{
	struct feed *f = arg;
	struct text service, id;

	switch (ev->what) {
	case WATCH_SYNC_BEGIN:
		pass(f, (struct feed_event){ .what = FEED_SYNC_BEGIN, .reason = ev->reason });
		break;
	case WATCH_SYNC_END:
		pass(f, (struct feed_event){ .what = FEED_SYNC_END });
		break;
	case WATCH_ABSENT:
		break;		/* lost was told; it may come */
	case WATCH_LOST:
		pass(f, (struct feed_event){ .what = FEED_LOST });
		break;
	case WATCH_ENTRY:
		if (ev->entry->gone)
			pass(f, (struct feed_event){ .what = FEED_GONE, .key = ev->entry->key,
			    .revision = ev->entry->revision });
		else if (key_parse(ev->entry->key, &service, &id))
			on_instance(f, ev->entry);
		else
			on_definition(f, ev->entry);
		break;
	}
}

struct feed *
feed_new(struct conn *conn, void (*handler)(void *arg, struct feed_event *ev), void *arg, struct err *err)
{
	struct feed *f = mem_new(sizeof *f);

	f->codec = codec_new();
	f->handler = handler;
	f->arg = arg;
	f->watch = watch_new(conn, REGISTRY_BUCKET, on_watch, f, err);
	if (f->watch != NULL)
		return f;
	codec_free(f->codec);
	mem_free(f);
	return NULL;
}

void
feed_free(struct feed *f)
{
	if (f == NULL)
		return;
	watch_free(f->watch);
	codec_free(f->codec);
	mem_free(f);
}
