/* urgent.h - a thread that must run soon after it wakes, on a machine that has too much to do.
 *
 * A renewal of a lease is a chain of short steps of several threads, each of which waits for a core.  The
 * best that the system allows is taken: the real-time class SCHED_RR at its lowest priority, for which it
 * wants CAP_SYS_NICE or RLIMIT_RTPRIO; else a shorter slice of the ordinary class (Linux 6.12 and later),
 * for which it wants nothing: then a thread comes sooner, and gets no more.  A refusal is no error. */
#ifndef SYS_URGENT_H
#define SYS_URGENT_H

#include <stdbool.h>
#include <stdint.h>

enum urgency {
	URGENCY_NONE,			/* as everybody */
	URGENCY_SLICE,
	URGENCY_REALTIME,
};

/* urgent_ask(heirs): for the calling thread.  heirs: the threads that it makes have it, too; else neither
 * they nor its child processes. */
enum urgency urgent_ask(bool heirs);

/* A thread that does other work as well has the real-time class only while it uses little time: urgent_judge,
 * called now and then by that thread, takes it away for as long as more than a quarter of its time goes into
 * work, and asks for it again afterwards.  Zeroed at first. */
struct urgent {
	enum urgency now;
	int64_t used_ns, at_ns;
	bool asked;
};
enum urgency urgent_judge(struct urgent *u);

#endif
