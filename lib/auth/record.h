/* record.h - what the bucket aegis_auth holds: tokens, browser sessions, login codes, last uses.
 *
 * JSON, one record per key: KIND.ID, where ID is the beginning of the secret's SHA-256, so that whoever
 * shows a secret leads to its record, and the record does not lead to the secret. */
#ifndef AUTH_RECORD_H
#define AUTH_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "auth/token.h"
#include "base/str.h"

/* auth_key_kind(key, id): what a key is for; its part behind the dot in *id, which points into key. */
enum auth_kind auth_key_kind(const char *key, const char **id);

#define AUTH_KEY_MAX 40
void auth_key(enum auth_kind kind, const char *id, char out[AUTH_KEY_MAX]);

/* auth_X_write(out, x): appends the record.  auth_X_read(id, p, n, revision, x, err): the way back;
 * ERR_CORRUPT names what is wrong.  Uses codec_mine. */
void auth_token_write(struct str *out, const struct auth_token *t);
void auth_session_write(struct str *out, const struct auth_session *s);
void auth_code_write(struct str *out, const struct auth_code *c);
void auth_used_write(struct str *out, struct wall at);
enum err_code auth_token_read(const char *id, const void *p, size_t n, uint64_t revision, struct auth_token *t,
    struct err *err);
enum err_code auth_session_read(const char *id, const void *p, size_t n, uint64_t revision, struct auth_session *s,
    struct err *err);
enum err_code auth_code_read(const char *id, const void *p, size_t n, uint64_t revision, struct auth_code *c,
    struct err *err);
enum err_code auth_used_read(const void *p, size_t n, struct wall *at, struct err *err);

/* auth_token_show(out, t, key, value): appends the token as users see it, in JSON, without its hash; with a
 * further member, unless key is NULL. */
void auth_token_show(struct str *out, const struct auth_token *t, const char *key, const char *value);

/* auth_token_pack: the same as part of something greater. */
struct pack;
void auth_token_pack(struct pack *k, const struct auth_token *t, const char *key, const char *value);

#endif
