/* prom.h - figures as Prometheus text 0.0.4: a family's head once, then its samples.
 *
 * Who tells figures keeps the families in a table and names them by their place in it, so that name, type and
 * help stand in one row. */
#ifndef CODEC_PROM_H
#define CODEC_PROM_H

#include "base/hist.h"
#include "base/str.h"

struct prom_family {
	const char *name;
	const char *type;		/* "counter", "gauge" or "histogram" */
	const char *help;
};

/* A writer: the text grows at the end of out. */
struct prom {
	struct str *out;
	const struct prom_family *families;
};

struct prom_label { const char *name, *value; };	/* a list ends with a NULL name; values may hold anything */
#define PROM_LABELS(...) ((const struct prom_label[]){ __VA_ARGS__, { NULL, NULL } })

/* prom_family(p, f): the head of family f; its samples follow at once. */
void prom_family(const struct prom *p, unsigned f);

/* prom_sample(p, f, labels, value): labels may be NULL. */
void prom_sample(const struct prom *p, unsigned f, const struct prom_label *labels, double value);

/* prom_histogram(p, f, labels, h): buckets from 1 ms to 10 s, in seconds; its sum is as exact as the two digits
 * of h. */
void prom_histogram(const struct prom *p, unsigned f, const struct prom_label *labels, const struct hist *h);

/* prom_one(p, f, labels, value): a family of one sample. */
void prom_one(const struct prom *p, unsigned f, const struct prom_label *labels, double value);

#endif
