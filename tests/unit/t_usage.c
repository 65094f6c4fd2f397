/* t_usage - what /proc tells of this process and machine, against what this test does to them. */
#include "expect.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "sys/usage.h"

static void
process_is_told(void **state)
{
	struct usage_self a, b;
	size_t n = 64 << 20;
	volatile unsigned spin = 0;

	(void)state;
	assert_true(usage_self(&a));
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	memset(p, 1, n);
	for (clock_t end = clock() + CLOCKS_PER_SEC / 5; clock() < end;)
		spin++;
	assert_true(usage_self(&b));
	assert_int_equal(b.open_fds, a.open_fds + 1);
	assert_true(b.resident_bytes >= a.resident_bytes + n / 2);
	assert_true(b.virtual_bytes >= b.resident_bytes);
	assert_true(b.cpu_s >= a.cpu_s + 0.1);
	assert_true(b.max_fds >= b.open_fds);
	assert_true(b.started_s <= (double)time(NULL) + 2 && b.started_s > (double)time(NULL) - 3600);
	munmap(p, n);
	close(fd);
}

static void
machine_is_told(void **state)
{
	struct usage_cpu now;

	(void)state;
	assert_true(usage_cpu(&now));
	assert_true(now.total > 0 && now.busy <= now.total);
	assert_true(usage_cpu_percent((struct usage_cpu){ 0 }, now) <= 100);
	assert_true(usage_cpu_percent((struct usage_cpu){ 10, 100 }, (struct usage_cpu){ 60, 200 }) == 50);
	assert_true(usage_cpu_percent(now, now) == 0);
	assert_true(usage_cpu_percent((struct usage_cpu){ 60, 200 }, (struct usage_cpu){ 10, 100 }) == 0);
	assert_true(usage_memory_percent() > 0 && usage_memory_percent() < 100);
	assert_true(usage_disk_percent("/") > 0 && usage_disk_percent("/") <= 100);
	assert_true(usage_disk_percent("/no/such/path") == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(process_is_told),
		cmocka_unit_test(machine_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
