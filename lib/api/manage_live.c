/* manage_live.c - what is going on: figures, histories, departures, and the stream of changes
 * (conventions.md §3 "Event streams").
 *
 * A stream has a cursor in the live hub (monitor/hub.h) and no queue.  Each frame carries a position; a
 * frame that is not the last of what was read carries the one from before, so that a reader who loses the rest
 * gets it all again, which does no harm: everything here is a state. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/manage_inner.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"
#include "monitor/monitor.h"
#include "sys/clock.h"

#define READ 128			/* states in one go */
#define CHUNK (8 * 1024)		/* what is written at once, and what a stream keeps for it: there are hundreds */
#define QUIET_NS (15 * NS_PER_S)	/* a comment goes out after that, so that proxies keep the stream */
#define CHECK_NS (500 * NS_PER_MS)	/* how often a stream looks whether it is to end, and whether its credential is still good */
#define AHEAD_NS (2 * NS_PER_S)		/* how long a replica that is behind may take to catch up */
#define DEPARTED_PAGE 100
#define DEPARTED_MAX 1000

static const char *
bound(struct web_request *r)
{
	const char *service = manage_bound(r);

	return service != NULL ? service : "";
}

/* --- single questions --------------------------------------------------------------------- */

enum err_code
manage_figures(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	const struct monitor_body *body = NULL;
	enum err_code code;

	MAGIC_CHECK(m, MANAGE_MAGIC);
	if ((code = manage_up(m, err)) != ERR_OK || (code = monitor_metrics(m->monitor, bound(r), &body, err)) != ERR_OK)
		return manage_store(code, err);
	web_reply_etag(r, 200, "application/json", (struct text){ str_text(&body->text), body->text.len }, body->etag);
	monitor_body_drop(body);
	return ERR_OK;
}

static enum err_code
reply_about(struct manage *m, struct web_request *r,
    enum err_code (*ask)(struct monitor *m, const char *service, const char *instance, struct str *out, struct err *err),
    struct err *err)
{
	struct str out = STR_INIT;
	enum err_code code;

	MAGIC_CHECK(m, MANAGE_MAGIC);
	if ((code = ask(m->monitor, web_param(r, "service"), web_param(r, "instance"), &out, err)) == ERR_OK)
		manage_json(r, 200, &out, NULL);
	str_release(&out);
	return code == ERR_INSTANCE_UNKNOWN ? code : manage_store(code, err);
}

enum err_code
manage_series(void *arg, struct web_request *r, struct err *err)
{
	return reply_about(arg, r, monitor_series, err);
}

enum err_code
manage_instance_events(void *arg, struct web_request *r, struct err *err)
{
	return reply_about(arg, r, monitor_events, err);
}

enum err_code
manage_departed(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	struct str out = STR_INIT;
	uint64_t limit = DEPARTED_PAGE, before = 0, next;
	bool limited, given;
	char link[160];
	enum err_code code;

	MAGIC_CHECK(m, MANAGE_MAGIC);
	if (!manage_number(r, "limit", 1, DEPARTED_MAX, &limited, &limit) ||
	    !manage_number(r, "cursor", 1, INT64_MAX, &given, &before))
		return ERR_OK;
	if ((code = manage_up(m, err)) != ERR_OK ||
	    (code = monitor_departed(m->monitor, bound(r), limited ? (unsigned)limit : DEPARTED_PAGE, given ? before : 0, &next, &out,
	    err)) != ERR_OK)
		return manage_store(code, err);
	if (next > 0) {
		snprintf(link, sizeof link, "<%s/api/departed?limit=%" PRIu64 "&cursor=%" PRIu64 ">; rel=\"next\"", m->base_path,
		    limited ? limit : DEPARTED_PAGE, next);
		web_set_header(r, "Link", link);
	}
	manage_json(r, 200, &out, NULL);
	return ERR_OK;
}

/* manage_overview: answers also while NATS is away, and says so. */
enum err_code
manage_overview(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	struct str out = STR_INIT;
	enum err_code code;

	MAGIC_CHECK(m, MANAGE_MAGIC);
	if ((code = monitor_overview(m->monitor, bound(r), &out, err)) != ERR_OK)
		return manage_store(code, err);
	manage_json(r, 200, &out, NULL);
	return ERR_OK;
}

enum err_code
manage_micro(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	struct str out = STR_INIT;
	enum err_code code;

	MAGIC_CHECK(m, MANAGE_MAGIC);
	if ((code = manage_up(m, err)) != ERR_OK || (code = monitor_micro(m->monitor, &out, err)) != ERR_OK)
		return manage_store(code, err);
	manage_json(r, 200, &out, NULL);
	return ERR_OK;
}

/* --- frames ------------------------------------------------------------------------------- */

struct stream {
	struct manage *m;
	struct web_request *r;
	struct live *live;
	struct hub_cursor c;
	struct str out;
	char position[HUB_POSITION_MAX];	/* of what the reader has for certain */
	bool gone;				/* the reader is */
};

static void
flush(struct stream *s)
{
	if (s->out.len > 0 && !s->gone)
		s->gone = !web_stream_write(s->r, (struct text){ s->out.p, s->out.len });
	if (s->out.cap > 4 * CHUNK)
		str_release(&s->out);
	str_clear(&s->out);
}

static void
begin(struct stream *s, const char *event)
{
	str_printf(&s->out, "id: %s\nevent: %s\ndata: ", s->position, event);
}

static void
end(struct stream *s)
{
	str_puts(&s->out, "\n\n");
}

/* put_overview: the hub's is of everything; who sees one service gets that one's. */
static void
put_overview(struct stream *s, const struct hub_item *i)
{
	if (s->c.service[0] == '\0')
		str_add(&s->out, i->data, i->n);
	else if (monitor_overview(s->m->monitor, s->c.service, &s->out, NULL) != ERR_OK)
		str_puts(&s->out, "null");
}

static void
put_item(struct stream *s, const struct hub_item *i)
{
	begin(s, i->event);
	if (i->topic == HUB_OVERVIEW)
		put_overview(s, i);
	else
		str_add(&s->out, i->data, i->n);
	end(s);
}

/* put_figures: all of them as one event. */
static void
put_figures(struct stream *s, struct hub_item *const *v, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (v[i]->topic != HUB_METRICS)
			continue;
		if (!any)
			begin(s, "metrics");
		str_putc(&s->out, any ? ',' : '{');
		str_add(&s->out, v[i]->data, v[i]->n);
		any = true;
		if (s->out.len > CHUNK)
			flush(s);
	}
	if (any) {
		str_putc(&s->out, '}');
		end(s);
	}
}

/* put_all: what was read; the last frame carries the new position. */
static void
put_all(struct stream *s, struct hub_item *const *v, size_t n)
{
	size_t last = n;

	for (size_t i = 0; i < n; i++)
		if (v[i]->topic != HUB_METRICS)
			last = i;
	put_figures(s, v, n);
	for (size_t i = 0; i < n; i++) {
		if (v[i]->topic == HUB_METRICS)
			continue;
		if (i == last)
			live_position(s->live, &s->c, s->position);
		put_item(s, v[i]);
		if (s->out.len > CHUNK)
			flush(s);
	}
	if (last == n) {
		/* Figures alone: an event without data moves the reader's position and tells nothing. */
		live_position(s->live, &s->c, s->position);
		str_printf(&s->out, "id: %s\n\n", s->position);
	}
}

/* --- the snapshot ------------------------------------------------------------------------- */

static void
put_topic(struct stream *s, struct hub_item *const *v, size_t n, enum hub_topic topic, const char *before, const char *behind)
{
	bool any = false;

	str_puts(&s->out, before);
	for (size_t i = 0; i < n; i++) {
		if (v[i]->topic != topic)
			continue;
		if (any)
			str_putc(&s->out, ',');
		str_add(&s->out, v[i]->data, v[i]->n);
		any = true;
		if (s->out.len > CHUNK)
			flush(s);
	}
	str_puts(&s->out, behind);
}

static void
put_snapshot(struct stream *s, bool resync)
{
	struct hub_item **v;
	size_t n = live_all(s->live, &s->c, &v);
	const struct hub_item *overview = NULL;
	char when[WALL_TEXT_MAX];

	live_position(s->live, &s->c, s->position);
	if (resync) {
		str_puts(&s->out, "event: resync\ndata: {}\n\n");
		live_lagged(s->live, 0, true);
	}
	wall_rfc3339(clock_wall(clock_system()), when);
	begin(s, "snapshot");
	str_printf(&s->out, "{\"as_of\":\"%s\"", when);
	put_topic(s, v, n, HUB_INSTANCES, ",\"instances\":[", "]");
	put_topic(s, v, n, HUB_SERVICES, ",\"services\":[", "]");
	put_topic(s, v, n, HUB_GROUPS, ",\"groups\":[", "]");
	str_puts(&s->out, ",\"overview\":");
	for (size_t i = 0; i < n; i++)
		if (v[i]->topic == HUB_OVERVIEW)
			overview = v[i];
	if (overview != NULL)
		put_overview(s, overview);
	else
		str_puts(&s->out, "null");
	put_topic(s, v, n, HUB_METRICS, ",\"metrics\":{", "}}");
	end(s);
	for (size_t i = 0; i < n; i++)
		hub_item_unref(v[i]);
	mem_free(v);
	flush(s);
}

/* --- the stream --------------------------------------------------------------------------- */

static void
put_lagged(struct stream *s, uint64_t missed)
{
	live_lagged(s->live, missed, false);
	begin(s, "lagged");
	str_printf(&s->out, "{\"dropped\":%" PRIu64 "}", missed);
	end(s);
}

static void
follow(struct stream *s)
{
	struct hub_item *v[READ];
	struct mono now = clock_mono(clock_system()), said = now, checked = now;
	uint64_t missed;
	bool lost;

	while (!s->gone && !web_stopping(s->r)) {
		size_t n = live_read(s->live, &s->c, v, READ, mono_after(now, CHECK_NS), &missed, &lost);
		now = clock_mono(clock_system());
		if (missed > 0)
			put_lagged(s, missed);
		if (lost)
			put_snapshot(s, true);
		if (n > 0)
			put_all(s, v, n);
		for (size_t i = 0; i < n; i++)
			hub_item_unref(v[i]);
		if (n > 0 || missed > 0 || lost)
			said = now;
		if (mono_since(now, said) >= QUIET_NS) {
			str_puts(&s->out, ":\n\n");
			said = now;
		}
		flush(s);
		if (mono_since(now, checked) >= CHECK_NS) {
			checked = now;
			if (!manage_still(s->m, s->r))
				break;
		}
	}
}

enum err_code
manage_follow(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	struct stream s = { .m = m, .r = r, .live = monitor_live(m->monitor), .out = STR_INIT };
	const char *header = web_header(r, "Last-Event-ID");
	char topics[160] = "", position[HUB_POSITION_MAX] = "", service[132];
	bool given;

	MAGIC_CHECK(m, MANAGE_MAGIC);
	if (!manage_word(r, "topics", topics, sizeof topics, &given) ||
	    !manage_word(r, "last_event_id", position, sizeof position, &given))
		return ERR_OK;
	if (header != NULL)
		snprintf(position, sizeof position, "%s", header);
	if (!hub_topics(text_of(topics), &s.c.topics))
		return err_set(err, ERR_INVALID, "query: topics '%s': each is one of instances, services, groups, metrics, config, overview",
		    topics);
	/* The request's note may be written anew when the credential is looked at again. */
	snprintf(service, sizeof service, "%s", bound(r));
	s.c.service = service;
	web_stream_begin(r);
	str_puts(&s.out, "retry: 1000\n\n");
	flush(&s);
	if (!live_begin(s.live, position[0] != '\0' ? position : NULL, &s.c, AHEAD_NS))
		put_snapshot(&s, position[0] != '\0');
	else
		live_position(s.live, &s.c, s.position);
	follow(&s);
	str_release(&s.out);
	return ERR_OK;
}
