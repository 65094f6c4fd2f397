/* store.c - one table of traits: how a stream may differ from its row, in which words, and how an update mends it. */
#include "nats/store.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "nats/checkup.h"
#include "nats/conn_inner.h"
#include "nats/nats_c.h"

#define MAX_CONSUMERS 100000
#define REMEDY_INIT "aegis registry init"
#define REMEDY_UPGRADE "aegis registry init --upgrade"

/* What a stream is judged by. */
struct judged {
	const struct store *s;
	jsStreamConfig *cfg;
	int64_t consumers;
	int replicas;			/* that it should have */
	bool ttl;			/* the server can expire single messages */
	jsRePublish *told;		/* for who mends: lives as long as cfg is used */
};

struct trait {
	/* differs: true, and `now` and `should` as text of one value each. */
	bool (*differs)(const struct judged *j, char now[64], char should[64]);
	void (*mend)(const struct judged *j);	/* NULL: no update can */
	const char *name;		/* as the server calls it */
	enum finding_severity severity;
	const char *follows;		/* what comes of it */
};

static bool
tell(bool differs, char now[64], char should[64], const char *is, const char *ought)
{
	snprintf(now, 64, "%s", is);
	snprintf(should, 64, "%s", ought);
	return differs;
}

static bool
tell_number(int64_t is, int64_t ought, char now[64], char should[64])
{
	snprintf(now, 64, "%lld", (long long)is);
	snprintf(should, 64, "%lld", (long long)ought);
	return is != ought;
}

static bool
tell_age(int64_t is, int64_t ought, char now[64], char should[64])
{
	snprintf(now, 64, "%lld s", (long long)(is / NS_PER_S));
	snprintf(should, 64, "%lld s", (long long)(ought / NS_PER_S));
	return is != ought;
}

static bool
other_subjects(const struct judged *j, char now[64], char should[64])
{
	bool one = j->cfg->SubjectsLen == 1 && strcmp(j->cfg->Subjects[0], j->s->subjects) == 0;

	return tell(!one, now, should, j->cfg->SubjectsLen > 0 ? j->cfg->Subjects[0] : "none", j->s->subjects);
}

static bool
other_retention(const struct judged *j, char now[64], char should[64])
{
	jsRetentionPolicy want = j->s->workqueue ? js_WorkQueuePolicy : js_LimitsPolicy;
	static const char *const names[] = { [js_LimitsPolicy] = "limits", [js_InterestPolicy] = "interest",
		[js_WorkQueuePolicy] = "workqueue" };

	return tell(j->cfg->Retention != want, now, should, names[j->cfg->Retention], names[want]);
}

static bool
in_memory(const struct judged *j, char now[64], char should[64])
{
	return tell(j->cfg->Storage != js_FileStorage, now, should, "memory", "file");
}

static bool
other_history(const struct judged *j, char now[64], char should[64])
{
	return tell_number(j->cfg->MaxMsgsPerSubject, j->s->history, now, should);
}

static bool
other_age(const struct judged *j, char now[64], char should[64])
{
	return tell_age(j->cfg->MaxAge, j->s->max_age_ns, now, should) && j->s->max_age_ns != STORE_ANY;
}

static bool
no_ttl(const struct judged *j, char now[64], char should[64])
{
	return tell(j->s->ttl && j->ttl && !j->cfg->AllowMsgTTL, now, should, "off", "on");
}

static bool
has_markers(const struct judged *j, char now[64], char should[64])
{
	return tell_age(j->s->markers ? 0 : j->cfg->SubjectDeleteMarkerTTL, 0, now, should);
}

static bool
other_direct(const struct judged *j, char now[64], char should[64])
{
	bool want = j->s->direct == STORE_ON;

	return tell(j->cfg->AllowDirect != want, now, should, j->cfg->AllowDirect ? "on" : "off", want ? "on" : "off") &&
	    j->s->direct != STORE_WHATEVER;
}

static bool
few_replicas(const struct judged *j, char now[64], char should[64])
{
	return tell_number(j->cfg->Replicas, j->replicas, now, should) && j->cfg->Replicas < j->replicas;
}

static bool
few_consumers(const struct judged *j, char now[64], char should[64])
{
	bool near = j->cfg->MaxConsumers > 0 ? j->consumers * 100 >= j->cfg->MaxConsumers * STORE_FULL_PERCENT
	    : j->consumers > STORE_CONSUMERS_WARN;

	snprintf(should, 64, "%d", MAX_CONSUMERS);
	if (j->cfg->MaxConsumers > 0)
		snprintf(now, 64, "%lld with %lld in use", (long long)j->cfg->MaxConsumers, (long long)j->consumers);
	else
		snprintf(now, 64, "the server's 1000 with %lld in use", (long long)j->consumers);
	return near && j->cfg->MaxConsumers != MAX_CONSUMERS;
}

static bool
untold(const struct judged *j, char now[64], char should[64])
{
	const char *is = j->cfg->RePublish != NULL ? j->cfg->RePublish->Destination : "off";

	return j->s->republish != NULL && tell(strcmp(is, j->s->republish) != 0, now, should, is, j->s->republish);
}

static void mend_history(const struct judged *j) { j->cfg->MaxMsgsPerSubject = j->s->history; }
static void mend_age(const struct judged *j) { j->cfg->MaxAge = j->s->max_age_ns; }
static void mend_ttl(const struct judged *j) { j->cfg->AllowMsgTTL = true; }
static void mend_markers(const struct judged *j) { j->cfg->SubjectDeleteMarkerTTL = 0; }
static void mend_direct(const struct judged *j) { j->cfg->AllowDirect = j->s->direct == STORE_ON; }
static void mend_replicas(const struct judged *j) { j->cfg->Replicas = j->replicas; }
static void mend_consumers(const struct judged *j) { j->cfg->MaxConsumers = MAX_CONSUMERS; }

static void
mend_untold(const struct judged *j)
{
	*j->told = (jsRePublish){ .Source = j->s->subjects, .Destination = j->s->republish };
	j->cfg->RePublish = j->told;
}

static const struct trait traits[] = {
	{ other_subjects, NULL, "subjects", FINDING_CRITICAL, "messages go elsewhere or foreign ones come in" },
	{ other_retention, NULL, "retention", FINDING_CRITICAL, "messages are removed too early or never" },
	{ in_memory, NULL, "storage", FINDING_WARNING, "a restart of the server loses what is in it" },
	{ other_history, mend_history, "max_msgs_per_subject", FINDING_WARNING, "another number of old values is kept" },
	{ other_age, mend_age, "max_age", FINDING_WARNING, "what is stored disappears by its age, definitions included, or stays for ever" },
	{ no_ttl, mend_ttl, "allow_msg_ttl", FINDING_WARNING, "records of dead instances never leave it" },
	{ has_markers, mend_markers, "subject_delete_marker_ttl", FINDING_WARNING, "its markers break watchers and lengthen every TTL" },
	{ other_direct, mend_direct, "allow_direct", FINDING_WARNING, "reads are refused, or may be stale" },
	{ few_replicas, mend_replicas, "num_replicas", FINDING_WARNING, "it is not available while its only node is away" },
	{ few_consumers, mend_consumers, "max_consumers", FINDING_WARNING, "watches and subscriptions are soon refused" },
	{ untold, mend_untold, "republish", FINDING_WARNING, "its readers notice a change within five minutes only" },
};

/* --- looking ------------------------------------------------------------------------------ */

static enum err_code
look(struct conn *c, const struct store *s, jsStreamInfo **si, struct err *err)
{
	jsErrCode js = 0;

	if (conn_state(c) != CONN_UP)
		return err_set(err, ERR_UNAVAILABLE, "nats: not connected to %s", conn_servers(c));
	natsStatus st = js_GetStreamInfo(si, conn_js(c), s->stream, NULL, &js);
	return st == NATS_OK ? ERR_OK : conn_explain(c, conn_fail(st, js, err, "stream '%s'", s->stream), err);
}

static void
check_traits(struct checkup *c, const struct judged *j)
{
	char now[64], should[64], remedy[256];

	for (size_t i = 0; i < COUNT_OF(traits); i++) {
		if (!traits[i].differs(j, now, should))
			continue;
		if (traits[i].mend != NULL)
			snprintf(remedy, sizeof remedy, REMEDY_UPGRADE);
		else
			snprintf(remedy, sizeof remedy, "save what is in it, then: nats stream rm %s -f && " REMEDY_INIT, j->s->stream);
		findings_add(c->out, traits[i].severity, ERR_STORE, remedy, "stream %s (%s): %s is %s instead of %s: %s", j->s->stream,
		    j->s->purpose, traits[i].name, now, should, traits[i].follows);
	}
}

static void
check_room(struct checkup *c, const struct store *s, const jsStreamInfo *si)
{
	/* A log drops its oldest by design; a queue that is full loses work. */
	if (s->workqueue && si->Config->MaxMsgs > 0 &&
	    si->State.Msgs * 100 >= (uint64_t)si->Config->MaxMsgs * STORE_FULL_PERCENT)
		findings_add(c->out, FINDING_WARNING, ERR_BUSY, "aegis command ls",
		    "stream %s (%s) holds %llu of %lld messages: senders are refused at 90 %%; start more workers", s->stream, s->purpose,
		    (unsigned long long)si->State.Msgs, (long long)si->Config->MaxMsgs);
	if (si->Config->MaxBytes > 0 && si->State.Bytes * 100 >= (uint64_t)si->Config->MaxBytes * STORE_FULL_PERCENT)
		findings_add(c->out, FINDING_WARNING, ERR_BUSY, NULL, "stream %s (%s) holds %llu of %lld bytes", s->stream, s->purpose,
		    (unsigned long long)si->State.Bytes, (long long)si->Config->MaxBytes);
}

enum err_code
store_look(struct conn *c, const struct store *s, bool *there, struct err *err)
{
	jsStreamInfo *si = NULL;
	struct err why;
	enum err_code code = look(c, s, &si, &why);

	*there = code == ERR_OK;
	jsStreamInfo_Destroy(si);
	if (code == ERR_OK || code == ERR_NOT_FOUND)
		return ERR_OK;
	if (err != NULL)
		*err = why;
	return code;
}

void
store_check(struct checkup *c, const struct store *s)
{
	jsStreamInfo *si = NULL;
	struct err err;
	char subject[200];

	snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.%s", s->stream);
	if (!checkup_may(c, subject))
		return;
	enum err_code code = look(c->conn, s, &si, &err);
	if (code == ERR_NOT_FOUND)
		findings_add(c->out, s->missing, ERR_NOT_FOUND, s->make != NULL ? REMEDY_INIT : NULL, "there is no stream %s (%s): %s",
		    s->stream, s->purpose, s->without);
	else if (code != ERR_OK)
		checkup_failed(c, &err);
	if (code != ERR_OK)
		return;
	struct judged j = { s, si->Config, si->State.Consumers, checkup_replicas(c), c->jetstream.ttl, NULL };
	check_traits(c, &j);
	check_room(c, s, si);
	jsStreamInfo_Destroy(si);
}

/* --- mending ------------------------------------------------------------------------------ */

static void
note(char out[400], const char *name, const char *now, const char *between, const char *should)
{
	size_t n = strlen(out);

	snprintf(out + n, 400 - n, "%s%s %s%s%s", n > 0 ? ", " : "", name, now, between, should);
}

/* plan: changes the configuration in j, and says how. */
static void
plan(const struct judged *j, struct store_change *out)
{
	char now[64], should[64];

	for (size_t i = 0; i < COUNT_OF(traits); i++) {
		if (!traits[i].differs(j, now, should))
			continue;
		if (traits[i].mend == NULL) {
			note(out->left, traits[i].name, now, " instead of ", should);
			continue;
		}
		note(out->mended, traits[i].name, now, " -> ", should);
		traits[i].mend(j);
	}
}

enum err_code
store_mend(struct conn *c, const struct store *s, int replicas, bool upgrade, bool dry_run, struct store_change *out,
    struct err *err)
{
	struct jetstream_info js;
	jsStreamInfo *si = NULL, *after = NULL;
	jsErrCode number = 0;
	struct err missing;
	enum err_code code = look(c, s, &si, &missing);

	memset(out, 0, sizeof *out);
	if (code == ERR_NOT_FOUND) {
		out->made = s->make != NULL;
		out->absent = !out->made;
		return out->made && !dry_run ? s->make(c, err) : ERR_OK;
	}
	if (code != ERR_OK) {
		if (err != NULL)
			*err = missing;
		return code;
	}
	if ((code = jetstream_probe(c, &js, err)) != ERR_OK)
		goto err0;
	jsRePublish told, *own = si->Config->RePublish;
	struct judged j = { s, si->Config, si->State.Consumers, replicas, js.ttl, &told };
	plan(&j, out);
	if (upgrade && !dry_run && out->mended[0] != '\0') {
		natsStatus st = js_UpdateStream(&after, conn_js(c), si->Config, NULL, &number);
		if (st != NATS_OK)
			code = conn_explain(c, conn_fail(st, number, err, "stream '%s': %s", s->stream, out->mended), err);
	}
	si->Config->RePublish = own;
	jsStreamInfo_Destroy(after);
err0:
	jsStreamInfo_Destroy(si);
	return code;
}
