/* guardian_wire.h - what wrapper and guardian say to each other, over a SEQPACKET pair.
 *
 * Both ends are the same binary, so a message is a plain struct; text is cut to what was
 * sent.  Private to guardian.c and guardian_main.c. */
#ifndef RUNNER_GUARDIAN_WIRE_H
#define RUNNER_GUARDIAN_WIRE_H

#include <stdint.h>

enum guardian_word {
	/* orders */
	WORD_SIGNAL = 1,	/* value: signal */
	WORD_KILL,
	/* news */
	WORD_STARTED,		/* value: pid */
	WORD_FAILED,		/* value: exit code, text */
	WORD_EXITED,		/* value: wait status */
	WORD_EMPTY,
	WORD_LAPSED,		/* the lease ran low, the program was told or killed */
};

/* The numbers on a guardian's command line, joined by colons, in this order. */
enum guardian_number {
	GUARDIAN_SOCK, GUARDIAN_READY, GUARDIAN_PAGE,	/* descriptors; the last two may be -1 */
	GUARDIAN_WRAPPER,				/* its pid */
	GUARDIAN_LEASE, GUARDIAN_LOST_SIGNAL, GUARDIAN_HANG, GUARDIAN_HOT,	/* of struct tether_terms */
	GUARDIAN_NUMBERS
};
#define GUARDIAN_FD_MAX 255

struct guardian_message {
	uint32_t word;
	int32_t value;
	uint64_t reaped;	/* orphans collected so far */
	char text[400];		/* sent up to its terminator */
};

#define GUARDIAN_HEAD offsetof(struct guardian_message, text)

#endif
