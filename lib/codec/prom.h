/* prom.h - figures as Prometheus text 0.0.4: a family's head once, then its samples. */
#ifndef CODEC_PROM_H
#define CODEC_PROM_H

#include "base/hist.h"
#include "base/str.h"

struct prom_label { const char *name, *value; };	/* a list ends with a NULL name; values may hold anything */

/* prom_family(out, name, type, help): type is "counter", "gauge" or "histogram". */
void prom_family(struct str *out, const char *name, const char *type, const char *help);

/* prom_sample(out, name, labels, value): labels may be NULL. */
void prom_sample(struct str *out, const char *name, const struct prom_label *labels, double value);

/* prom_histogram(out, name, labels, h): buckets from 1 ms to 10 s, in seconds; its sum is as exact as the
 * two digits of h. */
void prom_histogram(struct str *out, const char *name, const struct prom_label *labels, const struct hist *h);

#endif
