/* client.h - inside lib/client: what the files behind aegis.h share. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "client/aegis.h"
#include "codec/codec.h"
#include "nats/conn.h"
#include "sys/loop_thread.h"
#include "sys/pool.h"

struct caller;
struct candidate;
struct client_settings;
struct discovery;
struct events;
struct guard;
struct member;
struct publisher;
struct event_out;
struct rpc_call;
struct sender;
struct turns;
struct traffic;
struct worker;

struct worked {
	struct aegis *a;
	char *command;
	aegis_job_handler *fn;
	void *arg;
	aegis_work_options o;
	struct worker *worker;		/* the loop's; while registered */
};

struct subscribed {
	struct aegis *a;
	char *pattern;
	aegis_event_handler *fn;
	void *arg;
	aegis_subscribe_options o;
};

struct served {
	char *method;
	aegis_handler *fn;
	void *arg;
	bool inline_;
	bool exclusive;
	struct turns *turns;		/* NULL: as many at once as there are workers */
};

struct aegis {
	unsigned magic;
	struct loop *loop;
	struct loop_thread thread;
	struct conn *conn;
	struct conn_opts access;	/* what that was made with; for connections of an election */
	struct discovery *discovery;
	enum aegis_validation validation;
	_Atomic(struct guard *) guard;	/* of the service that was registered last; NULL: none */
	struct guard **guards;		/* all that there were: who publishes may still be in one */
	size_t nguards;
	struct traffic *traffic;	/* told in heartbeats */
	struct caller *caller;
	struct publisher *publisher;
	struct sender *sender;
	struct events *events;		/* while registered, with subscriptions */
	atomic_bool has_stream;		/* EVENTS was seen, or is being made */
	struct pool_job make_stream;
	struct pool *pool;		/* store operations of the member */
	struct pool *handlers;
	int64_t timeout_ns;
	_Atomic int64_t call_timeout_ns;	/* of a call that does not say; the central settings may */
	enum data_format format;

	struct served *served;		/* fixed from aegis_register on */
	size_t nserved;
	struct worked **worked;		/* likewise */
	size_t nworked;
	struct subscribed **subscribed;	/* likewise */
	size_t nsubscribed;

	struct client_settings *settings;	/* of the last registration; the loop's */
	struct aegis_election *election;	/* likewise; NULL: takes part in none */

	char *service, *instance;	/* aegis_register's thread writes them, while enrolling */

	pthread_mutex_t lock;		/* leaf: all below */
	pthread_cond_t changed;
	struct member *member;		/* made and freed on the loop */
	bool enrolling;			/* a thread is in aegis_register */
	bool registered, twin, left;
	char twin_text[400];
};

#define AEGIS_MAGIC 0xae615001u

/* client_on_call: a request arrived; on the delivering thread. */
void client_on_call(void *arg, struct rpc_call *call);

/* client_execute: by the handler, whoever may lead. */
void client_execute(void *arg, struct rpc_call *call);

/* The part in an election, if a has one: begin (the loop's, before the member; ERR_INVALID for an
 * exclusive method without one), whose record tells of it, that the record stands, whether its
 * handlers are well, step down for good; wait for that (any other thread); no call comes any more; end
 * (the loop's), and be forgotten. */
enum err_code client_elect_start(struct aegis *a, const char *service, struct err *err);
void client_elect_member(struct aegis *a, struct member *m);
void client_elect_registered(struct aegis *a);
void client_elect_fit(struct aegis *a, bool on);
void client_elect_leave(struct aegis *a);
bool client_elect_left(struct aegis *a, int64_t timeout_ns);
void client_elect_close(struct aegis *a);
void client_elect_stop(struct aegis *a);
void client_election_free(struct aegis *a);
const char *client_elect_group(const struct aegis *a);		/* NULL: none */
const char *const *client_elect_exclusive(const struct aegis *a);	/* as of member_opts */

/* client_elect_call(a, call): on the delivering thread; false: no election, and the call is untouched. */
bool client_elect_call(struct aegis *a, struct rpc_call *call);

/* client_elect_publish(a, e, waits, mine, err): *mine when what this member publishes goes through a fence: then it was
 * published, or could not be; waits false: refused. */
enum err_code client_elect_publish(struct aegis *a, const struct event_out *e, bool waits, bool *mine, struct err *err);

/* client_tell(a, what): sets *what, under the lock, for client_await.
 * client_await(a, one, other, timeout_ns): until one of the two is told, or the time is over; true when it is
 * the other. */
void client_tell(struct aegis *a, bool *what);
bool client_await(struct aegis *a, const bool *one, const bool *other, int64_t timeout_ns);

/* client_refuse_waiting(a): the requests that wait for their turn are refused, and none waits again;
 * before the workers go. */
void client_refuse_waiting(struct aegis *a);

/* The workers of all commands: begin (the loop's thread; all or none), take nothing new (the
 * same), wait for what runs (any other thread), end (the loop's, before its pools). */
enum err_code client_workers_start(struct aegis *a, const char *service, struct err *err);
void client_workers_leave(struct aegis *a);
void client_workers_drain(struct aegis *a, int64_t timeout_ns);
void client_workers_free(struct aegis *a);
void client_worked_free(struct aegis *a);

/* The subscriptions: begin, once the record stands; the rest as the workers. */
void client_events_start(struct aegis *a);
void client_events_leave(struct aegis *a, bool for_good);
void client_events_drain(struct aegis *a, int64_t timeout_ns);
void client_events_free(struct aegis *a);
void client_subscribed_free(struct aegis *a);

/* What the member runs with, the central settings of its service included, told to who asks: begin (the loop's thread,
 * after the member; a failure leaves something to close), end (the same, or when the loop does not run; once is
 * enough), be forgotten (the pool is gone). */
enum err_code client_settings_start(struct aegis *a, const aegis_identity *who, struct err *err);
void client_settings_close(struct aegis *a);
void client_settings_free(struct aegis *a);

/* client_result(json, id): what a command brought; json is valid. */
aegis_result *client_result(const char *json, const char *id);

/* client_out_encode(o, format, out, err): the map that o builds, appended to out. */
enum err_code client_out_encode(aegis_out *o, enum data_format format, struct str *out, struct err *err);

/* client_out_value(o, out, err): the map that o builds; it lies in o and dies with it.
 * ERR_INVALID when it goes too deep. */
enum err_code client_out_value(aegis_out *o, struct value *out, struct err *err);

/* Texts handed out as C strings: kept until the object that they came from goes. */
struct kept {
	char **v;
	size_t n, cap;
};
const char *kept_text(struct kept *k, struct text t);
void kept_release(struct kept *k);

/* client_err(e): aegis_error and struct err are the same to the last byte. */
static inline struct err *
client_err(aegis_error *e)
{
	return (struct err *)(void *)e;
}

#endif
