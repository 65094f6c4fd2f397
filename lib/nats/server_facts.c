/* server_facts.c - what the server tells of itself: its protocol's greeting is not for users of
 * nats.c, so the version comes from where it is written into what the server makes. */
#include <stdio.h>
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

void
conn_server_name(struct conn *c, char *out, size_t n)
{
	if (natsConnection_GetConnectedServerName(conn_raw(c), out, n) != NATS_OK)
		out[0] = '\0';
}
