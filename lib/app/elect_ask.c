/* elect_ask.c - who leads, by its fast beats; and the control message to it. */
#include "app/elect_ask.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/instant.h"
#include "base/str.h"
#include "codec/beat.h"
#include "codec/subject.h"
#include "election/lease.h"

#define HEAR_NS (BEAT_SILENT_NS + 250 * NS_PER_MS)

/* The first leader that is heard is kept; `heard` hands it over to who waits. */
struct hearing {
	const char *group;
	atomic_bool taken;
	struct elect_holder holder;
	sem_t heard;
};

static bool
leads(const char *state)
{
	static const enum lease_state leading[] = { LEASE_ACTIVE, LEASE_SUSPECT, LEASE_DRAINING };

	for (size_t i = 0; i < sizeof leading / sizeof leading[0]; i++)
		if (strcmp(state, lease_state_name(leading[i])) == 0)
			return true;
	return false;
}

static void
on_beat(void *arg, struct msg *m)
{
	struct hearing *h = arg;
	const char *instance = strrchr(msg_subject(m), '.');
	struct beat b;

	if (instance != NULL && beat_decode(msg_data(m), msg_size(m), &b, NULL) == ERR_OK &&
	    strcmp(b.group, h->group) == 0 && leads(b.state) && !atomic_exchange(&h->taken, true)) {
		h->holder.epoch = b.epoch;
		snprintf(h->holder.instance, sizeof h->holder.instance, "%s", instance + 1);
		sem_post(&h->heard);
	}
	msg_free(m);
}

static bool
wait_for(sem_t *heard)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	int64_t ns = end.tv_nsec + HEAR_NS;
	end.tv_sec += ns / NS_PER_S;
	end.tv_nsec = ns % NS_PER_S;
	while (sem_clockwait(heard, CLOCK_MONOTONIC, &end) != 0)
		if (errno != EINTR)
			return false;
	return true;
}

enum err_code
elect_find(struct conn *conn, const char *service, const char *group, struct elect_holder *out, struct err *err)
{
	struct hearing h = { .group = group };
	struct subject beats = subject_beat(service, NULL);

	sem_init(&h.heard, 0, 0);
	struct sub *sub = sub_new(&(struct sub_opts){ .conn = conn, .subject = beats.s, .handler = on_beat, .arg = &h }, err);
	bool found = sub != NULL && wait_for(&h.heard);
	sub_free(sub);
	sem_destroy(&h.heard);
	if (sub == NULL)
		return ERR_UNAVAILABLE;
	if (!found)
		return err_set(err, ERR_NOT_ACTIVE, "nobody leads group '%s' of %s, as far as can be heard", group, service);
	*out = h.holder;
	return ERR_OK;
}

enum err_code
elect_step_down(struct conn *conn, const char *service, const char *group, const char *to, struct elect_holder *was,
    struct err *err)
{
	struct stepdown ask = { 0 };
	struct str body = STR_INIT;
	struct msg *reply = NULL;
	enum err_code code = elect_find(conn, service, group, was, err);

	if (code != ERR_OK)
		return code;
	snprintf(ask.group, sizeof ask.group, "%s", group);
	snprintf(ask.to, sizeof ask.to, "%s", to != NULL ? to : "");
	stepdown_encode(&ask, &body);
	struct subject subject = subject_control(service, was->instance, "stepdown");
	code = conn_request(conn, &(struct conn_msg){ .subject = subject.s, .data = body.p, .n = body.len, .urgent = true },
	    conn_timeout_ns(conn), &reply, err);
	if (code == ERR_OK)
		code = stepdown_answer_decode(msg_data(reply), msg_size(reply), err);
	if (code != ERR_OK)
		err_prefix(err, "%s", was->instance);
	msg_free(reply);
	str_release(&body);
	return code;
}
