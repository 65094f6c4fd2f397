/* server_facts.c - what the server tells of itself and of its neighbours.  Its protocol's greeting is not
 * for users of nats.c, so the version comes from where it is written into what the server makes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nats/conn_inner.h"
#include "nats/stream.h"

void
server_version(struct conn *c, const char *stream, char *out, size_t n)
{
	jsStreamInfo *si = NULL;

	out[0] = '\0';
	if (conn_state(c) != CONN_UP || js_GetStreamInfo(&si, conn_js(c), stream, NULL, NULL) != NATS_OK)
		return;
	const natsMetadata *m = &si->Config->Metadata;
	for (int i = 0; i < m->Count; i++)		/* List holds names and values by turns */
		if (strcmp(m->List[2 * i], "_nats.ver") == 0)
			snprintf(out, n, "%s", m->List[2 * i + 1]);
	jsStreamInfo_Destroy(si);
}

static void
say(struct conn *c, const char *what, char *out, size_t n)
{
	pthread_mutex_lock(&c->lock);
	snprintf(out, n, "%s", conn_state(c) == CONN_UP ? what : "");
	pthread_mutex_unlock(&c->lock);
}

void
conn_server_name(struct conn *c, char *out, size_t n)
{
	say(c, c->server_name, out, n);
}

void
conn_server_id(struct conn *c, char *out, size_t n)
{
	say(c, c->server_id, out, n);
}

uint64_t
conn_client_id(struct conn *c)
{
	pthread_mutex_lock(&c->lock);
	uint64_t id = conn_state(c) == CONN_UP ? c->client_id : 0;
	pthread_mutex_unlock(&c->lock);
	return id;
}

void
conn_servers_each(struct conn *c, void (*each)(void *arg, const char *url), void *arg)
{
	char **urls = NULL;
	int n = 0;

	if (natsConnection_GetServers(conn_raw(c), &urls, &n) != NATS_OK)
		return;
	for (int i = 0; i < n; i++) {
		each(arg, urls[i]);
		free(urls[i]);
	}
	free(urls);
}

int64_t
conn_rtt_ns(struct conn *c)
{
	int64_t ns = 0;

	return natsConnection_GetRTT(conn_raw(c), &ns) == NATS_OK ? ns : -1;
}
