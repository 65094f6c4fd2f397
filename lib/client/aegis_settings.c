/* aegis_settings.c - the central settings of its service in a C program: those that the library itself goes by count
 * at once, where the program did not say otherwise, and who asks is told what is in force
 * (aegis.ctl.{service}.{instance}.settings, wire.md §2), in the form of the wrapper's answer.
 *
 * One row is one setting; what a document says beyond the rows is not the library's, and is told as refused. */
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"
#include "client/client.h"
#include "codec/subject.h"
#include "discovery/discovery.h"
#include "member/member.h"
#include "settings/follower.h"
#include "settings/rules.h"
#include "sys/snapshot.h"

/* key, default, least, most; a time that the central document may set. */
#define TIMES(X) \
	X(HEARTBEAT, "heartbeat_interval", 10 * NS_PER_S, 500 * NS_PER_MS, 300 * NS_PER_S) \
	X(TTL, "registry_ttl", 30 * NS_PER_S, 1 * NS_PER_S, 3600 * NS_PER_S) \
	X(RPC, "rpc_timeout", 5 * NS_PER_S, 1 * NS_PER_MS, 3600 * NS_PER_S)
#define X(id, key, usual, min, max) TIME_##id,
enum which { TIMES(X) TIME_COUNT };
#undef X
#define X(id, key, usual, min, max) { key, usual, min, max },
static const struct { const char *key; int64_t usual, min, max; } times[] = { TIMES(X) };
#undef X

struct client_settings {
	struct client_settings *past;	/* of an earlier registration; waits for the pool to be gone */
	struct aegis *a;
	char *service, *instance;
	int64_t own[TIME_COUNT];	/* what the program said; 0: nothing */
	int64_t central[TIME_COUNT];	/* what the document says; 0: nothing */
	uint64_t revision, applied;	/* of the newest document, and of the newest good one; 0: none */
	char refused[512];	/* "": all of it counts */
	struct sub *sub;
	struct follower *follower;
	struct snapshot_cell answers;	/* of struct answer */
};

struct answer {
	struct snapshot snapshot;
	struct str text;
};

static int64_t
in_force(const struct client_settings *s, enum which i)
{
	return s->own[i] > 0 ? s->own[i] : s->central[i] > 0 ? s->central[i] : times[i].usual;
}

/* --- answering ---------------------------------------------------------------------------- */

/* How a value came to be; NULL: nobody said anything. */
struct from {
	const char *origin, *source;
	bool live;
};

static void
put(struct pack *p, const char *key, const char *value, struct from from)
{
	pack_map(p, 7);
	pack_key_puts(p, "key", key);
	pack_key_puts(p, "value", value);
	pack_key_puts(p, "origin", from.origin);
	pack_key_puts(p, "source", from.source);
	pack_key_bool(p, "pending", false);
	pack_key_bool(p, "live", from.live);
	pack_key_bool(p, "secret", false);
}

static struct from
said(bool by_program)
{
	return by_program ? (struct from){ "flag", "the program", false } : (struct from){ "default", NULL, false };
}

static void
put_fixed(struct pack *p, const char *key, int64_t ns, int64_t usual)
{
	char text[NUM_TEXT_MAX];

	num_duration_text(ns > 0 ? ns : usual, text);
	put(p, key, text, said(ns > 0 && ns != usual));
}

static void
put_time(struct pack *p, const struct client_settings *s, enum which i, const char *source)
{
	char text[NUM_TEXT_MAX];
	struct from from = said(s->own[i] > 0);

	if (s->own[i] == 0 && s->central[i] > 0)
		from = (struct from){ "central", source, false };
	from.live = true;
	num_duration_text(in_force(s, i), text);
	put(p, times[i].key, text, from);
}

static void
write_text(const struct client_settings *s, struct str *out)
{
	static const char *const validations[] = { "off", "warn", "enforce" };
	const struct aegis *a = s->a;
	char *source = mem_printf("settings, revision %llu", (unsigned long long)s->applied);
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 7);
	pack_key_puts(&p, "service", s->service);
	pack_key_puts(&p, "instance", s->instance);
	pack_key_nonzero(&p, "revision", s->revision);
	pack_key_nonzero(&p, "applied_revision", s->applied);
	pack_key_some(&p, "refused", s->refused);
	pack_key_array(&p, "pending", 0);
	pack_key_array(&p, "settings", TIME_COUNT + 3);
	for (enum which i = 0; i < TIME_COUNT; i++)
		put_time(&p, s, i, source);
	put_fixed(&p, "stale_threshold", discovery_stale_ns(a->discovery), 35 * NS_PER_S);
	put_fixed(&p, "timeout", a->timeout_ns, 5 * NS_PER_S);
	put(&p, "validate", validations[a->validation], said(a->validation != AEGIS_VALIDATE_OFF));
	MUST(pack_end(&p, NULL) == ERR_OK);	/* names that were checked, and numbers */
	mem_free(source);
}

static void
answer_free(struct snapshot *snapshot)
{
	struct answer *now = CONTAINER_OF(snapshot, struct answer, snapshot);

	str_release(&now->text);
	mem_free(now);
}

static void
publish(struct client_settings *s)
{
	struct answer *now = mem_new(sizeof *now);

	snapshot_init(&now->snapshot, answer_free);
	write_text(s, &now->text);
	snapshot_publish(&s->answers, &now->snapshot);
}

static void
on_ask(void *arg, struct msg *m)
{
	struct client_settings *s = arg;
	struct snapshot *snapshot = snapshot_take(&s->answers);
	const struct answer *now = CONTAINER_OF(snapshot, struct answer, snapshot);

	if (msg_reply(m) != NULL)
		conn_publish(s->a->conn, &(struct conn_msg){ .subject = msg_reply(m), .data = str_text(&now->text), .n = now->text.len,
		    .urgent = true }, NULL);
	snapshot_drop(snapshot);
	msg_free(m);
}

/* --- the document ------------------------------------------------------------------------- */

/* read_time: ERR_INVALID with what is wrong. */
static enum err_code
read_time(enum which i, const struct value *v, int64_t *ns, struct err *err)
{
	char word[NUM_TEXT_MAX];
	struct text t;

	if (!value_text(v, &t) || t.n >= sizeof word)
		return err_set(err, ERR_INVALID, "%s: a duration such as 250ms, 2s or 1m30s is needed", times[i].key);
	snprintf(word, sizeof word, "%.*s", (int)t.n, t.p);
	if (!num_duration(word, ns) || *ns < times[i].min || *ns > times[i].max)
		return err_set(err, ERR_INVALID, "%s: '%s' is no duration, or out of bounds", times[i].key, word);
	return ERR_OK;
}

/* read_settings: the times that the map sets; the names of what is not the library's into others. */
static enum err_code
read_settings(const struct value *map, int64_t central[TIME_COUNT], struct str *others, struct err *err)
{
	enum err_code code = ERR_OK;

	for (uint32_t k = 0; k < map->n && code == ERR_OK; k++) {
		const struct value_pair *pair = &map->u.pairs[k];
		enum which i = 0;
		while (i < TIME_COUNT && !text_is(pair->key, times[i].key))
			i++;
		if (i < TIME_COUNT)
			code = read_time(i, &pair->value, &central[i], err);
		else
			str_printf(others, "%s%.*s", others->len > 0 ? ", " : "", (int)pair->key.n, pair->key.p);
	}
	return code;
}

/* take: what the document says, if all that concerns the library may stand together. */
static enum err_code
take(struct client_settings *s, const struct follower_news *n, struct str *others, struct err *err)
{
	struct client_settings then = { .a = s->a };
	struct codec *codec = codec_new();
	struct settings_content content;
	struct value root;
	enum err_code code = ERR_OK;

	if (n->text != NULL && (code = settings_read(codec, n->text, n->n, &root, &content, err)) == ERR_OK)
		code = read_settings(content.settings, then.central, others, err);
	codec_free(codec);
	memcpy(then.own, s->own, sizeof then.own);
	int64_t beat = in_force(&then, TIME_HEARTBEAT);
	if (code == ERR_OK && then.central[TIME_HEARTBEAT] + then.central[TIME_TTL] > 0 &&
	    (beat >= in_force(&then, TIME_TTL) || beat >= discovery_stale_ns(s->a->discovery)))
		code = err_set(err, ERR_INVALID, "heartbeat_interval must be shorter than registry_ttl and stale_threshold");
	if (code == ERR_OK)
		memcpy(s->central, then.central, sizeof s->central);
	return code;
}

static void
apply(struct client_settings *s)
{
	if (s->a->member != NULL)
		member_times(s->a->member, in_force(s, TIME_HEARTBEAT), in_force(s, TIME_TTL) / NS_PER_S);
	atomic_store(&s->a->call_timeout_ns, in_force(s, TIME_RPC));
}

static void
on_told(void *arg, const struct follower_news *n)
{
	struct client_settings *s = arg;
	struct str others = STR_INIT;
	struct err err = { ERR_OK, "" };

	s->revision = n->text != NULL ? n->revision : 0;
	s->refused[0] = '\0';
	if (take(s, n, &others, &err) == ERR_OK) {
		s->applied = s->revision;
		apply(s);
		if (others.len > 0)
			snprintf(s->refused, sizeof s->refused, "a C program has no %.200s; the others count", str_text(&others));
	} else {
		snprintf(s->refused, sizeof s->refused, "%s", err.text);
		log_warning(EV_CONFIG_REFUSED, LOG_F(LOG_N("revision", n->revision)),
		    "the central settings of '%s' are refused, and the running ones go on: %s", s->service, err.text);
	}
	str_release(&others);
	publish(s);
}

/* --- its life ----------------------------------------------------------------------------- */

enum err_code
client_settings_start(struct aegis *a, const aegis_identity *who, struct err *err)
{
	struct client_settings *s = mem_new(sizeof *s);

	client_settings_close(a);
	s->past = a->settings;
	a->settings = s;
	s->a = a;
	s->service = mem_text(who->service);
	s->instance = mem_text(a->instance);
	s->own[TIME_HEARTBEAT] = who->heartbeat_ms * NS_PER_MS;
	s->own[TIME_TTL] = who->ttl_s * NS_PER_S;
	s->own[TIME_RPC] = a->timeout_ns != times[TIME_RPC].usual ? a->timeout_ns : 0;
	snapshot_cell_init(&s->answers);
	publish(s);
	s->sub = sub_new(&(struct sub_opts){
		.conn = a->conn, .subject = subject_control(s->service, s->instance, "settings").s, .handler = on_ask, .arg = s,
	}, err);
	if (s->sub == NULL)
		return ERR_UNAVAILABLE;
	s->follower = follower_new(&(struct follower_opts){
		.conn = a->conn, .loop = a->loop, .pool = a->pool, .service = s->service, .told = on_told, .arg = s,
	}, err);
	return s->follower != NULL ? ERR_OK : ERR_UNAVAILABLE;
}

void
client_settings_close(struct aegis *a)
{
	struct client_settings *s = a->settings;

	if (s == NULL)
		return;
	follower_close(s->follower);
	sub_free(s->sub);
	s->sub = NULL;
}

void
client_settings_free(struct aegis *a)
{
	for (struct client_settings *s = a->settings, *past; s != NULL; s = past) {
		past = s->past;
		follower_free(s->follower);
		snapshot_publish(&s->answers, NULL);
		mem_free(s->service);
		mem_free(s->instance);
		mem_free(s);
	}
	a->settings = NULL;
}
