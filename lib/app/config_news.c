/* config_news.c - what the bucket of settings tells of its writes, put where pages follow the registry. */
#include "app/config_news.h"

#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "codec/subject.h"
#include "model/names.h"
#include "monitor/live.h"
#include "nats/conn.h"

struct config_news {
	struct live *live;
	struct sub *sub;
};

static void
on_write(void *arg, struct msg *m)
{
	struct config_news *n = arg;
	const char *service = msg_subject(m) + sizeof SUBJECT_CONFIGS - 2, *text = msg_header(m, "Nats-Sequence");
	uint64_t revision;

	/* Whoever may publish may say anything here: only what looks like a write is passed on, and no page takes its word. */
	if (text != NULL && num_uint(text, &revision) && name_ok(NAME_SERVICE_CALLED, service, strlen(service))) {
		char *data = mem_printf("{\"service\":\"%s\",\"revision\":%llu}", service, (unsigned long long)revision);
		live_put(n->live, &(struct hub_state){
			.topic = HUB_CONFIG, .event = "config", .key = service, .service = service, .data = { data, strlen(data) }, .own = true,
		}, true);
		mem_free(data);
	}
	msg_free(m);
}

struct config_news *
config_news_new(struct conn *conn, struct live *live, struct err *err)
{
	struct config_news *n = mem_new(sizeof *n);

	n->live = live;
	n->sub = sub_new(&(struct sub_opts){ .conn = conn, .subject = SUBJECT_CONFIGS, .handler = on_write, .arg = n }, err);
	if (n->sub != NULL)
		return n;
	mem_free(n);
	return NULL;
}

void
config_news_free(struct config_news *n)
{
	if (n == NULL)
		return;
	sub_free(n->sub);
	mem_free(n);
}
