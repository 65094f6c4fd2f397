/* monitor_inner.h - inside lib/monitor: the shell's parts, and what they share. */
#ifndef MONITOR_MONITOR_INNER_H
#define MONITOR_MONITOR_INNER_H

#include <stdatomic.h>

#include "base/map.h"
#include "discovery/discovery.h"
#include "discovery/leaders.h"
#include "discovery/table.h"
#include "model/heartbeat.h"
#include "monitor/changes.h"
#include "monitor/figures.h"
#include "monitor/monitor.h"
#include "monitor/series.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define MONITOR_MAGIC 0x30111701u
#define ASK_NS NS_PER_S			/* how long a question to the loop may wait */

struct departed;
struct foreign;
struct orphans;

/* What is known of one instance; the loop's thread. */
struct watched {
	struct member_entry *entry;	/* NULL: it left */
	bool fresh;			/* young enough to be shown as there */
	bool was_fresh;			/* it was seen alive by this process */
	struct wall since;		/* of its present state; 0: unknown */
	struct wall left_at;
	uint64_t gone_revision;		/* it was removed, and whether it said so itself is awaited; else 0 */
	struct mono gone_until;
	struct mono said_bye;		/* when its unregistering was heard; 0: never */
	struct mono look_again;		/* when to ask the store whether its record is still there */
	bool looking;
	bool anew;			/* its record says that its process began anew; its next beat counts from nothing */
	bool beaten;			/* figures changed since they were told */
	struct figures figures;
	struct past past;
	struct series *series;
	struct changes *changes;
	char *metrics;			/* the map of wire.md §10; NULL until one was heard */
	size_t record_n;		/* how much of its card is the record, without its last brace */
};

/* Who led a group last, to tell since when. */
struct led {
	char instance[132];
	uint64_t epoch;
	struct wall since;
	size_t members;
	bool seen;			/* by the walk under way */
	bool told;			/* somebody else knows more of it, and has told it */
};

struct monitor {
	unsigned magic;
	struct monitor_opts o;
	struct live *live;
	struct pool *pool;
	struct leaders *leaders;
	struct sub *beats, *byes;

	struct map watched;		/* "{service, lower case}/{id}" to struct watched; the loop's, as all up to the atomics */
	struct map led;			/* "{service}/{group}" to struct led */
	struct map followed;		/* services whose beats leaders listen to */
	size_t present;			/* watched that did not leave */
	size_t text_bytes;		/* of their metrics */
	bool synced, groups_dirty, inspecting, inspect_again;
	uint64_t reach;			/* the highest revision that was told */
	struct loop_timer tick, build;
	struct orphans *orphans;
	struct departed *departed;
	struct foreign *foreign;
	struct mono built;

	struct snapshot_cell body;
	char boot[17];			/* tells this process's entity tags from others' */
	_Atomic uint64_t version;	/* grows with whatever /api/metrics shows */
	_Atomic int64_t asked;		/* when /api/metrics was last asked for, by the monotonic clock */
	atomic_bool leaders_told;	/* a mail is on its way */
	struct mail leaders_mail;
	atomic_ulong beats_heard, beats_bad, beats_dropped, beats_unknown;
};

struct wall monitor_wall(const struct monitor *m);
struct mono monitor_mono(const struct monitor *m);

/* monitor_key(service, id): memory of the caller's. */
char *monitor_key(const char *service, const char *id);
struct watched *monitor_find(struct monitor *m, const char *service, const char *id);

/* monitor_ask(m, fn, arg, err): fn(arg) on the loop. */
enum err_code monitor_ask(struct monitor *m, void (*fn)(void *arg), void *arg, struct err *err);

/* beats.c: heartbeats and what they bring. */
enum err_code beats_open(struct monitor *m, struct err *err);
void beats_close(struct monitor *m);
void beats_adopt(struct monitor *m, struct watched *w);	/* what was heard before its record was */
void beats_leave(struct monitor *m, struct watched *w);	/* its metrics are forgotten */

/* news.c: registry changes, staleness, departures. */
void news_listen(struct monitor *m);
void news_tick(struct monitor *m, struct mono now, struct wall wall);
void news_bye(struct monitor *m, struct watched *w);
void news_close(struct monitor *m);
void watched_free(struct watched *w);
void note_restart(struct watched *w, struct wall at);		/* once, though record and heartbeat both tell */

/* cards.c: states as JSON, put into the hub. */
void card_put(struct monitor *m, struct watched *w, uint64_t revision, bool urgent);
void card_gone(struct monitor *m, const struct instance *i, const char *cause, struct wall at, uint64_t revision);
void card_figures(struct monitor *m, struct watched *w);
void cards_overview(struct monitor *m);
void overview_write(struct monitor *m, const char *service, struct str *out);
void json_time(struct str *out, struct wall at);	/* "…Z" in quotes, null for 0 */
void json_real(struct str *out, double v);		/* null for what is none */
void json_text(struct str *out, const char *text);

char *card_key(const char *service, const char *name);	/* "{service}/{name}"; memory of the caller's */

/* cards_groups.c: all groups anew; puts what changed, and the cards of leaders. */
void cards_groups(struct monitor *m);

/* departed.c: the stream of those that left. */
struct departed *departed_new(struct monitor *m, struct err *err);
void departed_free(struct departed *d);
struct departure;
void departed_write(struct departed *d, const struct departure *x);
void departed_tick(struct departed *d, struct mono now);
void departed_list(struct departed *d, const char *service, unsigned limit, uint64_t before, uint64_t *next, struct str *out);

/* foreign.c: whoever answers $SRV.STATS. */
struct foreign *foreign_new(struct monitor *m, struct err *err);
void foreign_free(struct foreign *f);
void foreign_tick(struct foreign *f, struct mono now);
void foreign_json(const struct foreign *f, struct str *out);
void foreign_prom(const struct foreign *f, struct str *out);

#endif
