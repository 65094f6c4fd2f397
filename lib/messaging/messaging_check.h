/* messaging_check.h - what can be wrong with events, commands and dead letters. */
#ifndef MESSAGING_MESSAGING_CHECK_H
#define MESSAGING_MESSAGING_CHECK_H

#include "nats/checkup.h"
#include "nats/store.h"

extern const struct store messaging_stores[];	/* ended by a row without a stream */
extern const struct check messaging_checks[];	/* ended by a row without an id */

/* event_durable_read(durable, service, pattern): "svc__events=order=+" is what "svc" gets of "events.order.*"; false
 * for what is no durable of ours, or one of a single instance. */
bool event_durable_read(const char *durable, char service[130], char pattern[256]);

#endif
