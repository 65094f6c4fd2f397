/* web_ours - our HTTP server with one small route, for web.c: prints its port, serves until it is
 * stopped.  web_ours PER-PEER */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "http/server.h"
#include "sys/thread.h"
#include "web.h"

static enum err_code
small(void *arg, struct web_request *r, struct err *err)
{
	(void)arg;
	(void)err;
	web_reply(r, 200, "application/json", text_of(WEB_BODY));
	return ERR_OK;
}

int
main(int argc, char **argv)
{
	static const struct web_route routes[] = { { "GET", WEB_PATH, WEB_QUICK, .handler = small } };
	static const char *const listen[] = { "http://127.0.0.1:0" };
	struct web_server_opts o = { .listen = listen, .nlisten = 1, .routes = routes, .nroutes = 1 };
	struct err err = { ERR_OK, "" };
	sigset_t ends;
	int signo;

	o.max_per_peer = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	thread_block_signals();
	prctl(PR_SET_PDEATHSIG, SIGTERM);	/* a measurement that breaks off leaves nobody behind */
	struct web_server *s = web_server_new(&o, &err);
	if (s == NULL) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	printf("%s\n", strrchr(web_server_address(s, 0), ':') + 1);
	fflush(stdout);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigwait(&ends, &signo);
	web_server_free(s);
	return 0;
}
