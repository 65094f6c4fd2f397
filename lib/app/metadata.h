/* metadata.h - what the owner says of an instance, from words to a record's map. */
#ifndef APP_METADATA_H
#define APP_METADATA_H

#include "base/err.h"

/* metadata_make(kv, type, made, err): "K=V" words (NULL-terminated, or NULL), each K once, V being JSON
 * or plain text, and the type as service_type unless a word has that key or type is NULL.  *made is
 * the caller's (mem_free).  ERR_CONFIG names the wrong word. */
enum err_code metadata_make(const char *const *kv, const char *type, char **made, struct err *err);

#endif
