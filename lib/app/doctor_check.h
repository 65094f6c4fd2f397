/* doctor_check.h - the rows that no domain can have by itself. */
#ifndef APP_DOCTOR_CHECK_H
#define APP_DOCTOR_CHECK_H

#include "nats/checkup.h"

extern const struct check joint_checks[];	/* ended by a row without an id */

#endif
