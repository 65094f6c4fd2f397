/* banned.h - functions that this tree does not use, turned into compile errors.
 *
 * Each has a safer twin here: str_* and snprintf for text, num_* for numbers,
 * wall_* for dates, id_* for randomness.  Forced into every file of ours by the
 * Makefile, after nothing and before everything, so that it cannot be forgotten. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

/* The system's own headers declare these names, so they must be seen first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok atoi atol atof
#undef alloca
#pragma GCC poison localtime gmtime ctime asctime alloca

/* OpenSSL's headers use the word itself, so here only a call is refused. */
extern int rand(void) __attribute__((error("use id_random")));
extern void srand(unsigned) __attribute__((error("use id_random")));

#endif
