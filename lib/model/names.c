/* names.c - the rules of wire.md §1 as rows, and one function that applies a row.
 *
 * A row says which characters may lead, follow and end, how long the name may be, and what
 * else is asked; the sentences are made from the same row, so that they cannot disagree.
 * The called kinds are capped at 128, the longest that Python's broadcasts carry, so that
 * every subject has a bound. */
#include "model/names.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/utf8.h"

/* Classes of characters. */
enum {
	LOWER = 1, UPPER = 2, DIGIT = 4, DASH = 8, UNDERSCORE = 16, DOT = 32,
	OTHER = 64,		/* what the classes above do not hold and no key forbids */
	LETTER = LOWER | UPPER,
	ALNUM = LETTER | DIGIT,
	ANY = ALNUM | DASH | UNDERSCORE | OTHER,
};

/* Further rules, one bit each. */
enum {
	TOKENS = 1,		/* several names, separated by dots */
	NO_DASHES = 2,		/* no "--" */
	NO_UNDERSCORES = 4,	/* no "__": it separates the parts of keys */
	NOT_RESERVED = 8,
	NOT_HEX = 16,		/* Python takes a target ending in 8 hex digits for an instance */
	NO_ZEROS = 32,		/* no leading zeros in a version */
};

struct rule {
	const char *what;
	unsigned char first, rest, last;	/* classes */
	unsigned char flags;
	unsigned char min, max;			/* characters */
	unsigned char parts_min, parts_max;	/* of a version; 0 = is none */
};

static const struct rule rules[NAME_KINDS] = {
	[NAME_SERVICE] = { "service name", LOWER, LOWER | DIGIT | DASH, LOWER | DIGIT,
	    NO_DASHES | NOT_RESERVED | NOT_HEX, 3, 64, 0, 0 },
	[NAME_SERVICE_CALLED] = { "service name", LETTER, ALNUM | DASH | UNDERSCORE,
	    ALNUM | DASH | UNDERSCORE, 0, 1, 128, 0, 0 },
	[NAME_INSTANCE] = { "instance id", ALNUM, ALNUM | DASH | UNDERSCORE,
	    ALNUM | DASH | UNDERSCORE, NO_UNDERSCORES, 1, 100, 0, 0 },
	[NAME_INSTANCE_CALLED] = { "instance id", ALNUM, ALNUM | DASH | UNDERSCORE,
	    ALNUM | DASH | UNDERSCORE, 0, 1, 128, 0, 0 },
	[NAME_METHOD] = { "method name", LOWER, LOWER | DIGIT | UNDERSCORE,
	    LOWER | DIGIT | UNDERSCORE, 0, 1, 128, 0, 0 },
	[NAME_METHOD_CALLED] = { "method name", LETTER, ALNUM | UNDERSCORE,
	    ALNUM | UNDERSCORE, 0, 1, 128, 0, 0 },
	[NAME_GROUP] = { "group", ALNUM, ALNUM | DASH | UNDERSCORE, ALNUM | DASH | UNDERSCORE,
	    NO_UNDERSCORES, 1, 64, 0, 0 },
	[NAME_VERSION] = { "version", DIGIT, DIGIT | DOT, DIGIT, 0, 1, 64, 3, 3 },
	[NAME_VERSION_DEFINED] = { "version", DIGIT, DIGIT | DOT, DIGIT, NO_ZEROS, 1, 64, 3, 3 },
	[NAME_VERSION_EVENT] = { "version", DIGIT, DIGIT | DOT, DIGIT, 0, 1, 64, 2, 3 },
	[NAME_BUCKET] = { "bucket name", ALNUM | UNDERSCORE, ALNUM | UNDERSCORE, ALNUM | UNDERSCORE,
	    0, 1, 200, 0, 0 },
	[NAME_KEY] = { "key", ANY, ANY, ANY, 0, 1, 255, 0, 0 },
	[NAME_DOMAIN] = { "event domain", LETTER, ALNUM | DASH | UNDERSCORE,
	    ALNUM | DASH | UNDERSCORE, 0, 1, 128, 0, 0 },
	[NAME_EVENT_TYPE] = { "event type", LETTER, ALNUM | DASH | UNDERSCORE,
	    ALNUM | DASH | UNDERSCORE, TOKENS, 1, 200, 0, 0 },
	[NAME_COMMAND] = { "command name", LETTER, ALNUM | DASH | UNDERSCORE,
	    ALNUM | DASH | UNDERSCORE, 0, 1, 128, 0, 0 },
};

/* Words that are second tokens of subjects or that Python uses as services of its own. */
static const char *const reserved[] = {
	"callback", "cancel", "health", "progress", "status", "unknown",
};

#define HEX_MIN 8	/* so many hex digits at the end of a target look like an instance id */

/* One byte per character, because names are checked with each call.  What is not listed no key
 * may hold: controls, blanks, * / : > and backslash. */
static const unsigned char classes_of[256] = {
	['!' ... ')'] = OTHER, ['+' ... ','] = OTHER, ['-'] = DASH, ['.'] = DOT, ['0' ... '9'] = DIGIT,
	[';' ... '='] = OTHER, ['?' ... '@'] = OTHER, ['A' ... 'Z'] = UPPER, ['['] = OTHER,
	[']' ... '^'] = OTHER, ['_'] = UNDERSCORE, ['`'] = OTHER, ['a' ... 'z'] = LOWER,
	['{' ... '~'] = OTHER, [0x80 ... 0xFF] = OTHER,
};

static inline unsigned
class_of(unsigned char c)
{
	return classes_of[c];
}

/* --- sentences ---------------------------------------------------------------------------- */

#define SHOWN_MAX 64	/* of a name; a longer one is cut in messages */

struct shown { char s[SHOWN_MAX + 8]; };	/* the last character, three dots */
struct words { char s[80]; };

/* shown: the name as a message quotes it, without what would move a terminal's cursor or
 * make the message itself unreadable. */
static struct shown
shown(const char *p, size_t n)
{
	struct shown out;
	size_t k = 0;
	uint32_t c;

	for (size_t i = 0, len; i < n && k < SHOWN_MAX; i += len) {
		len = utf8_next(p + i, n - i, &c);
		if (len == 0 || c < ' ' || c == 0x7F) {
			out.s[k++] = '?';
			len = 1;
		} else {
			memcpy(out.s + k, p + i, len);
			k += len;
		}
	}
	snprintf(out.s + k, sizeof out.s - k, "%s", n > k ? "..." : "");
	return out;
}

/* culprit: the character at p, of which n bytes are left, by its looks or by its number. */
static struct words
culprit(const char *p, size_t n)
{
	struct words w;
	uint32_t c;
	size_t len = utf8_next(p, n, &c);

	if (len == 1 && c == ' ')
		snprintf(w.s, sizeof w.s, "a blank");
	else if (len == 0 || c < ' ' || c == 0x7F)
		snprintf(w.s, sizeof w.s, "the byte 0x%02x", (unsigned char)*p);
	else
		snprintf(w.s, sizeof w.s, "'%.*s'", (int)len, p);
	return w;
}

static struct words
allowed(unsigned classes)
{
	static const struct { unsigned class; const char *words; } names[] = {
		{ LOWER, "a-z" }, { UPPER, "A-Z" }, { DIGIT, "0-9" }, { DASH, "'-'" },
		{ UNDERSCORE, "'_'" }, { DOT, "'.'" },
		{ OTHER, "anything but blanks . * > / \\ :" },
	};
	struct words w;
	size_t len = 0;

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if ((classes & names[i].class) == 0)
			continue;
		len += (size_t)snprintf(w.s + len, sizeof w.s - len, "%s%s", len > 0 ? ", " : "",
		    names[i].words);
	}
	return w;
}

static enum err_code
refuse_char(const struct rule *r, const char *p, size_t n, size_t at, unsigned classes, struct err *err)
{
	if (err == NULL)
		return ERR_INVALID;
	struct words bad = culprit(p + at, n - at), use = allowed(classes), place = { "at the start" };
	if (at > 0 && classes == r->last && (class_of((unsigned char)p[at]) & r->rest) != 0)
		snprintf(place.s, sizeof place.s, "at the end");
	else if (at > 0)
		snprintf(place.s, sizeof place.s, "at position %zu", at + 1);
	return err_set(err, ERR_INVALID, "%s '%s': %s is not allowed %s; use %s%s", r->what, shown(p, n).s,
	    bad.s, place.s, use.s, (r->flags & TOKENS) != 0 ? ", and single dots between names" : "");
}

/* --- the rules ---------------------------------------------------------------------------- */

/* chars_check: each character against the classes of its place. */
static enum err_code
chars_check(const struct rule *r, const char *p, size_t n, struct err *err)
{
	bool leads = true;

	for (size_t i = 0; i < n; i++) {
		if (!leads && p[i] == '.' && (r->flags & TOKENS) != 0 && i + 1 < n) {
			leads = true;
			continue;
		}
		unsigned classes = leads ? r->first : i + 1 == n ? r->last : r->rest;
		if ((class_of((unsigned char)p[i]) & classes) == 0)
			return refuse_char(r, p, n, i, classes, err);
		leads = false;
	}
	return ERR_OK;
}

static enum err_code
version_check(const struct rule *r, const char *p, size_t n, struct err *err)
{
	unsigned parts = 0;

	for (size_t i = 0; i < n; ) {
		size_t k = 0;
		while (i + k < n && p[i + k] != '.')
			k++;
		if (k == 0)
			return err_set(err, ERR_INVALID, "%s '%s': a number is missing at position %zu",
			    r->what, shown(p, n).s, i + 1);
		if ((r->flags & NO_ZEROS) != 0 && k > 1 && p[i] == '0')
			return err_set(err, ERR_INVALID, "%s '%s': '%.*s' has a leading zero; leave it out",
			    r->what, shown(p, n).s, (int)k, p + i);
		parts++;
		i += k + 1;
	}
	if (parts < r->parts_min || parts > r->parts_max)
		return err_set(err, ERR_INVALID, "%s '%s': has %u numbers; use %s", r->what, shown(p, n).s,
		    parts, r->parts_min == 2 ? "two or three, as in 1.0" : "three, as in 1.0.0");
	return ERR_OK;
}

static enum err_code
pair_check(const struct rule *r, const char *pair, const char *p, size_t n, struct err *err)
{
	const char *at = memmem(p, n, pair, 2);

	if (at == NULL)
		return ERR_OK;
	return err_set(err, ERR_INVALID, "%s '%s': '%s' at position %zu is not allowed; use a single '%c'",
	    r->what, shown(p, n).s, pair, (size_t)(at - p) + 1, *pair);
}

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static enum err_code
meaning_check(const struct rule *r, const char *p, size_t n, struct err *err)
{
	for (size_t i = 0; i < COUNT_OF(reserved) && (r->flags & NOT_RESERVED) != 0; i++) {
		if (strlen(reserved[i]) == n && memcmp(reserved[i], p, n) == 0)
			return err_set(err, ERR_INVALID, "%s '%s': the word is reserved; choose another, for "
			    "example '%s-service'", r->what, reserved[i], reserved[i]);
	}
	size_t hex = 0;
	while (hex < n && is_hex(p[n - 1 - hex]))
		hex++;
	if ((r->flags & NOT_HEX) != 0 && hex >= HEX_MIN && (hex == n || p[n - 1 - hex] == '-'))
		return err_set(err, ERR_INVALID, "%s '%s': ends like an instance id, in %d or more hex "
		    "digits; put a word behind them", r->what, shown(p, n).s, HEX_MIN);
	return ERR_OK;
}

static enum err_code
rule_check(const struct rule *r, const char *p, size_t n, struct err *err)
{
	enum err_code code;

	if (n == 0)
		return err_set(err, ERR_INVALID, "%s: is empty; use %s first", r->what, allowed(r->first).s);
	if ((code = chars_check(r, p, n, err)) != ERR_OK)
		return code;
	if (n < r->min || n > r->max)
		return err_set(err, ERR_INVALID, "%s '%s': has %zu characters; use %d to %d", r->what,
		    shown(p, n).s, n, r->min, r->max);
	if (r->parts_max > 0)
		return version_check(r, p, n, err);
	if ((r->flags & NO_DASHES) != 0 && (code = pair_check(r, "--", p, n, err)) != ERR_OK)
		return code;
	if ((r->flags & NO_UNDERSCORES) != 0 && (code = pair_check(r, "__", p, n, err)) != ERR_OK)
		return code;
	return meaning_check(r, p, n, err);
}

enum err_code
name_check(enum name_kind kind, const char *name, struct err *err)
{
	return rule_check(&rules[kind], name, strlen(name), err);
}

bool
name_ok(enum name_kind kind, const char *name, size_t n)
{
	return rule_check(&rules[kind], name, n, NULL) == ERR_OK;
}

void
name_sanitize_instance(char *name)
{
	const struct rule *r = &rules[NAME_INSTANCE];

	for (size_t i = 0; name[i] != '\0'; i++) {
		if (i == r->max) {
			name[i] = '\0';
			return;
		}
		unsigned class = class_of((unsigned char)name[i]);
		if (i == 0 && (class & r->first) == 0)
			name[i] = 'i';
		/* The second of two underscores goes, because "__" separates the parts of keys. */
		else if ((class & r->rest) == 0 || (i > 0 && name[i] == '_' && name[i - 1] == '_'))
			name[i] = '-';
	}
}
