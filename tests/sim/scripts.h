/* scripts.h - directed runs: each is harmless to the core and fatal to one mutant. */
#ifndef SIM_SCRIPTS_H
#define SIM_SCRIPTS_H

/* scripts_run(): prints `ok sim NAME` or `not ok sim NAME`; 0 when all are ok. */
int scripts_run(void);

#endif
