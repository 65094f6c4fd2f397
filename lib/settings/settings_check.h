/* settings_check.h - the bucket of central settings as rows, for doctor and `registry init`. */
#ifndef SETTINGS_SETTINGS_CHECK_H
#define SETTINGS_SETTINGS_CHECK_H

#include "nats/checkup.h"
#include "nats/store.h"

extern const struct store settings_stores[];	/* ended by a row without a stream */
extern const struct check settings_checks[];	/* ended by a row without an id */

#endif
