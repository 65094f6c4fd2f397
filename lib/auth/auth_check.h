/* auth_check.h - the bucket of credentials as a row, for doctor and `registry init`. */
#ifndef AUTH_AUTH_CHECK_H
#define AUTH_AUTH_CHECK_H

#include "nats/checkup.h"
#include "nats/store.h"

extern const struct store auth_stores[];	/* ended by a row without a stream */
extern const struct check auth_checks[];	/* ended by a row without an id */

#endif
