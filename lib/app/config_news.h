/* config_news.h - inside lib/app: changes of central settings, as pages hear of them: {"service","revision"}. */
#ifndef APP_CONFIG_NEWS_H
#define APP_CONFIG_NEWS_H

#include "base/err.h"

struct config_news;
struct conn;
struct live;

/* config_news_new(conn, live, err): from now on, into live, which outlives it, as conn does. */
struct config_news *config_news_new(struct conn *conn, struct live *live, struct err *err);
void config_news_free(struct config_news *n);		/* NULL is fine */

#endif
