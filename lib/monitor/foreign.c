/* foreign.c - whoever answers NATS micro's $SRV.STATS, ours or not.
 *
 * One question each ten seconds; answers come when they come, and who was silent for three questions is gone.
 * Anybody may answer anything, so services, endpoints and names are bounded, and what is beyond is
 * counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "codec/prom.h"
#include "codec/subject.h"
#include "monitor/monitor_inner.h"
#include "nats/conn.h"

#define SERVICES_MAX 1024
#define ENDPOINTS_MAX 64
#define ANSWER_MAX (64 * 1024)
#define NAME_BYTES 128
#define ASK_EVERY_NS (10 * NS_PER_S)
#define ROUNDS 3

struct endpoint {
	char *name, *subject;
	double requests, errors, seconds, average_ms;
};

struct answer {
	struct mail mail;
	struct foreign *owner;
	char *key, *name, *id, *version;
	uint64_t round;			/* of the question that it answered last */
	size_t n, left_out;
	struct endpoint v[ENDPOINTS_MAX];
};

struct foreign {
	struct monitor *m;
	struct sub *sub;
	char inbox[CONN_INBOX_MAX];
	struct map answers;		/* by name, a blank, id */
	uint64_t round, refused;
	struct mono again;
};

static void
answer_free(struct answer *a)
{
	for (size_t i = 0; i < a->n; i++) {
		mem_free(a->v[i].name);
		mem_free(a->v[i].subject);
	}
	mem_free(a->key);
	mem_free(a->name);
	mem_free(a->id);
	mem_free(a->version);
	mem_free(a);
}

static void
answer_discard(struct mail *mail)
{
	answer_free(CONTAINER_OF(mail, struct answer, mail));
}

/* shrink: most have a handful of endpoints. */
static struct answer *
shrink(struct answer *a)
{
	return mem_resize(a, 1, offsetof(struct answer, v) + (a->n > 0 ? a->n : 1) * sizeof a->v[0]);
}

static void
answer_deliver(struct mail *mail)
{
	struct answer *a = CONTAINER_OF(mail, struct answer, mail), *old;
	struct foreign *f = a->owner;

	if (map_get(&f->answers, a->key) == NULL && f->answers.n >= SERVICES_MAX) {
		f->refused++;
		answer_free(a);
		return;
	}
	a = shrink(a);
	a->round = f->round;
	if ((old = map_set(&f->answers, a->key, a)) != NULL)
		answer_free(old);
}

/* --- reading answers ---------------------------------------------------------------------- */

static char *
take(const struct value *map, const char *key)
{
	struct text t = { "", 0 };

	value_text(value_field(map, key), &t);
	return mem_text_n(t.p, t.n < NAME_BYTES && memchr(t.p, '\0', t.n) == NULL ? t.n : 0);
}

static double
number(const struct value *map, const char *key)
{
	double v = 0;

	return value_real(value_field(map, key), &v) && v > 0 ? v : 0;
}

/* same_name: two endpoints of one name are one to who counts by names. */
static struct endpoint *
same_name(struct answer *a, const char *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i].name, name) == 0)
			return &a->v[i];
	return NULL;
}

static void
add_endpoint(struct answer *a, struct endpoint e)
{
	struct endpoint *same = same_name(a, e.name);

	if (same == NULL) {
		a->v[a->n++] = e;
		return;
	}
	same->requests += e.requests;
	same->errors += e.errors;
	same->seconds += e.seconds;
	mem_free(e.name);
	mem_free(e.subject);
}

static void
read_endpoints(const struct value *list, struct answer *a)
{
	for (uint32_t i = 0; list != NULL && list->type == VALUE_ARRAY && i < list->n; i++) {
		const struct value *e = &list->u.items[i];
		if (a->n == ENDPOINTS_MAX) {
			a->left_out++;
			continue;
		}
		add_endpoint(a, (struct endpoint){
			.name = take(e, "name"), .subject = take(e, "subject"), .requests = number(e, "num_requests"),
			.errors = number(e, "num_errors"), .seconds = number(e, "processing_time") / 1e9,
			.average_ms = number(e, "average_processing_time") / 1e6,
		});
	}
}

static void
on_answer(void *arg, struct msg *msg)
{
	struct foreign *f = arg;
	struct value v;
	struct answer *a;

	if (!msg_is_no_responders(msg) && msg_size(msg) > 0 && msg_size(msg) <= ANSWER_MAX &&
	    codec_parse(codec_mine(), (struct data){ DATA_JSON, msg_data(msg), msg_size(msg) }, &v, NULL) == ERR_OK &&
	    v.type == VALUE_MAP) {
		a = mem_new(sizeof *a);
		a->mail = (struct mail){ .deliver = answer_deliver, .discard = answer_discard };
		a->owner = f;
		a->name = take(&v, "name");
		a->id = take(&v, "id");
		a->version = take(&v, "version");
		a->key = mem_printf("%s %s", a->name, a->id);
		read_endpoints(value_field(&v, "endpoints"), a);
		if (a->name[0] == '\0' || a->id[0] == '\0' || loop_post(f->m->o.loop, &a->mail) != ERR_OK)
			answer_free(a);
	}
	msg_free(msg);
}

/* --- asking ------------------------------------------------------------------------------- */

static void
sweep(struct foreign *f)
{
	const struct map_slot *slot;

	for (size_t i = 0; (slot = map_next(&f->answers, &i)) != NULL;) {
		struct answer *a = slot->value;
		if (a->round + ROUNDS > f->round)
			continue;
		map_remove(&f->answers, a->key);
		answer_free(a);
	}
}

void
foreign_tick(struct foreign *f, struct mono now)
{
	if (!mono_reached(now, f->again))
		return;
	f->again = mono_after(now, ASK_EVERY_NS);
	/* While nobody can be asked, nobody is silent. */
	if (conn_state(f->m->o.conn) != CONN_UP)
		return;
	f->round++;
	sweep(f);
	conn_publish(f->m->o.conn, &(struct conn_msg){ .subject = subject_micro("STATS", NULL, NULL).s, .reply = f->inbox }, NULL);
}

/* --- telling ------------------------------------------------------------------------------ */

static int
by_key(const void *a, const void *b)
{
	return strcmp((*(struct answer *const *)a)->key, (*(struct answer *const *)b)->key);
}

static struct answer **
sorted(const struct foreign *f, size_t *n)
{
	struct answer **v = mem_array(f->answers.n > 0 ? f->answers.n : 1, sizeof *v);
	const struct map_slot *slot;

	*n = 0;
	for (size_t i = 0; (slot = map_next(&f->answers, &i)) != NULL;)
		v[(*n)++] = slot->value;
	if (*n > 1)
		qsort(v, *n, sizeof *v, by_key);
	return v;
}

static void
member(struct str *out, const char *before, const char *name, const char *value)
{
	str_printf(out, "%s\"%s\":", before, name);
	json_text(out, value);
}

void
foreign_json(const struct foreign *f, struct str *out)
{
	size_t n;
	struct answer **v = sorted(f, &n);

	str_putc(out, '[');
	for (size_t i = 0; i < n; i++) {
		member(out, i > 0 ? ",{" : "{", "name", v[i]->name);
		member(out, ",", "id", v[i]->id);
		member(out, ",", "version", v[i]->version);
		str_puts(out, ",\"endpoints\":[");
		for (size_t k = 0; k < v[i]->n; k++) {
			const struct endpoint *e = &v[i]->v[k];
			member(out, k > 0 ? ",{" : "{", "name", e->name);
			member(out, ",", "subject", e->subject);
			str_printf(out, ",\"requests\":%.0f,\"errors\":%.0f,\"average_ms\":", e->requests, e->errors);
			json_real(out, e->average_ms);
			str_putc(out, '}');
		}
		str_puts(out, "]}");
	}
	str_putc(out, ']');
	mem_free(v);
}

static double
requests_of(const struct endpoint *e)
{
	return e->requests;
}

static double
errors_of(const struct endpoint *e)
{
	return e->errors;
}

static double
seconds_of(const struct endpoint *e)
{
	return e->seconds;
}

void
foreign_prom(const struct foreign *f, struct str *out)
{
	enum { REQUESTS, ERRORS, PROCESSING, REFUSED };
	static const struct prom_family families[] = {
		[REQUESTS] = { "nats_micro_requests_total", "counter",
		    "requests that an endpoint of a NATS micro service says it had" },
		[ERRORS] = { "nats_micro_errors_total", "counter", "of these, those that it says failed" },
		[PROCESSING] = { "nats_micro_processing_seconds_total", "counter", "how long it says all of them took" },
		[REFUSED] = { "aegis_micro_services_refused_total", "counter",
		    "answers of services beyond the 1,024 that are remembered" },
	};
	static double (*const value[])(const struct endpoint *e) = {
		[REQUESTS] = requests_of, [ERRORS] = errors_of, [PROCESSING] = seconds_of,
	};
	const struct prom p = { out, families };
	size_t n;
	struct answer **v = sorted(f, &n);

	for (unsigned k = REQUESTS; k <= PROCESSING; k++) {
		prom_family(&p, k);
		for (size_t i = 0; i < n; i++)
			for (size_t e = 0; e < v[i]->n; e++)
				prom_sample(&p, k, PROM_LABELS({ "service", v[i]->name }, { "id", v[i]->id },
				    { "version", v[i]->version }, { "endpoint", v[i]->v[e].name }), value[k](&v[i]->v[e]));
	}
	prom_one(&p, REFUSED, NULL, (double)f->refused);
	mem_free(v);
}

/* --- its life ----------------------------------------------------------------------------- */

struct foreign *
foreign_new(struct monitor *m, struct err *err)
{
	struct foreign *f = mem_new(sizeof *f);

	f->m = m;
	map_init(&f->answers);
	conn_inbox(m->o.conn, f->inbox);
	f->sub = sub_new(&(struct sub_opts){ .conn = m->o.conn, .subject = f->inbox, .handler = on_answer, .arg = f }, err);
	if (f->sub == NULL) {
		foreign_free(f);
		return NULL;
	}
	return f;
}

void
foreign_free(struct foreign *f)
{
	const struct map_slot *slot;

	if (f == NULL)
		return;
	sub_free(f->sub);
	loop_discard(f->m->o.loop, answer_deliver);
	for (size_t i = 0; (slot = map_next(&f->answers, &i)) != NULL;)
		answer_free(slot->value);
	map_release(&f->answers);
	mem_free(f);
}
