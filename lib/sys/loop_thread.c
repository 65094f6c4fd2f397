/* loop_thread.c - the stop is a vital mail: a full mailbox does not keep it out. */
#include "sys/loop_thread.h"

#include "base/magic.h"
#include "sys/loop.h"
#include "sys/pool.h"
#include "sys/thread.h"

static void *
turn(void *arg)
{
	loop_run(arg);
	if (pool_thread_end != NULL)
		pool_thread_end();
	return NULL;
}

static void
on_stop(struct mail *m)
{
	loop_stop(CONTAINER_OF(m, struct loop_thread, stop)->loop);
}

enum err_code
loop_thread_start(struct loop_thread *t, struct loop *loop, struct err *err)
{
	*t = (struct loop_thread){ .loop = loop, .stop = { .deliver = on_stop, .vital = true } };
	enum err_code code = thread_start(&t->thread, "loop", turn, loop, err);

	t->runs = code == ERR_OK;
	return code;
}

void
loop_thread_stop(struct loop_thread *t)
{
	if (!t->runs)
		return;
	loop_post(t->loop, &t->stop);
	pthread_join(t->thread, NULL);
	t->runs = false;
}
