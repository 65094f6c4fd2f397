/* server.c - start a nats-server, learn its port from the file that it writes, stop it. */
#include "nats/server.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/dir.h"
#include "sys/thread.h"

#define READY_NS (30 * NS_PER_S)	/* it is ready after 11-14 ms (platform.md §7), unless others have the machine */
#define STOP_NS (5 * NS_PER_S)
#define LOOK_NS (2 * NS_PER_MS)

struct nats_server {
	char *path, *dir, *config, *log, *ports;
	char url[64];
	uint16_t port;
	pid_t pid;			/* 0: never started */
	bool ended;			/* and reaped */
};

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static char *
in_path(const char *name)
{
	const char *p = getenv("PATH");

	for (size_t n; p != NULL && *p != '\0'; p += n + (p[n] == ':')) {
		n = strcspn(p, ":");
		char *full = mem_printf("%.*s/%s", (int)n, p, name);
		if (is_program(full))
			return full;
		mem_free(full);
	}
	return NULL;
}

char *
nats_server_find(struct err *err)
{
	static const char *const beside[] = { "root/usr/sbin/nats-server", "../root/usr/sbin/nats-server", "nats-server" };
	const char *self = child_self_path(), *slash = strrchr(self, '/');

	for (size_t i = 0; slash != NULL && i < sizeof beside / sizeof *beside; i++) {
		char *full = mem_printf("%.*s/%s", (int)(slash - self), self, beside[i]);
		if (is_program(full))
			return full;
		mem_free(full);
	}
	char *found = in_path("nats-server");
	if (found == NULL)
		err_set(err, ERR_CONFIG,
		    "no nats-server beside this program or in PATH; name one with --nats-server, or install it");
	return found;
}

/* quoted: a string as the server's configuration reads it, whatever a path contains. */
static void
quoted(struct str *out, const char *text)
{
	str_putc(out, '"');
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c < 0x20 || c == 0x7f)
			str_printf(out, "\\x%02x", c);
		else if (c == '"' || c == '\\')
			str_printf(out, "\\%c", c);
		else
			str_putc(out, (char)c);
	}
	str_putc(out, '"');
}

static void
setting(struct str *out, const char *key, const char *value)
{
	str_puts(out, key);
	quoted(out, value);
	str_putc(out, '\n');
}

static enum err_code
write_config(const struct nats_server *s, const struct nats_server_opts *o, struct err *err)
{
	FILE *f = fopen(s->config, "we");
	struct str text = STR_INIT;

	if (f == NULL)
		return err_set(err, ERR_CONFIG, "'%s' cannot be written: %m", s->config);
	str_printf(&text, "# written at every start; changes are lost\nhost: 127.0.0.1\nport: %d\n",
	    o->port != 0 ? o->port : -1);
	setting(&text, "server_name: ", o->name != NULL ? o->name : "aegis");
	setting(&text, "ports_file_dir: ", s->dir);
	setting(&text, "log_file: ", s->log);
	str_puts(&text, "jetstream {\n");
	setting(&text, "\tstore_dir: ", s->dir);
	if (o->max_store > 0)
		str_printf(&text, "\tmax_file_store: %llu\n", (unsigned long long)o->max_store);
	str_puts(&text, "}\n");
	if (o->more != NULL)
		str_puts(&text, o->more);
	fwrite(text.p, 1, text.len, f);
	str_release(&text);
	if (fclose(f) != 0)
		return err_set(err, ERR_CONFIG, "'%s' cannot be written: %m", s->config);
	return ERR_OK;
}

/* last_words: the end of the server's log, for an error sentence. */
static void
last_words(const struct nats_server *s, char *out, size_t n)
{
	FILE *f = fopen(s->log, "re");
	char line[512];

	snprintf(out, n, "it left no log");
	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0')
			snprintf(out, n, "%s", line);
	}
	if (f != NULL)
		fclose(f);
}

/* read_port: the port file holds {"nats":["nats://127.0.0.1:PORT"],…}; it appears whole. */
static bool
read_port(struct nats_server *s)
{
	char text[1024];
	FILE *f = fopen(s->ports, "re");

	if (f == NULL)
		return false;
	size_t n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	const char *at = strstr(text, "nats://127.0.0.1:");
	unsigned long port = at != NULL ? strtoul(at + strlen("nats://127.0.0.1:"), NULL, 10) : 0;
	if (port == 0 || port > UINT16_MAX)
		return false;
	s->port = (uint16_t)port;
	snprintf(s->url, sizeof s->url, "nats://127.0.0.1:%u", s->port);
	return true;
}

static enum err_code
await_port(struct nats_server *s, struct err *err)
{
	const struct clock *clock = clock_system();
	struct mono end = mono_after(clock_mono(clock), READY_NS);
	char why[512];
	int status;

	while (!mono_reached(clock_mono(clock), end)) {
		if (read_port(s))
			return ERR_OK;
		if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
			s->ended = true;
			last_words(s, why, sizeof why);
			return err_set(err, ERR_UNAVAILABLE, "nats-server ended with exit code %d: %s",
			    child_exit_code(status), why);
		}
		thread_pause(LOOK_NS);
	}
	last_words(s, why, sizeof why);
	return err_set(err, ERR_TIMEOUT, "nats-server was not ready within 30 s: %s", why);
}

struct nats_server *
nats_server_new(const struct nats_server_opts *o, struct err *err)
{
	struct nats_server *s = mem_new(sizeof *s);
	enum err_code code;

	s->path = o->path != NULL ? mem_text(o->path) : nats_server_find(err);
	s->dir = mem_text(o->dir);
	s->config = mem_printf("%s/nats-server.conf", o->dir);
	s->log = mem_printf("%s/nats-server.log", o->dir);
	if (s->path == NULL || dir_make(s->dir, err) != ERR_OK || write_config(s, o, err) != ERR_OK)
		goto fail;
	unlink(s->log);
	const char *argv[] = { s->path, "-c", s->config, NULL };
	code = child_spawn(&(struct child_opts){ .argv = argv, .own_group = true, .dies_with_parent = true }, &s->pid, err);
	if (code != ERR_OK)
		goto fail;
	/* The shim execs in place, so the server has the pid that was spawned; it names the file
	 * after the program that it was started as. */
	const char *slash = strrchr(s->path, '/');
	s->ports = mem_printf("%s/%s_%d.ports", s->dir, slash != NULL ? slash + 1 : s->path, (int)s->pid);
	if (await_port(s, err) != ERR_OK)
		goto fail;
	return s;
fail:
	nats_server_free(s);
	return NULL;
}

const char *
nats_server_url(const struct nats_server *s)
{
	return s->url;
}

uint16_t
nats_server_port(const struct nats_server *s)
{
	return s->port;
}

pid_t
nats_server_pid(const struct nats_server *s)
{
	return s->pid;
}

bool
nats_server_alive(struct nats_server *s)
{
	if (s->ended || s->pid == 0)
		return false;
	pid_t got = waitpid(s->pid, NULL, WNOHANG);
	s->ended = got == s->pid || (got < 0 && errno == ECHILD);
	return !s->ended;
}

static bool
await_end(struct nats_server *s, int64_t ns)
{
	const struct clock *clock = clock_system();
	struct mono end = mono_after(clock_mono(clock), ns);

	for (;;) {
		if (!nats_server_alive(s))
			return true;
		if (mono_reached(clock_mono(clock), end))
			return false;
		thread_pause(LOOK_NS);
	}
}

void
nats_server_free(struct nats_server *s)
{
	if (s == NULL)
		return;
	if (nats_server_alive(s)) {
		kill(s->pid, SIGTERM);
		if (!await_end(s, STOP_NS)) {
			kill(s->pid, SIGKILL);
			await_end(s, STOP_NS);
		}
	}
	if (s->ports != NULL)
		unlink(s->ports);
	mem_free(s->path);
	mem_free(s->dir);
	mem_free(s->config);
	mem_free(s->log);
	mem_free(s->ports);
	mem_free(s);
}
