/* machine.c - /proc, uname, and what the server tells of itself. */
#include "bench/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "codec/subject.h"
#include "nats/stream.h"

void
machine_first_line(const char *path, const char *key, char *out, size_t max)
{
	char line[512];
	FILE *f = fopen(path, "re");

	out[0] = '\0';
	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		const char *p = line + strlen(key);
		p += strspn(p, " \t:");
		snprintf(out, max, "%.*s", (int)strcspn(p, "\n"), p);
		break;
	}
	if (f != NULL)
		fclose(f);
}

void
machine_look(struct machine *m, struct conn *conn)
{
	struct jetstream_info info;
	struct utsname un;

	memset(m, 0, sizeof *m);
	uname(&un);
	machine_first_line("/proc/cpuinfo", "model name", m->cpu, sizeof m->cpu);
	snprintf(m->kernel, sizeof m->kernel, "%s %s", un.sysname, un.release);
	machine_first_line("/proc/loadavg", "", m->load, sizeof m->load);
	m->cores = sysconf(_SC_NPROCESSORS_ONLN);
	snprintf(m->client, sizeof m->client, "%s", conn_versions());
	conn_server_name(conn, m->server_name, sizeof m->server_name);
	server_version(conn, "KV_" REGISTRY_BUCKET, m->server_version, sizeof m->server_version);
	if (jetstream_probe(conn, &info, NULL) == ERR_OK)
		m->api_level = info.api_level;
}
