/* id.h - random identifiers from the kernel's generator.
 *
 * A per-thread reserve of 512 bytes makes an id cost tens of nanoseconds instead of a
 * system call.  Any thread may call; nothing fails (a kernel without getrandom ends the
 * program, as without randomness neither nonces nor tokens mean anything). */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stddef.h>
#include <stdint.h>

#define ID_UUID_MAX 37
#define ID_NONCE_MAX 33

void id_uuid4(char out[ID_UUID_MAX]);		/* "0d51ab73-c892-4bf7-9183-f57455223201" */
void id_nonce(char out[ID_NONCE_MAX]);		/* 128 bits as 32 hex digits */
void id_hex(char *out, size_t digits);		/* digits hex digits and a terminator */
uint64_t id_random(void);

#endif
