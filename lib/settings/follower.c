/* follower.c - messages and reads meet on the loop, which alone knows the revision. */
#include "settings/follower.h"

#include <stdatomic.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/subject.h"
#include "nats/conn.h"
#include "nats/kv.h"
#include "sys/loop.h"
#include "sys/pool.h"
#include "sys/thread.h"

#define FOLLOWER_MAGIC 0x5e771001u
#define RETRY_NS (2 * NS_PER_S)		/* after a read that failed; doubling up to FOLLOWER_AGAIN_NS */
#define LOOK_NS (5 * NS_PER_MS)		/* how often a start looks whether the connection is up */

struct follower {
	unsigned magic;
	struct follower_opts o;
	char *service;
	struct kv kv;
	struct sub *sub;
	bool closed;
	bool known;			/* revision is what is known; else nothing was read yet */
	uint64_t revision;
	char *text;			/* of it; NULL: no document */
	size_t n;
	bool again;			/* there was a reason to read while a read was under way */
	bool reading;
	int64_t retry_ns;		/* 0: the last read succeeded */
	struct loop_timer timer;
	struct mail look;		/* a reason to read, from another thread */
	atomic_bool posted;		/* that mail is on its way */

	struct pool_job job;
	struct kv_entry entry;
	enum err_code code;
	struct err err;
};

/* A message on its way to the loop. */
struct letter {
	struct mail mail;
	struct follower *to;
	struct msg *msg;
};

static void read_again(struct follower *f);

/* --- reading ------------------------------------------------------------------------------ */

static void
on_timer(void *arg)
{
	read_again(arg);
}

static void
plan(struct follower *f, int64_t ns)
{
	int64_t spread = (int64_t)(id_random() % (uint64_t)(ns / 5));

	loop_timer_set(f->o.loop, &f->timer, mono_after(loop_now(f->o.loop), ns - ns / 10 + spread), on_timer, f);
}

/* is_known: by its text, too, since a bucket that was made anew gives old numbers again. */
static bool
is_known(const struct follower *f, const char *text, size_t n, uint64_t revision)
{
	if (!f->known || f->revision != revision || (text == NULL) != (f->text == NULL))
		return false;
	return text == NULL || (n == f->n && memcmp(text, f->text, n) == 0);
}

static void
tell(struct follower *f, const char *text, size_t n, uint64_t revision)
{
	if (is_known(f, text, n, revision))
		return;
	f->known = true;
	f->revision = revision;
	mem_free(f->text);
	f->text = text != NULL ? mem_text_n(text, n) : NULL;
	f->n = n;
	f->o.told(f->o.arg, &(struct follower_news){ text, n, revision });
}

static void
work(struct pool_job *job)
{
	struct follower *f = CONTAINER_OF(job, struct follower, job);

	f->code = kv_get(&f->kv, f->service, &f->entry, &f->err);
}

/* failed: last-known settings go on; one warning for each outage, and none for what a connection tells anyway. */
static void
failed(struct follower *f)
{
	if (f->retry_ns == 0 && f->code != ERR_UNAVAILABLE)
		log_warning(EV_CONFIG_UNREAD, LOG_F(LOG_S("err", f->err.text)),
		    "the central settings cannot be read; what is known goes on, and it is tried again");
	f->retry_ns = f->retry_ns == 0 ? RETRY_NS : f->retry_ns * 2;
	if (f->retry_ns > FOLLOWER_AGAIN_NS)
		f->retry_ns = FOLLOWER_AGAIN_NS;
	plan(f, f->retry_ns);
}

static void
done(struct pool_job *job)
{
	struct follower *f = CONTAINER_OF(job, struct follower, job);
	struct kv_entry e = f->entry;

	MAGIC_CHECK(f, FOLLOWER_MAGIC);
	f->reading = false;
	f->entry = (struct kv_entry){ .revision = 0 };
	if (!f->closed) {
		if (f->code == ERR_OK || f->code == ERR_NOT_FOUND) {
			f->retry_ns = 0;
			plan(f, FOLLOWER_AGAIN_NS);
			tell(f, f->code == ERR_OK ? e.value : NULL, e.n, e.revision);
		} else {
			failed(f);
		}
		if (f->again)
			read_again(f);
	}
	kv_entry_release(&e);
}

static void
read_again(struct follower *f)
{
	f->again = f->reading;
	if (f->reading || f->closed)
		return;
	f->reading = true;
	f->job = (struct pool_job){ .work = work, .done = done };
	if (pool_run(f->o.pool, &f->job) == ERR_OK)
		return;
	f->reading = false;
	f->code = err_set(&f->err, ERR_BUSY, "too many store operations wait");
	failed(f);
}

/* --- messages ----------------------------------------------------------------------------- */

static uint64_t
number(const struct msg *m, const char *header)
{
	const char *text = msg_header(m, header);
	uint64_t n = UINT64_MAX;

	return text != NULL && num_uint(text, &n) ? n : UINT64_MAX;
}

static bool
is_marker(const struct msg *m)
{
	const char *operation = msg_header(m, "KV-Operation");

	return msg_header(m, "Nats-Marker-Reason") != NULL ||
	    (operation != NULL && (strcmp(operation, "DEL") == 0 || strcmp(operation, "PURGE") == 0));
}

/* hear: a document is told whole, so only the newest counts; but whether this is the newest shows the revision
 * before it.  A bucket that was made anew counts from the beginning, and is found by that as well. */
static void
hear(struct follower *f, const struct msg *m)
{
	uint64_t revision = number(m, "Nats-Sequence"), before = number(m, "Nats-Last-Sequence");

	if (!f->known || f->reading || revision == UINT64_MAX || before != f->revision) {
		read_again(f);
		return;
	}
	bool gone = is_marker(m);
	tell(f, gone ? NULL : msg_size(m) > 0 ? msg_data(m) : "", msg_size(m), revision);
}

static void
letter_free(struct letter *l)
{
	msg_free(l->msg);
	mem_free(l);
}

static void
deliver_letter(struct mail *mail)
{
	struct letter *l = CONTAINER_OF(mail, struct letter, mail);

	MAGIC_CHECK(l->to, FOLLOWER_MAGIC);
	if (!l->to->closed)
		hear(l->to, l->msg);
	letter_free(l);
}

static void
discard_letter(struct mail *mail)
{
	letter_free(CONTAINER_OF(mail, struct letter, mail));
}

static void
deliver_look(struct mail *mail)
{
	struct follower *f = CONTAINER_OF(mail, struct follower, look);

	MAGIC_CHECK(f, FOLLOWER_MAGIC);
	atomic_store(&f->posted, false);
	read_again(f);
}

static void
look_again(struct follower *f)
{
	if (!atomic_exchange(&f->posted, true))
		loop_post(f->o.loop, &f->look);
}

static void
on_message(void *arg, struct msg *m)
{
	struct follower *f = arg;
	struct letter *l = mem_new(sizeof *l);

	l->mail = (struct mail){ .deliver = deliver_letter, .discard = discard_letter };
	l->to = f;
	l->msg = m;
	if (loop_post(f->o.loop, &l->mail) == ERR_OK)
		return;
	letter_free(l);
	look_again(f);			/* the box is full: the news is read later instead */
}

static void
on_conn(void *arg, enum conn_event ev)
{
	if (ev != CONN_EVENT_DOWN)
		look_again(arg);
}

/* --- its life ----------------------------------------------------------------------------- */

struct follower *
follower_new(const struct follower_opts *o, struct err *err)
{
	struct follower *f = mem_new(sizeof *f);

	f->magic = FOLLOWER_MAGIC;
	f->o = *o;
	f->service = mem_text(o->service);
	f->kv = (struct kv){ o->conn, CONFIG_BUCKET };
	f->look = (struct mail){ .deliver = deliver_look, .vital = true };
	f->sub = sub_new(&(struct sub_opts){
		.conn = o->conn, .subject = subject_config(o->service).s, .handler = on_message, .arg = f,
	}, err);
	if (f->sub == NULL) {
		mem_free(f->service);
		mem_free(f);
		return NULL;
	}
	conn_listen(o->conn, on_conn, f);
	if (conn_state(o->conn) == CONN_UP)
		read_again(f);
	else
		plan(f, FOLLOWER_AGAIN_NS);	/* the connection tells when it is up */
	return f;
}

void
follower_close(struct follower *f)
{
	if (f == NULL || f->closed)
		return;
	MAGIC_CHECK(f, FOLLOWER_MAGIC);
	f->closed = true;
	conn_unlisten(f->o.conn, on_conn, f);
	sub_free(f->sub);
	loop_timer_cancel(f->o.loop, &f->timer);
}

void
follower_free(struct follower *f)
{
	if (f == NULL)
		return;
	follower_close(f);
	MUST(!f->reading);		/* the pool was freed before */
	loop_take(f->o.loop, &f->look);
	loop_discard(f->o.loop, deliver_letter);
	mem_free(f->text);
	mem_free(f->service);
	MAGIC_WIPE(f);
	mem_free(f);
}

enum err_code
follower_read(struct conn *conn, const char *service, int64_t link_ns, int64_t answer_ns, char **text, size_t *n,
    uint64_t *revision, struct err *err)
{
	struct mono end = mono_after(clock_mono(clock_system()), link_ns);
	struct kv kv = { conn, CONFIG_BUCKET };
	struct kv_entry e = { .revision = 0 };

	*text = NULL;
	*n = 0;
	while (conn_state(conn) != CONN_UP && !mono_reached(clock_mono(clock_system()), end))
		thread_pause(LOOK_NS);
	enum err_code code = kv_get_within(&kv, service, answer_ns, &e, err);
	*revision = e.revision;
	if (code == ERR_NOT_FOUND)
		return ERR_OK;
	if (code != ERR_OK)
		return code;
	*text = mem_text_n(e.value, e.n);
	*n = e.n;
	kv_entry_release(&e);
	return ERR_OK;
}
