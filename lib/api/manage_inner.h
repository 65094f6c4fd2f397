/* manage_inner.h - inside lib/api: handlers of the management API, and what they share. */
#ifndef API_MANAGE_INNER_H
#define API_MANAGE_INNER_H

#include "api/manage.h"
#include "http/server.h"

web_handler manage_livez, manage_readyz, manage_startupz;
web_handler manage_page, manage_asset;

/* manage_policy(arg, r): the headers that every answer has (web_server_opts): what the page may load and
 * who may frame it (conventions.md §3). */
void manage_policy(void *arg, struct web_request *r);

#endif
