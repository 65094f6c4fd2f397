/* envelope.h - the messages of wire.md §3 as plain structs.
 *
 * Slices point into the bytes they were decoded from or into the decoder's arena; nothing
 * is owned.  Absent and null are the same for optional fields. */
#ifndef MODEL_ENVELOPE_H
#define MODEL_ENVELOPE_H

#include "model/value.h"

enum envelope_kind { ENVELOPE_REQUEST, ENVELOPE_RESPONSE, ENVELOPE_EVENT, ENVELOPE_COMMAND, ENVELOPE_KINDS };
enum priority { PRIORITY_LOW, PRIORITY_NORMAL, PRIORITY_HIGH, PRIORITY_CRITICAL };

struct envelope {
	enum envelope_kind kind;

	/* every kind */
	struct text message_id, trace_id;
	struct text correlation_id;		/* may be absent, as source and target */
	struct text timestamp;			/* verbatim */
	struct text source, target;

	/* request: method, payload = params, timeout
	 * response: success, payload = result, error
	 * event: domain, type, payload, version
	 * command: command, payload, priority, max_retries, timeout */
	struct text method, domain, type, command, version, error;
	struct value payload;
	double timeout_s;
	int64_t max_retries;
	enum priority priority;
	bool success;

	unsigned unknown_keys;			/* how many were ignored while reading */
};

/* envelope_init(e, kind): the defaults of §3; ids and timestamp absent, payload an empty
 * map (a response: null, success true). */
void envelope_init(struct envelope *e, enum envelope_kind kind);

const char *priority_name(enum priority p);		/* "normal" */
bool priority_parse(struct text t, enum priority *out);

#endif
