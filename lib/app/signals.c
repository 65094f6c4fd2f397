/* signals.c - the two kinds of signals of a wrapper. */
#include "app/signals.h"

#include <signal.h>

#include "base/magic.h"

enum err_code
signals_take(struct loop *l, void (*stop)(void *arg, int signo), void (*pass)(void *arg, int signo), void *arg,
    struct err *err)
{
	static const struct { int signo; bool stops; } rows[] = {
		{ SIGTERM, true }, { SIGINT, true }, { SIGHUP, false }, { SIGQUIT, false }, { SIGUSR1, false },
		{ SIGUSR2, false }, { SIGWINCH, false }, { SIGCONT, false }, { SIGTSTP, false },
	};
	enum err_code code = ERR_OK;

	for (size_t i = 0; code == ERR_OK && i < COUNT_OF(rows); i++)
		code = loop_signal(l, rows[i].signo, rows[i].stops ? stop : pass, arg, err);
	return code;
}
