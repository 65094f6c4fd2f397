/* drill.h - a member of a failover drill (bench/drill.h): one process, one part in an election.
 *
 * It serves DRILL_CALL through the gate as an exclusive method does: look, act, look again,
 * answer.  TERM hands the lease over and ends it.  It dies with whoever spawned it. */
#ifndef APP_DRILL_H
#define APP_DRILL_H

_Noreturn void drill_main(int argc, char **argv);

#endif
