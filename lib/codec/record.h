/* record.h - what lies in the bucket service_registry (wire.md §8) to bytes and back. */
#ifndef CODEC_RECORD_H
#define CODEC_RECORD_H

#include "base/err.h"
#include "base/str.h"
#include "codec/codec.h"
#include "model/definition.h"
#include "model/instance.h"

/* instance_encode(i, out): the seven keys in order, compact and ASCII-escaped, and the
 * eighth when sticky is not NONE, repeated as metadata.sticky_active_status.  i's metadata
 * must be JSON of a map (MUST). */
void instance_encode(const struct instance *i, struct str *out);

/* instance_decode(c, p, n, i, err): as strict as the Python SDK where that keeps records
 * apart (status, null metadata, the id's form), tolerant of unknown keys, either spelling
 * of the sticky status.  On failure i is empty.  i owns its memory. */
enum err_code instance_decode(struct codec *c, const void *p, size_t n, struct instance *i,
    struct err *err);

/* instance_pack(p, i): the record as a value inside a larger answer (CLI, HTTP): the same
 * seven or eight members. */
void instance_pack(struct pack *p, const struct instance *i);

/* instance_pack_metadata(p, i): its metadata alone, for whoever shows it: what stands there of the role is i's, not that of a
 * record which somebody overtook. */
void instance_pack_metadata(struct pack *p, const struct instance *i);

/* definition_encode(d, out): exactly the shape of §8.3, times with +08:00. */
void definition_encode(const struct definition *d, struct str *out);
enum err_code definition_decode(struct codec *c, const void *p, size_t n, struct definition *d,
    struct err *err);
void definition_pack(struct pack *p, const struct definition *d);

/* definition_from_value(v, d, err): from what a person wrote (`registry put`): service_name,
 * owner, description and version needed, times optional (then left 0), unknown members
 * refused by name with a suggestion. */
enum err_code definition_from_value(const struct value *v, struct definition *d, struct err *err);

#endif
