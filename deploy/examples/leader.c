/* leader.c - one active member of several: of all that run, one hands out numbers.
 *
 *	cc leader.c -o leader $(pkg-config --cflags --libs aegis)
 *	./leader & ./leader & aegis call --sticky number-service next
 */
#include <aegis.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

static void
on_role(void *arg, enum aegis_role role, uint64_t epoch)
{
	(void)arg;
	/* With AEGIS_ACTIVE: read what the leader before has written.  With AEGIS_STANDBY: write nothing more. */
	printf("%s %" PRIu64 "\n", role == AEGIS_ACTIVE ? "active" : "standby", epoch);
	fflush(stdout);
}

static void
next(void *arg, aegis_request *r)
{
	static _Atomic int64_t number;
	aegis_out *out = aegis_out_new();

	(void)arg;
	/* A store that refuses lower epochs than it has seen makes this safe even from a frozen machine. */
	aegis_out_int(out, "epoch", (int64_t)aegis_request_epoch(r));
	aegis_out_int(out, "number", ++number);
	aegis_reply(r, out);
}

int
main(void)
{
	aegis_error e;
	sigset_t ends;
	int signo;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);	/* before there are threads */
	aegis *a = aegis_connect(NULL, &e);
	if (a == NULL || aegis_serve_with(a, "next", next, NULL, &(aegis_serve_options){ .exclusive = true }, &e) != AEGIS_OK ||
	    aegis_elect_join(a, &(aegis_elect_options){ .role = on_role }, &e) == NULL ||
	    aegis_register(a, &(aegis_identity){ .service = "number-service" }, &e) != AEGIS_OK) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	sigwait(&ends, &signo);
	aegis_close(a);				/* another one leads at once */
	return 0;
}
