/* monitor_check.h - the stream of departed instances as a row, for doctor and `registry init`. */
#ifndef MONITOR_MONITOR_CHECK_H
#define MONITOR_MONITOR_CHECK_H

#include "nats/checkup.h"
#include "nats/store.h"

extern const struct store monitor_stores[];	/* ended by a row without a stream */
extern const struct check monitor_checks[];	/* ended by a row without an id */

#endif
