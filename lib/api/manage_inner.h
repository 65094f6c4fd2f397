/* manage_inner.h - inside lib/api: handlers of the management API, and what they share. */
#ifndef API_MANAGE_INNER_H
#define API_MANAGE_INNER_H

#include "api/manage.h"
#include "http/server.h"

web_handler manage_livez, manage_readyz, manage_startupz;

#endif
