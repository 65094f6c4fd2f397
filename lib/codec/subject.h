/* subject.h - every subject and every key of wire.md §2 and §8, built and taken apart.
 *
 * Builders write into the caller's buffer; names were checked before (model/names.h), so
 * a result that does not fit is a bug and asserts.  Parsers return slices of the subject. */
#ifndef CODEC_SUBJECT_H
#define CODEC_SUBJECT_H

#include <stdbool.h>

#include "model/value.h"

#define SUBJECT_MAX 512

struct subject { char s[SUBJECT_MAX]; };

struct subject subject_rpc(const char *service, const char *method);		/* rpc.{s}.{m} */
struct subject subject_rpc_all(const char *service);				/* rpc.{s}.* */
struct subject subject_direct(const char *service, const char *instance, const char *method);
struct subject subject_direct_all(const char *service, const char *instance);	/* rpc.{s}.{i}.* */
struct subject subject_rpc_group(const char *service);				/* queue group rpc.{s} */
struct subject subject_heartbeat(const char *service);		/* internal.heartbeat.{lower} */
#define SUBJECT_REGISTER "internal.registry.register"
#define SUBJECT_UNREGISTER "internal.registry.unregister"
#define SUBJECT_HEARTBEATS "internal.heartbeat.*"

struct subject subject_beats(const char *service);		/* aegis.hb.{s}.* (election.md §9) */

/* $SRV.{verb}, $SRV.{verb}.{name}, $SRV.{verb}.{name}.{id}; name and id may be NULL. */
struct subject subject_micro(const char *verb, const char *name, const char *id);

/* Events (wire.md §6).  The durable of a pattern is "{lower service}__{pattern}", in the pattern
 * '.' as '=', '*' as '+', '>' as "++"; instance, if not NULL, is appended after "==". */
struct subject subject_event(const char *domain, const char *type);		/* events.{d}.{t} */
struct subject subject_event_durable(const char *service, const char *pattern, const char *instance);
struct subject subject_event_group(const char *service);			/* the lower-cased service */

/* Commands (§7); id must be one subject token (subject_token_ok). */
struct subject subject_command(const char *service, const char *command);	/* commands.{s}.{c} */
struct subject subject_command_durable(const char *service, const char *command);	/* {s}__{c} */
struct subject subject_command_python(const char *service, const char *command);	/* {s}-{c} */
struct subject subject_progress(const char *id);		/* commands.progress.{id} */
struct subject subject_callback(const char *id);		/* commands.callback.{id} */
struct subject subject_cancel(const char *id);			/* commands.cancel.{id} */
#define SUBJECT_CANCELS "commands.cancel.*"

/* Elections (election.md §3, §9).  instance NULL: of every member of the service. */
struct subject subject_beat(const char *service, const char *instance);		/* aegis.hb.{s}.{i} */
struct subject subject_lease_watch(unsigned reg, const char *gid);		/* aegis.lease.{i}.{gid} */
struct subject subject_lease(unsigned reg, const char *gid);			/* $KV.AEGIS_L{i}.{gid} */
struct subject subject_control(const char *service, const char *instance, const char *verb);	/* aegis.ctl.{s}.{i}.{v} */

/* Configuration documents: aegis.config.{s}, where the bucket aegis_config tells each of its writes. */
struct subject subject_config(const char *service);
#define SUBJECT_CONFIGS "aegis.config.>"

/* subject_dead(subject): "dlq." in front, for messages nobody could handle. */
struct subject subject_dead(const char *subject);

/* subject_departed(service, instance): aegis.departed.{s}.{i}, of the stream of those that left. */
struct subject subject_departed(const char *service, const char *instance);

/* subject_token_ok(t): one token that may stand in a subject: not empty, at most 128 bytes,
 * no dot, blank, control character, '*' or '>'. */
bool subject_token_ok(struct text t);

/* subject_method(subject): the last token, which decides the method (§5.4). */
struct text subject_method(const char *subject);

/* Keys of the bucket service_registry. */
#define REGISTRY_BUCKET "service_registry"
#define CONTRACT_BUCKET "aegis_contract"
#define CONFIG_BUCKET "aegis_config"
struct subject key_instance(const char *service, const char *instance);

/* key_parse(key, service, instance): true for an instance key, also the legacy form with
 * single underscores (§8.2; service and instance are then split at the first '_' after the
 * prefix).  False for a definition's key. */
bool key_parse(const char *key, struct text *service, struct text *instance);

#endif
