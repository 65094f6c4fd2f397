/* pattern.c - token by token. */
#include "model/pattern.h"

#include <string.h>

#include "model/names.h"

static bool
is_word(const char *p, size_t n, const char *word)
{
	return strlen(word) == n && memcmp(p, word, n) == 0;
}

static enum err_code
token_check(const char *pattern, const char *p, size_t n, bool last, struct err *err)
{
	if (n == 0)
		return err_set(err, ERR_INVALID, "event pattern '%.*s': a token is empty; use single dots between tokens",
		    PATTERN_MAX, pattern);
	if (is_word(p, n, "*") || (is_word(p, n, ">") && last))
		return ERR_OK;
	if (memchr(p, '>', n) != NULL)
		return err_set(err, ERR_INVALID, "event pattern '%.*s': '>' stands for all further tokens, so it must be the "
		    "last one, alone", PATTERN_MAX, pattern);
	if (memchr(p, '*', n) != NULL)
		return err_set(err, ERR_INVALID, "event pattern '%.*s': '*' stands for a whole token", PATTERN_MAX, pattern);
	if (!name_ok(NAME_DOMAIN, p, n))
		return err_set(err, ERR_INVALID, "event pattern '%.*s': '%.*s' is no token; it begins with a letter and goes on "
		    "with letters, digits, '-' and '_'", PATTERN_MAX, pattern, (int)(n < 64 ? n : 64), p);
	return ERR_OK;
}

enum err_code
pattern_check(const char *pattern, struct err *err)
{
	size_t tokens = 0, n = strlen(pattern);
	bool open_end = n > 0 && pattern[n - 1] == '>';

	if (n > PATTERN_MAX)
		return err_set(err, ERR_INVALID, "event pattern: has %zu characters; use at most %d", n, PATTERN_MAX);
	for (const char *p = pattern;; p++, tokens++) {
		size_t k = strcspn(p, ".");
		bool last = p[k] == '\0';
		if (tokens == 0 && !is_word(p, k, "events"))
			return err_set(err, ERR_INVALID, "event pattern '%s': must begin with 'events.', as in events.order.created",
			    pattern);
		enum err_code code = token_check(pattern, p, k, last, err);
		if (code != ERR_OK)
			return code;
		p += k;
		if (last)
			break;
	}
	if (tokens + 1 < (open_end ? 2 : 3))
		return err_set(err, ERR_INVALID, "event pattern '%s': domain and type are missing; write events.DOMAIN.TYPE, "
		    "events.DOMAIN.> or events.>", pattern);
	return ERR_OK;
}

bool
pattern_is_exact(const char *pattern)
{
	return strpbrk(pattern, "*>") == NULL;
}

bool
pattern_matches(const char *pattern, const char *subject)
{
	for (;;) {
		size_t k = strcspn(pattern, "."), n = strcspn(subject, ".");
		if (is_word(pattern, k, ">"))
			return n > 0;
		if (!is_word(pattern, k, "*") && (k != n || memcmp(pattern, subject, n) != 0))
			return false;
		if (n == 0 || pattern[k] == '\0' || subject[n] == '\0')
			return n > 0 && pattern[k] == subject[n];
		pattern += k + 1;
		subject += n + 1;
	}
}
