/* audit_check.h - the stream of audit records as a row, for doctor and `registry init`. */
#ifndef AUDIT_AUDIT_CHECK_H
#define AUDIT_AUDIT_CHECK_H

#include "nats/checkup.h"
#include "nats/store.h"

extern const struct store audit_stores[];	/* ended by a row without a stream */
extern const struct check audit_checks[];	/* ended by a row without an id */

#endif
