/* t_log - the lines themselves: both formats, what is escaped, cut, and held back. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/magic.h"

static int out[2];		/* a pipe: what is logged comes out at its end */
static char line[16384];

static void
init(struct log_opts o)
{
	o.fd = out[1];
	log_init(&o);
}

/* written: everything that came since the last time. */
static const char *
written(void)
{
	ssize_t n = read(out[0], line, sizeof line - 1);

	line[n > 0 ? n : 0] = '\0';
	return line;
}

/* Times differ from run to run: the parts around them are compared. */
static void
assert_text(const char *rest)
{
	const char *p = written();

	assert_int_equal(strspn(p, "0123456789:."), 12);
	assert_string_equal(p + 12, rest);
}

static void
assert_json(const char *rest)
{
	const char *p = written();

	assert_memory_equal(p, "{\"ts\":\"20", 9);
	assert_memory_equal(p + 30, "Z\",", 3);
	assert_string_equal(p + 33, rest);
}

static void
text_for_people(void **state)
{
	(void)state;
	init((struct log_opts){ .level = LOG_INFO, .format = LOG_TEXT, .service = "orders", .instance = "i-1" });
	log_info(EV_PROCESS_START, LOG_NONE, "started %d", 5);
	assert_text(" INFO    started 5  [process.start]\n");
	log_error(EV_PROCESS_STOP, LOG_F(LOG_S("why", "signal"), LOG_N("signo", 15), LOG_S("none", NULL)), "stopping");
	assert_text(" ERROR   stopping why=signal signo=15 none=  [process.stop]\n");
	log_warning(EV_CONFIG_NOTE, LOG_F(LOG_S("k", "a\nb\tc")), "two\nlines\033[31m");
	assert_text(" WARNING two lines [31m k=a b c  [config.note]\n");
	init((struct log_opts){ .level = LOG_INFO, .format = LOG_TEXT, .colour = true });
	log_warning(EV_CONFIG_NOTE, LOG_NONE, "x");
	assert_text(" \033[33mWARNING\033[0m x  [config.note]\n");
}

static void
json_for_machines(void **state)
{
	(void)state;
	init((struct log_opts){ .level = LOG_DEBUG, .format = LOG_JSON, .service = "orders", .instance = "i-1" });
	log_debug(EV_PROCESS_START, LOG_F(LOG_S("k", "v"), LOG_N("n", -3)), "hello");
	assert_json("\"level\":\"DEBUG\",\"msg\":\"hello\",\"event\":\"process.start\",\"service\":\"orders\","
	    "\"instance\":\"i-1\",\"k\":\"v\",\"n\":-3}\n");
	init((struct log_opts){ .level = LOG_DEBUG, .format = LOG_AUTO });	/* no terminal: JSON */
	log_at(LOG_CRITICAL, EV_PROCESS_STOP, LOG_NONE, "quote \" back \\ line\n del\x7f");
	assert_json("\"level\":\"CRITICAL\",\"msg\":\"quote \\\" back \\\\ line\\u000a del\\u007f\","
	    "\"event\":\"process.stop\"}\n");
}

static void
a_terminal_gets_text(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[64];

	(void)state;
	assert_true(master >= 0);
	assert_int_equal(grantpt(master) | unlockpt(master), 0);
	assert_int_equal(ptsname_r(master, name, sizeof name), 0);
	int terminal = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal >= 0);
	log_init(&(struct log_opts){ .level = LOG_INFO, .format = LOG_AUTO, .fd = terminal });
	log_info(EV_PROCESS_START, LOG_NONE, "here");
	ssize_t n = read(master, line, sizeof line - 1);
	assert_true(n > 12);
	line[n] = '\0';
	assert_string_equal(line + 12, " INFO    here  [process.start]\r\n");
	init((struct log_opts){ .level = LOG_INFO, .format = LOG_TEXT });
	close(terminal);
	close(master);
}

static void
json_stays_utf_8_whatever_is_logged(void **state)
{
	static const struct { const char *in, *want; } rows[] = {
		{ "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "\xe0\xa0\x80 \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf", "\xe0\xa0\x80 \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf" },
		{ "\x80|\xff|\xc0\xaf|", "\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|" },	/* alone; overlong */
		{ "\xe0\x9f\xbf|", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|" },		/* overlong */
		{ "\xf0\x8f\xbf\xbf|", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|" },
		{ "\xed\xa0\x80|", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|" },		/* half a pair */
		{ "\xf4\x90\x80\x80|", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|" },	/* beyond the end */
		{ "\xf5\x80|", "\xef\xbf\xbd\xef\xbf\xbd|" },
		{ "\xe1\x80\x80 \xed\x9f\xbf \xf1\x80\x80\x80", "\xe1\x80\x80 \xed\x9f\xbf \xf1\x80\x80\x80" },
		{ "cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd" },
	};
	char want[256];

	(void)state;
	init((struct log_opts){ .level = LOG_DEBUG, .format = LOG_JSON });
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		log_info(EV_PROCESS_START, LOG_NONE, "%s", rows[i].in);
		snprintf(want, sizeof want, "\"level\":\"INFO\",\"msg\":\"%s\",\"event\":\"process.start\"}\n", rows[i].want);
		assert_json(want);
	}
}

static void
levels_hold_back(void **state)
{
	(void)state;
	init((struct log_opts){ .level = LOG_WARNING, .format = LOG_TEXT });
	assert_false(log_enabled(LOG_INFO));
	assert_true(log_enabled(LOG_WARNING) && log_enabled(LOG_CRITICAL));
	log_info(EV_PROCESS_START, LOG_NONE, "not seen");
	log_debug(EV_PROCESS_START, LOG_NONE, "not seen");
	assert_string_equal(written(), "");
	log_set_level(LOG_DEBUG);
	log_debug(EV_PROCESS_START, LOG_NONE, "seen");
	assert_text(" DEBUG   seen  [process.start]\n");
}

static void
levels_have_names(void **state)
{
	enum log_level l = LOG_ERROR;

	(void)state;
	assert_true(log_level_parse("INFO", &l) && l == LOG_INFO);
	assert_true(log_level_parse("debug", &l) && l == LOG_DEBUG);
	assert_true(log_level_parse("Critical", &l) && l == LOG_CRITICAL);
	assert_false(log_level_parse("warn", &l) || log_level_parse("", &l));
	assert_int_equal(l, LOG_CRITICAL);
}

static void
a_message_too_long_is_cut_but_stays_one_record(void **state)
{
	char huge[6000];

	(void)state;
	memset(huge, 'x', sizeof huge - 1);
	huge[sizeof huge - 1] = '\0';
	init((struct log_opts){ .level = LOG_INFO, .format = LOG_TEXT });
	log_info(EV_PROCESS_START, LOG_F(LOG_S("k", huge)), "%s", huge);
	const char *p = written();
	assert_in_range(strlen(p), 4000, 4096);
	assert_ptr_equal(strchr(p, '\n'), p + strlen(p) - 1);

	init((struct log_opts){ .level = LOG_INFO, .format = LOG_JSON });
	log_info(EV_PROCESS_START, LOG_F(LOG_S("k", huge), LOG_S("l", "v")), "short");
	assert_json("\"level\":\"INFO\",\"msg\":\"short\",\"event\":\"process.start\",\"fields_left_out\":2}\n");
	memset(huge, '\001', sizeof huge - 1);		/* six bytes each when escaped */
	log_info(EV_PROCESS_START, LOG_NONE, "%s", huge);
	assert_json("\"level\":\"INFO\",\"msg\":\"(record too long, left out)\",\"event\":\"process.start\"}\n");
}

static void
fields_beyond_fifteen_are_left_out(void **state)
{
	struct log_field f[20] = { { NULL, NULL, 0 } };

	(void)state;
	for (size_t i = 0; i < 19; i++)
		f[i] = (struct log_field)LOG_N("f", i);
	init((struct log_opts){ .level = LOG_INFO, .format = LOG_TEXT });
	log_info(EV_PROCESS_START, f, "many");
	assert_text(" INFO    many f=0 f=1 f=2 f=3 f=4 f=5 f=6 f=7 f=8 f=9 f=10 f=11 f=12 f=13 f=14  [process.start]\n");
}

/* The rate is by CLOCK_MONOTONIC inside; the 5 s are waited for by polling, once. */
static void
floods_become_one_line_and_a_count(void **state)
{
	struct timespec begin, now;
	size_t sent = 0;

	(void)state;
	init((struct log_opts){ .level = LOG_INFO, .format = LOG_TEXT });
	clock_gettime(CLOCK_MONOTONIC, &begin);
	log_info(EV_NATS_ERROR, LOG_NONE, "first");
	assert_text(" INFO    first  [nats.error]\n");
	log_info(EV_WATCH_BAD_RECORD, LOG_NONE, "another event has a count of its own");
	assert_text(" INFO    another event has a count of its own  [watch.bad_record]\n");
	do {
		log_info(EV_NATS_ERROR, LOG_NONE, "again");
		sent++;
		clock_gettime(CLOCK_MONOTONIC, &now);
		usleep(1000);
	} while (*written() == '\0' && now.tv_sec - begin.tv_sec < 60);
	char *p = strstr(line, "again repeated=");
	assert_non_null(p);
	assert_int_equal(strtoul(p + strlen("again repeated="), NULL, 10), sent - 1);
	assert_true(now.tv_sec - begin.tv_sec >= 4);
}

static void
every_event_has_a_name_and_a_sentence(void **state)
{
	(void)state;
	assert_string_equal(log_event_name(EV_RUNNER_CHILD_EXIT), "runner.child_exit");
	for (int e = 0; e < EV_COUNT; e++) {
		const char *name = log_event_name((enum log_event)e);
		assert_non_null(strchr(name, '.'));
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_.0123456789"), strlen(name));
		assert_true(strlen(log_event_text((enum log_event)e)) > 0);
		for (int other = 0; other < e; other++)
			assert_string_not_equal(name, log_event_name((enum log_event)other));
	}
}

static atomic_bool over;

static void *
chatter(void *arg)
{
	(void)arg;
	while (!atomic_load(&over))
		log_info(EV_PROCESS_START, LOG_F(LOG_S("k", "v")), "from a thread");
	return NULL;
}

static void
may_be_set_up_anew_while_others_write(void **state)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	pthread_t t[3];
	char name[32];

	(void)state;
	assert_true(null > 0);
	log_init(&(struct log_opts){ .level = LOG_INFO, .format = LOG_TEXT, .fd = null });
	for (size_t i = 0; i < COUNT_OF(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, chatter, NULL), 0);
	/* The strings are the caller's again at once. */
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "service-%d", i);
		log_init(&(struct log_opts){ .level = i % 2 ? LOG_INFO : LOG_DEBUG, .format = i % 3 ? LOG_JSON : LOG_TEXT,
		    .service = name, .instance = i % 5 ? name : NULL, .fd = null });
	}
	atomic_store(&over, true);
	for (size_t i = 0; i < COUNT_OF(t); i++)
		pthread_join(t[i], NULL);
	assert_true(log_enabled(LOG_INFO));
	close(null);
}

static void
goes_to_standard_error_unless_told_otherwise(void **state)
{
	int was = fcntl(2, F_DUPFD_CLOEXEC, 10);

	(void)state;
	assert_int_equal(dup2(out[1], 2), 2);
	log_init(&(struct log_opts){ .level = LOG_INFO, .format = LOG_TEXT });
	log_info(EV_PROCESS_START, LOG_NONE, "here");
	assert_int_equal(dup2(was, 2), 2);
	close(was);
	assert_text(" INFO    here  [process.start]\n");
}

/* fill: until nothing fits any more; the flags of fd stay as they are. */
static void
fill(int fd)
{
	char path[32], block[512];

	memset(block, '.', sizeof block);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(own >= 0);
	while (write(own, block, sizeof block) > 0)
		continue;
	while (write(own, block, 1) > 0)
		continue;
	close(own);
}

static void
drain(int fd)
{
	static char all[1 << 16];

	assert_true(read(fd, all, sizeof all) > 0);
}

static void
a_full_pipe_holds_up_nobody(void **state)
{
	enum log_format formats[] = { LOG_TEXT, LOG_JSON };
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);	/* blocking, as a shell makes them */
	alarm(60);					/* a line that waits would wait for ever */
	for (size_t i = 0; i < COUNT_OF(formats); i++) {
		log_init(&(struct log_opts){ .level = LOG_INFO, .format = formats[i], .fd = p[1] });
		assert_int_equal(fcntl(p[1], F_GETFL) & O_NONBLOCK, 0);
		fill(p[1]);
		log_info(EV_PROCESS_START, LOG_NONE, "no room");
		log_info(EV_PROCESS_START, LOG_F(LOG_S("k", "v")), "none either");
		drain(p[0]);
		log_info(EV_PROCESS_START, LOG_F(LOG_S("k", "v")), "room");
		log_info(EV_PROCESS_START, LOG_NONE, "more");
		line[read(p[0], line, sizeof line - 1)] = '\0';
		assert_null(strstr(line, "no room"));
		assert_non_null(strstr(line, formats[i] == LOG_TEXT ? "room k=v lost=2" : "\"k\":\"v\",\"lost\":2}"));
		assert_null(strstr(strstr(line, "more"), "lost"));
	}
	alarm(0);
	close(p[0]);
	close(p[1]);
}

static void
setting_it_up_again_opens_nothing_more(void **state)
{
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	log_init(&(struct log_opts){ .level = LOG_INFO, .format = LOG_TEXT, .fd = p[1] });
	int next = fcntl(0, F_DUPFD_CLOEXEC, 0);
	close(next);
	for (int i = 0; i < 10; i++)
		log_init(&(struct log_opts){ .level = LOG_INFO, .format = LOG_TEXT, .fd = p[1] });
	int after = fcntl(0, F_DUPFD_CLOEXEC, 0);
	close(after);
	assert_int_equal(after, next);
	close(p[0]);
	close(p[1]);
}

/* A stream socket takes a part of a line: the next one that gets through begins a new one. */
static void
a_full_socket_holds_up_nobody(void **state)
{
	static char all[1 << 20];
	size_t sent = 0, n = 0;
	int s[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	log_init(&(struct log_opts){ .level = LOG_INFO, .format = LOG_TEXT, .fd = s[1] });
	alarm(60);
	for (; sent < 10000; sent++)
		log_info(EV_PROCESS_START, LOG_NONE, "one of many");
	for (ssize_t got; (got = recv(s[0], all + n, sizeof all - 1 - n, MSG_DONTWAIT)) > 0;)
		n += (size_t)got;
	log_info(EV_PROCESS_START, LOG_NONE, "after them");
	n += (size_t)recv(s[0], all + n, sizeof all - 1 - n, MSG_DONTWAIT);
	all[n] = '\0';
	alarm(0);
	const char *last = strstr(all, "after them lost=");
	assert_non_null(last);
	assert_true(strtoul(last + strlen("after them lost="), NULL, 10) > 0);
	while (last > all && last[-1] != '\n')
		last--;
	assert_int_equal(strspn(last, "0123456789:."), 12);
	init((struct log_opts){ .level = LOG_INFO, .format = LOG_TEXT });
	close(s[0]);
	close(s[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_for_people),
		cmocka_unit_test(json_for_machines),
		cmocka_unit_test(a_terminal_gets_text),
		cmocka_unit_test(json_stays_utf_8_whatever_is_logged),
		cmocka_unit_test(levels_hold_back),
		cmocka_unit_test(levels_have_names),
		cmocka_unit_test(a_message_too_long_is_cut_but_stays_one_record),
		cmocka_unit_test(fields_beyond_fifteen_are_left_out),
		cmocka_unit_test(floods_become_one_line_and_a_count),
		cmocka_unit_test(every_event_has_a_name_and_a_sentence),
		cmocka_unit_test(may_be_set_up_anew_while_others_write),
		cmocka_unit_test(goes_to_standard_error_unless_told_otherwise),
		cmocka_unit_test(a_full_pipe_holds_up_nobody),
		cmocka_unit_test(setting_it_up_again_opens_nothing_more),
		cmocka_unit_test(a_full_socket_holds_up_nobody),
	};

	if (pipe2(out, O_CLOEXEC | O_NONBLOCK) == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
