/* raw_stream.h - bare nats.c with JetStream: the baselines of events and of key-value.  For
 * benchmarks only, on one plain connection, by the library's own shortest way. */
#ifndef NATS_RAW_STREAM_H
#define NATS_RAW_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct conn_opts;
struct raw_stream;

struct raw_stream_opts {
	const struct conn_opts *access;
	int64_t flusher_wait_us;
	/* What raw_publish_start tells: from the thread that delivers acknowledgements. */
	void (*done)(void *arg, unsigned slot, const struct err *err);
	void *arg;
};

struct raw_stream *raw_stream_new(const struct raw_stream_opts *o, struct err *err);
void raw_stream_free(struct raw_stream *r);	/* ends subscriptions and watches first; NULL is fine */

/* raw_publish(r, subject, data, n, err): js_PublishMsg with a Nats-Msg-Id of its own, as every publication
 * of ours has one.  Blocks.  raw_publish_start: js_PublishMsgAsync; done is called once. */
enum err_code raw_publish(struct raw_stream *r, const char *subject, const void *data, size_t n, struct err *err);
enum err_code raw_publish_start(struct raw_stream *r, const char *subject, const void *data, size_t n, unsigned slot,
    struct err *err);

/* raw_consume(r, stream, subject, durable, handler, arg, err): a durable pull consumer that the library
 * keeps pulling for (js_PullSubscribeAsync); handler gets the first `n` bytes at data, then the
 * message is acknowledged.  The durable is the caller's to remove. */
enum err_code raw_consume(struct raw_stream *r, const char *stream, const char *subject, const char *durable,
    void (*handler)(void *arg, const void *data, size_t n), void *arg, struct err *err);

/* One bucket, at most one watch.  told(arg, revision) hears every change, on a thread of its own. */
enum err_code raw_bucket(struct raw_stream *r, const char *bucket, struct err *err);
enum err_code raw_put(struct raw_stream *r, const char *key, const void *data, size_t n, uint64_t *revision,
    struct err *err);
enum err_code raw_get(struct raw_stream *r, const char *key, struct err *err);
enum err_code raw_watch(struct raw_stream *r, const char *key, void (*told)(void *arg, uint64_t revision), void *arg,
    struct err *err);

#endif
