/* central.c - the document meets the process: effective.h says what it changes, the owner carries it out. */
#include "app/central.h"

#include <stdatomic.h>
#include <string.h>

#include "app/workload_file.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "codec/subject.h"
#include "settings/effective.h"
#include "settings/follower.h"
#include "sys/loop.h"
#include "sys/snapshot.h"

#define CENTRAL_MAGIC 0xce47a001u
#define LINK_NS (400 * NS_PER_MS)	/* how long a start waits for NATS */
#define ANSWER_NS (1500 * NS_PER_MS)	/* and then for the document: a busy server may take its time */

struct central {
	unsigned magic;
	struct settings_rules rules;
	struct opts *base;
	char *service, *instance;
	struct conn *conn;
	struct effective *effective;
	struct workload_file *file;
	struct follower *follower;
	struct sub *sub;		/* of those who ask */
	struct snapshot_cell answers;	/* of struct answer */
	bool known;			/* a document, or that there is none, was told */
	_Atomic uint64_t revision;
	atomic_uint pending;
	atomic_bool refused;
	void (*applied)(void *arg, const void *running, bool own);
	void *arg;
};

/* What is answered: to others, and to the program itself. */
struct answer {
	struct snapshot snapshot;
	struct str others, own;
};

/* --- answering ---------------------------------------------------------------------------- */

static void
answer_free(struct snapshot *s)
{
	struct answer *a = CONTAINER_OF(s, struct answer, snapshot);

	str_release(&a->others);
	str_release(&a->own);
	mem_free(a);
}

/* publish: the state of now, for whoever asks on whatever thread. */
static void
publish(struct central *c)
{
	struct answer *a = mem_new(sizeof *a);
	struct str names = STR_INIT;

	snapshot_init(&a->snapshot, answer_free);
	effective_write(c->effective, c->service, c->instance, false, &a->others);
	effective_write(c->effective, c->service, c->instance, true, &a->own);
	snapshot_publish(&c->answers, &a->snapshot);
	atomic_store(&c->revision, effective_applied(c->effective));
	atomic_store(&c->pending, (unsigned)effective_pending(c->effective, &names));
	atomic_store(&c->refused, effective_refused(c->effective) != NULL);
	str_release(&names);
}

static void
on_ask(void *arg, struct msg *m)
{
	struct central *c = arg;
	struct snapshot *now = snapshot_take(&c->answers);

	MAGIC_CHECK(c, CENTRAL_MAGIC);
	if (msg_reply(m) != NULL && now != NULL) {
		const struct answer *a = CONTAINER_OF(now, struct answer, snapshot);
		conn_publish(c->conn, &(struct conn_msg){ .subject = msg_reply(m), .data = str_text(&a->others), .n = a->others.len,
		    .urgent = true }, NULL);
	}
	snapshot_drop(now);
	msg_free(m);
}

void
central_tell(struct central *c, struct str *out)
{
	struct snapshot *now = snapshot_take(&c->answers);
	const struct answer *a = CONTAINER_OF(now, struct answer, snapshot);

	str_add(out, str_text(&a->own), a->own.len);
	snapshot_drop(now);
}

struct central_figures
central_figures(const struct central *c)
{
	return (struct central_figures){ atomic_load(&c->revision), atomic_load(&c->pending), atomic_load(&c->refused) };
}

/* --- what a document changes -------------------------------------------------------------- */

static void
write_file(struct central *c)
{
	struct err err;

	if (c->file != NULL && workload_file_write(c->file, effective_workload(c->effective), &err) != ERR_OK)
		log_warning(EV_CONFIG_NOTE, LOG_F(LOG_S("err", err.text)), "the program's own settings could not be handed to it");
}

static void
tell_refused(const struct central *c)
{
	log_warning(EV_CONFIG_REFUSED, LOG_F(LOG_N("revision", effective_revision(c->effective))),
	    "the central settings of '%s' are refused, and the running ones go on: %s", c->service, effective_refused(c->effective));
}

static void
tell_taken(const struct central *c, size_t changed, const struct str *names)
{
	struct str waiting = STR_INIT;
	size_t pending = effective_pending(c->effective, &waiting);

	log_info(EV_CONFIG_CHANGED, LOG_F(LOG_N("revision", effective_revision(c->effective)), LOG_S("applied", str_text(names)),
	    LOG_S("pending", str_text(&waiting))), "the central settings of '%s' are at revision %llu; applied: %s%s%s%s", c->service,
	    (unsigned long long)effective_revision(c->effective), changed > 0 ? str_text(names) : "nothing",
	    effective_workload_changed(c->effective) ? ", and the program's own" : "", pending > 0 ? "; waiting for a restart: " : "",
	    str_text(&waiting));
	str_release(&waiting);
}

static void
on_told(void *arg, const struct follower_news *n)
{
	struct central *c = arg;
	struct str names = STR_INIT;
	uint64_t before = effective_revision(c->effective);
	bool first = !c->known;

	MAGIC_CHECK(c, CENTRAL_MAGIC);
	c->known = true;
	enum err_code code = effective_take(c->effective, n->text, n->n, n->revision, NULL);
	size_t changed = effective_changed(c->effective, &names);
	bool own = effective_workload_changed(c->effective);
	publish(c);
	/* What the start has seen already is no news. */
	bool news = !first || before != n->revision || changed > 0 || own;
	if (code != ERR_OK && news)
		tell_refused(c);
	else if (code == ERR_OK && news)
		tell_taken(c, changed, &names);
	if (own)
		write_file(c);
	if (changed > 0 || own)
		c->applied(c->arg, effective_running(c->effective), own);
	str_release(&names);
}

/* --- the start ---------------------------------------------------------------------------- */

/* into_base: what effective_start took, so it is taken. */
static void
into_base(struct central *c, const char *text, size_t n, uint64_t revision)
{
	struct codec *codec = codec_new();
	struct settings_content content;
	struct value root;
	char *source = mem_printf("settings, revision %llu", (unsigned long long)revision);

	MUST(settings_read(codec, text, n, &root, &content, NULL) == ERR_OK);
	MUST(settings_apply(&c->rules, c->base, content.settings, source, NULL, NULL) == ERR_OK);
	mem_free(source);
	codec_free(codec);
}

static void
start(struct central *c)
{
	struct err err = { ERR_OK, "" };
	uint64_t revision = 0;
	char *text;
	size_t n;

	if (follower_read(c->conn, c->service, LINK_NS, ANSWER_NS, &text, &n, &revision, &err) != ERR_OK) {
		log_info(EV_CONFIG_UNREAD, LOG_F(LOG_S("err", err.text)),
		    "starting without the central settings; they follow as soon as they can be read");
		return;
	}
	if (effective_start(c->effective, text, n, revision, &err) != ERR_OK)
		tell_refused(c);
	else if (text != NULL)
		into_base(c, text, n, revision);
	if (text != NULL && effective_refused(c->effective) == NULL)
		log_info(EV_CONFIG_CHANGED, LOG_F(LOG_N("revision", revision)), "starting with the central settings of '%s', revision %llu",
		    c->service, (unsigned long long)revision);
	mem_free(text);
}

struct central *
central_new(const struct central_opts *o, struct err *err)
{
	struct conn_opts conn = *o->conn;
	struct central *c = mem_new(sizeof *c);
	struct err why;

	conn.wait = true;		/* the program does not wait for the bus */
	c->magic = CENTRAL_MAGIC;
	c->rules = *o->rules;
	c->base = o->base;
	c->service = mem_text(o->service);
	c->instance = mem_text(o->instance);
	snapshot_cell_init(&c->answers);
	c->effective = effective_new(o->rules, o->base);
	if ((c->conn = conn_new(&conn, err)) == NULL) {
		central_free(c);
		return NULL;
	}
	if ((c->file = workload_file_new(o->directory, &why)) == NULL)
		log_warning(EV_CONFIG_NOTE, LOG_F(LOG_S("err", why.text)), "the program gets no AEGIS_CONFIG_FILE");
	start(c);
	write_file(c);
	publish(c);
	return c;
}

struct conn *
central_conn(struct central *c)
{
	return c->conn;
}

const char *
central_file(const struct central *c)
{
	return c->file != NULL ? workload_file_path(c->file) : NULL;
}

enum err_code
central_follow(struct central *c, struct loop *loop, struct pool *pool, void (*applied)(void *arg, const void *running, bool own),
    void *arg, struct err *err)
{
	c->applied = applied;
	c->arg = arg;
	c->sub = sub_new(&(struct sub_opts){
		.conn = c->conn, .subject = subject_control(c->service, c->instance, "settings").s, .handler = on_ask, .arg = c,
	}, err);
	if (c->sub == NULL)
		return ERR_UNAVAILABLE;
	c->follower = follower_new(&(struct follower_opts){
		.conn = c->conn, .loop = loop, .pool = pool, .service = c->service, .told = on_told, .arg = c,
	}, err);
	return c->follower != NULL ? ERR_OK : ERR_UNAVAILABLE;
}

void
central_close(struct central *c)
{
	if (c == NULL)
		return;
	MAGIC_CHECK(c, CENTRAL_MAGIC);
	follower_close(c->follower);
	sub_free(c->sub);
	c->sub = NULL;
}

void
central_free(struct central *c)
{
	if (c == NULL)
		return;
	central_close(c);
	follower_free(c->follower);
	conn_free(c->conn);
	workload_file_free(c->file);
	snapshot_publish(&c->answers, NULL);
	effective_free(c->effective);
	mem_free(c->service);
	mem_free(c->instance);
	MAGIC_WIPE(c);
	mem_free(c);
}
