/* nkey.h - the public half of an nkey seed: nats.c signs with the seed's file but wants to
 * be told whose signature it is. */
#ifndef NATS_NKEY_H
#define NATS_NKEY_H

#include "base/err.h"

#define NKEY_PUBLIC_MAX 60

/* nkey_public(path, out, err): reads the seed ("SU…", also between the marker lines of a
 * .nk or .creds file) and writes "U…".  ERR_CONFIG names the file and what is wrong. */
enum err_code nkey_public(const char *path, char out[NKEY_PUBLIC_MAX], struct err *err);

#endif
