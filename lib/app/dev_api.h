/* dev_api.h - the management API and its page as part of `aegis dev`: where it listens, and the way in. */
#ifndef APP_DEV_API_H
#define APP_DEV_API_H

#include <stdint.h>

#include "base/err.h"

struct conn;

#define DEV_URL_MAX 64

/* dev_api_url(port, out, err): "http://127.0.0.1:PORT"; port 0: one that is free now.  ERR_EXISTS with the remedy when
 * somebody else has it. */
enum err_code dev_api_url(uint16_t port, char out[DEV_URL_MAX], struct err *err);

/* dev_api_link(c, url, link, err): a link that logs one browser in, once, as admin, within AUTH_CODE_NS; *link is the
 * caller's.  Blocks. */
enum err_code dev_api_link(struct conn *c, const char *url, char **link, struct err *err);

#endif
