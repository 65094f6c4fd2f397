/* ask.c - a question to a person at the terminal. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

bool
cmd_ask(const char *question, char *out, size_t size)
{
	if (!isatty(0) || !isatty(2))
		return false;
	fputs(question, stderr);
	if (fgets(out, (int)size, stdin) == NULL)
		return false;
	out[strcspn(out, "\n")] = '\0';
	return true;
}
