/* lease.h - what lies in the buckets of an election, as bytes and back (election.md §3), and
 * what an answer to a lease write means (§13).
 *
 * All is JSON.  Unknown members are ignored everywhere, so that later versions may add some.
 * Functions that read use codec_mine. */
#ifndef CODEC_LEASE_H
#define CODEC_LEASE_H

#include "base/err.h"
#include "base/str.h"
#include "model/lease.h"

/* lease_encode(r, out): the value of a register, at most LEASE_VALUE_MAX bytes: connections that
 * would not fit are left out, as they are only a hint.  r's mark is not BLANK, its holder is
 * an instance id (MUST). */
void lease_encode(const struct lease_record *r, struct str *out);

/* lease_decode(p, n, r, err): ERR_INVALID or ERR_SYNTAX when the value is *unknown*: it cannot be
 * read, is of a later version, or asks observers to wait for more than a minute.  That is not
 * blank: such a register is left alone.  r is only set on success. */
enum err_code lease_decode(const void *p, size_t n, struct lease_record *r, struct err *err);

/* The set of registers, AEGIS_META `set`. */
struct lease_set {
	char uuid[37];
	unsigned n;				/* 1 or 3 */
	bool ready;				/* or still being created */
	char node[LEASE_REGISTERS][129];	/* "" when not known */
};
void lease_set_encode(const struct lease_set *s, struct str *out);
enum err_code lease_set_decode(const void *p, size_t n, struct lease_set *s, struct err *err);

/* The group record, AEGIS_META `group__{gid}`. */
struct lease_group_record {
	enum lease_group state;			/* NEW or LIVE */
	char profile[17], fence[17];
	uint64_t epoch;
};
void lease_group_encode(const struct lease_group_record *g, struct str *out);
enum err_code lease_group_decode(const void *p, size_t n, struct lease_group_record *g, struct err *err);

/* The last changes, AEGIS_META `changes__{gid}`: the highest epoch first. */
#define LEASE_CHANGES 10
struct lease_change {
	uint64_t epoch;
	char instance[129];
	struct wall at;
	char reason[17];
};
struct lease_changes {
	unsigned n;
	struct lease_change list[LEASE_CHANGES];
};
/* lease_changes_add(c, one): at its epoch's place, because holders write in the background and a slow one
 * may come after its successor; beyond LEASE_CHANGES the lowest epoch falls out. */
void lease_changes_add(struct lease_changes *c, const struct lease_change *one);
void lease_changes_encode(const struct lease_changes *c, struct str *out);
enum err_code lease_changes_decode(const void *p, size_t n, struct lease_changes *c, struct err *err);

enum lease_answer {
	LEASE_ANSWER_ACK,	/* stored; *number is the revision */
	LEASE_ANSWER_NACK,	/* not stored; *number is JetStream's err_code */
	LEASE_ANSWER_LOST,	/* nobody knows: no answer of JetStream at all, or 503 */
};

/* lease_answer(p, n, number): the reply to a lease write.  Errors also carry "seq":0, so `error`
 * is looked at first.  An empty reply is "no responders". */
enum lease_answer lease_answer(const void *p, size_t n, uint64_t *number);

/* lease_read_missing(p, n): the reply to a leader read says that the key has no value (10037):
 * blank, and nothing else is. */
bool lease_read_missing(const void *p, size_t n);

#endif
