/* signals.h - which signals are a wrapper's own, and which are its program's (conventions.md §9). */
#ifndef APP_SIGNALS_H
#define APP_SIGNALS_H

#include "base/err.h"
#include "sys/loop.h"

/* signals_take(l, stop, pass, arg, err): from now on TERM and INT arrive at stop, and HUP, QUIT, USR1, USR2,
 * WINCH, CONT and TSTP at pass, on the loop, which takes them along when it is freed. */
enum err_code signals_take(struct loop *l, void (*stop)(void *arg, int signo), void (*pass)(void *arg, int signo),
    void *arg, struct err *err);

#endif
