/* bench.c - the harness of all benchmark programs; one program, one state. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/wall.h"
#include "bench/machine.h"
#include "codec/codec.h"
#include "nats/conn.h"
#include "nats/server.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/dir.h"
#include "version.h"

#define FIGURES_MAX 24
#define AWAIT_NS (20 * NS_PER_S)
#define LOOK_NS (1 * NS_PER_MS)

struct noted {
	struct bench_figure f;
	double p50, p90, p99, min, max;
	size_t n;
};

static struct {
	const char *name;
	const char *record;		/* file; NULL: none */
	bool json, is_long;
	char dir[64];
	struct nats_server *nats;
	struct noted figures[FIGURES_MAX];
	size_t n;
	int missed;
} bench;

/* --- the program ------------------------------------------------------------------------- */

static void
clean_up(void)
{
	nats_server_free(bench.nats);
	bench.nats = NULL;
	if (bench.dir[0] != '\0')
		dir_remove(bench.dir, NULL);
	bench.dir[0] = '\0';
}

void
bench_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "%s: ", bench.name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	clean_up();
	exit(2);
}

void
bench_must(enum err_code code, const struct err *err)
{
	if (code != ERR_OK)
		bench_die("%s", err->text);
}

void
bench_begin(const char *name, int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], CHILD_SHIM_VERB) == 0)
		child_shim_main(argc, argv);
	bench.name = name;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--record") == 0 && i + 1 < argc)
			bench.record = argv[++i];
		else if (strcmp(argv[i], "--json") == 0)
			bench.json = true;
		else if (strcmp(argv[i], "--long") == 0)
			bench.is_long = true;
		else
			bench_die("'%s' is no option; there are --record FILE, --json and --long", argv[i]);
	}
	signal(SIGPIPE, SIG_IGN);
}

bool
bench_long(void)
{
	return bench.is_long;
}

const char *
bench_dir(void)
{
	if (bench.dir[0] == '\0') {
		snprintf(bench.dir, sizeof bench.dir, "/tmp/aegis-bench-XXXXXX");
		if (mkdtemp(bench.dir) == NULL)
			bench_die("a directory below /tmp cannot be made: %m");
	}
	return bench.dir;
}

const char *
bench_nats(void)
{
	const char *given = getenv("BENCH_NATS");
	struct err err;

	if (given != NULL)
		return given;
	if (bench.nats == NULL) {
		char *dir = mem_printf("%s/nats", bench_dir());
		bench.nats = nats_server_new(&(struct nats_server_opts){ .dir = dir, .name = "bench" }, &err);
		mem_free(dir);
		if (bench.nats == NULL)
			bench_die("%s", err.text);
	}
	return nats_server_url(bench.nats);
}

uint16_t
bench_free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		bench_die("no free port: %m");
	close(fd);
	return ntohs(a.sin_port);
}

/* --- time and samples -------------------------------------------------------------------- */

int64_t
bench_now(void)
{
	return clock_mono(clock_system()).ns;
}

void
samples_add(struct samples *s, double v)
{
	mem_grow(&s->v, &s->cap, s->n + 1, sizeof *s->v);
	s->v[s->n++] = v;
}

void
samples_add_ns(struct samples *s, const int64_t *ns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		samples_add(s, (double)ns[i]);
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
samples_at(struct samples *s, double percent)
{
	MUST(s->n > 0);
	qsort(s->v, s->n, sizeof *s->v, ascending);
	return s->v[(size_t)(percent / 100 * (double)(s->n - 1) + 0.5)];
}

void
samples_clear(struct samples *s)
{
	s->n = 0;
}

void
samples_release(struct samples *s)
{
	mem_free(s->v);
	*s = (struct samples){ NULL, 0, 0 };
}

/* --- the machine ------------------------------------------------------------------------- */

static void
load_now(char out[16])
{
	char line[64];

	machine_first_line("/proc/loadavg", "", line, sizeof line);
	snprintf(out, 16, "%.*s", (int)strcspn(line, " "), line);
}

/* server_version: "nats-server: v2.12.0" as the server itself says it. */
static void
server_version(char *out, size_t max)
{
	struct err err;
	char *path = nats_server_find(&err);

	out[0] = '\0';
	if (path == NULL)
		return;
	char *file = mem_printf("%s/version", bench_dir());
	if (bench_reap(bench_spawn((const char *const[]){ path, "--version", NULL }, "version")) == 0)
		machine_first_line(file, "", out, max);
	mem_free(file);
	mem_free(path);
}

static void
pack_machine(struct pack *p)
{
	char cpu[128], load[64];
	struct utsname un;

	uname(&un);
	machine_first_line("/proc/cpuinfo", "model name", cpu, sizeof cpu);
	machine_first_line("/proc/loadavg", "", load, sizeof load);
	pack_key_map(p, "machine", 4);
	pack_key_puts(p, "cpu", cpu);
	pack_key_int(p, "cores", sysconf(_SC_NPROCESSORS_ONLN));
	pack_key_puts(p, "kernel", un.release);
	pack_key_puts(p, "load", load);
}

static void
pack_versions(struct pack *p)
{
	char server[128];

	server_version(server, sizeof server);
	pack_key_map(p, "versions", 4);
	pack_key_puts(p, "aegis", AEGIS_VERSION);
	pack_key_puts(p, "commit", AEGIS_COMMIT);
	pack_key_puts(p, "client", conn_versions());
	pack_key_puts(p, "server", server);
}

/* --- figures ----------------------------------------------------------------------------- */

static bool
holds(const struct bench_figure *f)
{
	return f->sense == BENCH_INFO || (f->sense == BENCH_AT_MOST ? f->value <= f->limit : f->value >= f->limit);
}

static void
print_row(const struct bench_figure *f)
{
	static const char *const signs[] = { [BENCH_AT_MOST] = "<=", [BENCH_AT_LEAST] = ">=" };
	char measured[48], limit[48] = "-", load[16];

	load_now(load);
	snprintf(measured, sizeof measured, "%.3g %s", f->value, f->unit);
	if (f->sense != BENCH_INFO)
		snprintf(limit, sizeof limit, "%s %.3g %s", signs[f->sense], f->limit, f->unit);
	printf("%-50s %12s %12s  %-4s %5s  %s\n", f->what, measured, limit,
	    f->sense == BENCH_INFO ? "info" : holds(f) ? "ok" : "NOT", load, f->detail != NULL ? f->detail : "");
	fflush(stdout);
}

void
bench_figure(const struct bench_figure *f)
{
	MUST(bench.n < FIGURES_MAX);
	struct noted *at = &bench.figures[bench.n++];

	at->f = *f;
	at->f.id = mem_text(f->id);
	at->f.what = mem_text(f->what);
	at->f.detail = mem_text(f->detail);
	if (f->spread != NULL && f->spread->n > 0) {
		at->p50 = samples_at(f->spread, 50);
		at->p90 = samples_at(f->spread, 90);
		at->p99 = samples_at(f->spread, 99);
		at->min = samples_at(f->spread, 0);
		at->max = samples_at(f->spread, 100);
		at->n = f->spread->n;
	}
	if (!holds(f))
		bench.missed++;
	if (!bench.json)
		print_row(f);
}

static void
pack_figure(struct pack *p, const struct noted *at)
{
	const struct bench_figure *f = &at->f;
	bool limited = f->sense != BENCH_INFO;

	pack_map(p, 4u + (limited ? 2 : 0) + (at->n > 0 ? 6 : 0));
	pack_key_puts(p, "id", f->id);
	pack_key_real(p, "value", f->value);
	pack_key_puts(p, "unit", f->unit);
	pack_key_puts(p, "detail", f->detail);
	if (limited) {
		pack_key_real(p, f->sense == BENCH_AT_MOST ? "at_most" : "at_least", f->limit);
		pack_key_bool(p, "ok", holds(f));
	}
	if (at->n == 0)
		return;
	pack_key_real(p, "p50", at->p50);
	pack_key_real(p, "p90", at->p90);
	pack_key_real(p, "p99", at->p99);
	pack_key_real(p, "min", at->min);
	pack_key_real(p, "max", at->max);
	pack_key_uint(p, "n", at->n);
}

static void
make_line(struct str *out)
{
	char now[WALL_TEXT_MAX];
	struct pack p;
	struct err err;

	wall_rfc3339(clock_wall(clock_system()), now);
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 5);
	pack_key_puts(&p, "at", now);
	pack_key_puts(&p, "bench", bench.name);
	pack_machine(&p);
	pack_versions(&p);
	pack_key_array(&p, "figures", (uint32_t)bench.n);
	for (size_t i = 0; i < bench.n; i++)
		pack_figure(&p, &bench.figures[i]);
	bench_must(pack_end(&p, &err), &err);
	str_putc(out, '\n');
}

static void
append(const struct str *line)
{
	FILE *f = fopen(bench.record, "ae");

	if (f == NULL || fwrite(line->p, 1, line->len, f) != line->len || fclose(f) != 0)
		bench_die("'%s' cannot be written: %m", bench.record);
}

int
bench_end(void)
{
	struct str line = STR_INIT;

	if (bench.record != NULL || bench.json)
		make_line(&line);
	if (bench.json)
		fputs(line.p, stdout);
	if (bench.record != NULL)
		append(&line);
	str_release(&line);
	for (size_t i = 0; i < bench.n; i++) {
		mem_free((char *)(uintptr_t)bench.figures[i].f.id);
		mem_free((char *)(uintptr_t)bench.figures[i].f.what);
		mem_free((char *)(uintptr_t)bench.figures[i].f.detail);
	}
	clean_up();
	return bench.missed > 0;
}

/* --- processes --------------------------------------------------------------------------- */

char *
bench_beside(const char *name)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);

	self[len > 0 ? len : 0] = '\0';
	const char *slash = strrchr(self, '/');
	MUST(slash != NULL);
	char *path = mem_printf("%.*s/%s", (int)(slash - self), self, name);
	if (access(path, X_OK) != 0)
		bench_die("'%s' is not there; build it first", path);
	return path;
}

pid_t
bench_spawn(const char *const *argv, const char *out)
{
	char *file = out != NULL ? mem_printf("%s/%s", bench_dir(), out) : mem_text("/dev/null");
	char *errors = mem_printf("%s/stderr", bench_dir());
	posix_spawn_file_actions_t fa;
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 1, file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&fa, 2, errors, O_WRONLY | O_CREAT | O_APPEND, 0600);
	int why = posix_spawn(&pid, argv[0], &fa, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	if (why != 0)
		bench_die("'%s' cannot be started: %s", argv[0], strerror(why));
	mem_free(file);
	mem_free(errors);
	return pid;
}

int
bench_reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			bench_die("process %d cannot be waited for: %m", (int)pid);
	return child_exit_code(status);
}

int
bench_stop(pid_t pid)
{
	kill(pid, SIGTERM);
	return bench_reap(pid);
}

void
bench_await(const char *what, bool (*holds_now)(void *arg), void *arg)
{
	char *errors = mem_printf("%s/stderr", bench_dir()), last[512];
	int64_t end = bench_now() + AWAIT_NS;

	while (!holds_now(arg)) {
		if (bench_now() > end) {
			machine_first_line(errors, "", last, sizeof last);
			bench_die("%s did not happen within 20 s; the processes' errors begin with: %s", what, last);
		}
		nanosleep(&(struct timespec){ .tv_nsec = LOOK_NS }, NULL);
	}
	mem_free(errors);
}

long
bench_rss_kb(pid_t pid)
{
	char path[64], text[64];

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	machine_first_line(path, "VmRSS", text, sizeof text);
	return strtol(text, NULL, 10);
}

bool
bench_same_program(pid_t a, pid_t b)
{
	char path[64];
	struct stat sa, sb;

	snprintf(path, sizeof path, "/proc/%d/exe", (int)a);
	bool there = stat(path, &sa) == 0;
	snprintf(path, sizeof path, "/proc/%d/exe", (int)b);
	return there && stat(path, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}
