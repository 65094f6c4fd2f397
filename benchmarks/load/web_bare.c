/* web_bare - civetweb as its authors made it, with one handler, for web.c: prints its port, serves until
 * it is stopped.  Linked with the library's own source, without our patch. */
#include <civetweb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "sys/thread.h"
#include "web.h"

static int
small(struct mg_connection *c, void *arg)
{
	char out[512];

	(void)arg;
	int n = snprintf(out, sizeof out, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n\r\n%s", strlen(WEB_BODY), WEB_BODY);
	mg_write(c, out, (size_t)n);
	return 200;
}

int
main(void)
{
	const char *options[] = { "listening_ports", "127.0.0.1:0", "num_threads", "128", "enable_keep_alive", "yes",
	    "tcp_nodelay", "1", "keep_alive_timeout_ms", "5000", NULL };
	struct mg_server_port port;
	struct mg_callbacks callbacks;
	sigset_t ends;
	int signo;

	thread_block_signals();
	prctl(PR_SET_PDEATHSIG, SIGTERM);	/* a measurement that breaks off leaves nobody behind */
	memset(&callbacks, 0, sizeof callbacks);
	struct mg_context *ctx = mg_start(&callbacks, NULL, options);
	if (ctx == NULL || mg_get_server_ports(ctx, 1, &port) != 1)
		return 1;
	mg_set_request_handler(ctx, WEB_PATH, small, NULL);
	printf("%d\n", port.port);
	fflush(stdout);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigwait(&ends, &signo);
	mg_stop(ctx);
	return 0;
}
