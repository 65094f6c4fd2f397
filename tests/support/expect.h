/* expect.h - what the unit tests of messages share: cmocka in the order that it wants, and
 * two ways to look at a result. */
#ifndef SUPPORT_EXPECT_H
#define SUPPORT_EXPECT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "model/value.h"

/* expect_refusal(result, err, want, part): the code, and a sentence that holds the part. */
#define expect_refusal(result, err, want, part) do { \
	assert_int_equal((result), (want)); \
	assert_int_equal((err)->code, (want)); \
	if (strstr((err)->text, (part)) == NULL) \
		fail_msg("'%s' does not say '%s'", (err)->text, (part)); \
} while (0)

#define expect_ok(result, err) do { \
	if ((result) != ERR_OK) \
		fail_msg("%s", (err)->text); \
} while (0)

/* expect_str(s, text): the buffer holds exactly this, and is terminated. */
#define expect_str(s, want) do { \
	assert_string_equal(str_text(s), (want)); \
	assert_int_equal((s)->len, strlen(want)); \
} while (0)

#define expect_text(t, want) do { \
	struct text text_ = (t); \
	if (!text_is(text_, (want))) \
		fail_msg("'%.*s' is not '%s'", (int)text_.n, text_.p != NULL ? text_.p : "", (want)); \
} while (0)

/* unhex(hex, out): the bytes of hex digits, at most as many as out holds. */
static inline size_t
unhex(const char *hex, char *out, size_t max)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (; hex[0] != '\0' && hex[1] != '\0' && n < max; hex += 2)
		out[n++] = (char)((strchr(digits, hex[0]) - digits) << 4 | (strchr(digits, hex[1]) - digits));
	return n;
}

#endif
