/* soak.c - the parts of the endurance run: a publisher, a subscriber, a sender and workers, which
 * keep their books in one shared file, so that whoever dies in between forgets nothing.
 *
 *	soak make FILE EVENTS COMMANDS
 *	soak publish|subscribe|send FILE		until all is acknowledged; until SIGTERM; until all ended
 *	soak work FILE INSTANCE				until SIGTERM
 *	soak show FILE					the books, as a line of JSON
 *
 * The server is that of NATS_URL.  run decides who is killed when. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/aegis.h"

#define EVENTS_OUT 50000		/* published and not handled: half of what the stream keeps */
#define COMMANDS_OUT 5000		/* sent and not run: half of what the queue keeps */

struct books {
	uint32_t events, commands;
	atomic_uint published, acked, handled, repeated;	/* events; repeated: handled once more */
	atomic_uint publish_again;	/* publications whose outcome was unknown */
	atomic_uint sent, run, rerun;	/* commands; rerun: executions beyond the first */
	atomic_uint here;		/* of those, by a worker that had run it before and lived on */
	atomic_uint after_end;		/* of those, begun after the sender had heard the end */
	atomic_uint completed, missed, unheard, failed, send_again;	/* missed: told that it ended, not how */
	atomic_uchar cells[];		/* handled[events], run[commands], ended[commands], acked[events] */
};

static struct books *books;
static atomic_uchar *handled, *run, *ended, *acked;
static volatile sig_atomic_t over;

static void
end_it(int signo)
{
	(void)signo;
	over = 1;
}

static void
rest(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static void
die(const char *what)
{
	fprintf(stderr, "soak: %s\n", what);
	exit(1);
}

static void
open_books(const char *file)
{
	struct stat st;
	int fd = open(file, O_RDWR);

	if (fd < 0 || fstat(fd, &st) != 0)
		die("no such books");
	books = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (books == MAP_FAILED)
		die("mmap");
	close(fd);
	handled = books->cells;
	run = handled + books->events;
	ended = run + books->commands;
	acked = ended + books->commands;
}

static void
make_books(const char *file, uint32_t events, uint32_t commands)
{
	int fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);
	size_t n = sizeof *books + 2 * (size_t)events + 2 * (size_t)commands;
	struct books head = { .events = events, .commands = commands };

	if (fd < 0 || ftruncate(fd, (off_t)n) != 0 || pwrite(fd, &head, sizeof head, 0) != (ssize_t)sizeof head)
		die("cannot make the books");
	close(fd);
}

static aegis *
connect_bus(void)
{
	aegis_error e;
	aegis *a = aegis_connect(&(aegis_options){ .wait = true, .log_level = "error", .workers = 4 }, &e);

	if (a == NULL)
		die(e.text);
	return a;
}

/* --- what is to be done again ------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t *again, nagain;

static void
once_more(uint32_t i)
{
	pthread_mutex_lock(&lock);
	again[nagain++] = i;
	pthread_mutex_unlock(&lock);
}

/* next: what to do now: something again, or number *fresh; false when neither. */
static bool
next(uint32_t *fresh, uint32_t n, uint32_t *out)
{
	pthread_mutex_lock(&lock);
	bool has = nagain > 0;
	if (has)
		*out = again[--nagain];
	pthread_mutex_unlock(&lock);
	if (!has && *fresh < n) {
		*out = (*fresh)++;
		has = true;
	}
	return has;
}

/* --- events ------------------------------------------------------------------------------- */

static void
on_stored(void *arg, const aegis_error *e)
{
	uint32_t i = (uint32_t)(uintptr_t)arg;

	if (e != NULL) {
		atomic_fetch_add(&books->publish_again, 1);
		once_more(i);
	} else if (atomic_exchange(&acked[i], 1) == 0) {
		atomic_fetch_add(&books->acked, 1);
	}
}

static void
publish(void)
{
	aegis *a = connect_bus();
	uint32_t fresh = 0, i;
	aegis_error e;
	char id[24];

	again = calloc(books->events + 1, sizeof *again);
	while (atomic_load(&books->acked) < books->events && !over) {
		if (fresh - atomic_load(&books->handled) >= EVENTS_OUT || !next(&fresh, books->events, &i)) {
			rest();
			continue;
		}
		aegis_out *out = aegis_out_new();
		aegis_out_int(out, "i", i);
		snprintf(id, sizeof id, "e-%u", i);
		int code = aegis_publish_start(a, "soak", "tick", out, &(aegis_publish_options){ .id = id, .timeout_ms = 60000 },
		    on_stored, (void *)(uintptr_t)i, &e);
		if (code != AEGIS_OK) {
			once_more(i);		/* too much waits for its acknowledgement */
			rest();
		}
		atomic_store(&books->published, fresh);
	}
	aegis_close(a);
}

static void
on_event(void *arg, aegis_event *v)
{
	int64_t i;

	(void)arg;
	if (!aegis_event_int(v, "i", &i) || i < 0 || i >= books->events)
		die("an event of somebody else");
	if (atomic_fetch_add(&handled[i], 1) == 0)
		atomic_fetch_add(&books->handled, 1);
	else
		atomic_fetch_add(&books->repeated, 1);
	aegis_event_done(v);
}

static void
subscribe(void)
{
	aegis *a = connect_bus();
	aegis_error e;

	if (aegis_subscribe(a, "events.soak.tick", on_event, NULL,
	    &(aegis_subscribe_options){ .concurrency = 512, .ack_wait_ms = 5000 }, &e) != AEGIS_OK ||
	    aegis_register(a, &(aegis_identity){ .service = "soak-events" }, &e) != AEGIS_OK)
		die(e.text);
	while (!over)
		rest();
	aegis_close(a);
}

/* --- commands ----------------------------------------------------------------------------- */

static atomic_uint under_way;

static void
on_end(void *arg, const char *id, const aegis_result *r, const aegis_error *e)
{
	uint32_t i = (uint32_t)(uintptr_t)arg;

	(void)id;
	if (r != NULL) {
		atomic_store(&ended[i], 1);
		atomic_fetch_add(&books->completed, 1);
	} else if (e->code == AEGIS_TIMEOUT && strstr(e->text, "is stored") != NULL) {
		atomic_fetch_add(&books->unheard, 1);	/* the server died with the word */
	} else if (e->code == AEGIS_OUTCOME_UNKNOWN && strstr(e->text, "ended while") != NULL) {
		atomic_store(&ended[i], 1);
		atomic_fetch_add(&books->missed, 1);
	} else if (e->code == AEGIS_CLOSED) {
		atomic_fetch_add(&books->unheard, 1);
	} else if (e->code == AEGIS_HANDLER || e->code == AEGIS_CANCELLED) {
		fprintf(stderr, "soak: command %u: %s\n", i, e->text);
		atomic_fetch_add(&books->failed, 1);
	} else {
		atomic_fetch_add(&books->send_again, 1);	/* not stored, or nobody knows: the same id */
		once_more(i);
	}
	atomic_fetch_sub(&under_way, 1);
}

static void
send_all(void)
{
	aegis *a = connect_bus();
	uint32_t fresh = 0, i;
	aegis_error e;
	char id[24];

	again = calloc(books->commands + 1, sizeof *again);
	while (!over) {
		if (fresh - atomic_load(&books->run) >= COMMANDS_OUT || !next(&fresh, books->commands, &i)) {
			if (fresh == books->commands && atomic_load(&under_way) == 0)
				break;
			rest();
			continue;
		}
		aegis_out *out = aegis_out_new();
		aegis_out_int(out, "i", i);
		snprintf(id, sizeof id, "c-%u", i);
		atomic_fetch_add(&under_way, 1);
		if (aegis_send_start(a, "soak-work", "step", out, &(aegis_send_options){ .id = id, .wait_ms = 3600000 }, on_end,
		    (void *)(uintptr_t)i, &e) != AEGIS_OK) {
			atomic_fetch_sub(&under_way, 1);
			once_more(i);
			rest();
		}
		atomic_store(&books->sent, fresh);
	}
	aegis_close(a);
}

static atomic_uchar *mine;		/* commands that this worker has begun */

static void
on_job(void *arg, aegis_job *j)
{
	int64_t i;

	(void)arg;
	if (!aegis_job_int(j, "i", &i) || i < 0 || i >= books->commands)
		die("a command of somebody else");
	if (atomic_load(&ended[i])) {
		fprintf(stderr, "soak: command %lld begins after its end, delivery %llu\n", (long long)i,
		    (unsigned long long)aegis_job_deliveries(j));
		atomic_fetch_add(&books->after_end, 1);
	}
	if (atomic_exchange(&mine[i], 1) != 0)
		atomic_fetch_add(&books->here, 1);
	aegis_job_progress(j, 50, "half");
	nanosleep(&(struct timespec){ .tv_nsec = (i % 5) * 1000000 }, NULL);
	if (atomic_fetch_add(&run[i], 1) == 0)
		atomic_fetch_add(&books->run, 1);
	else
		atomic_fetch_add(&books->rerun, 1);
	aegis_job_done_json(j, "{\"done\": true}");
}

static void
work(const char *instance)
{
	aegis *a = connect_bus();
	aegis_error e;

	mine = calloc(books->commands + 1, sizeof *mine);
	if (aegis_work(a, "step", on_job, NULL, &(aegis_work_options){ .concurrency = 4, .ack_wait_ms = 2000 }, &e) != AEGIS_OK ||
	    aegis_register(a, &(aegis_identity){ .service = "soak-work", .instance = instance }, &e) != AEGIS_OK)
		die(e.text);
	while (!over)
		rest();
	aegis_close(a);
}

static void
show(void)
{
	printf("{\"events\":%u,\"published\":%u,\"acked\":%u,\"handled\":%u,\"repeated\":%u,\"publish_again\":%u,"
	    "\"commands\":%u,\"sent\":%u,\"run\":%u,\"rerun\":%u,\"here\":%u,\"after_end\":%u,\"completed\":%u,\"missed\":%u,\"unheard\":%u,\"failed\":%u,"
	    "\"send_again\":%u}\n", books->events, books->published, books->acked, books->handled, books->repeated,
	    books->publish_again, books->commands, books->sent, books->run, books->rerun, books->here, books->after_end,
	    books->completed, books->missed, books->unheard, books->failed, books->send_again);
}

int
main(int argc, char **argv)
{
	if (argc < 3)
		die("make|publish|subscribe|send|work|show FILE …");
	signal(SIGTERM, end_it);
	if (strcmp(argv[1], "make") == 0) {
		if (argc != 5)
			die("make FILE EVENTS COMMANDS");
		make_books(argv[2], (uint32_t)strtoul(argv[3], NULL, 10), (uint32_t)strtoul(argv[4], NULL, 10));
		return 0;
	}
	open_books(argv[2]);
	if (strcmp(argv[1], "publish") == 0)
		publish();
	else if (strcmp(argv[1], "subscribe") == 0)
		subscribe();
	else if (strcmp(argv[1], "send") == 0)
		send_all();
	else if (strcmp(argv[1], "work") == 0 && argc == 4)
		work(argv[3]);
	else if (strcmp(argv[1], "show") == 0)
		show();
	else
		die("no such part");
	return 0;
}
