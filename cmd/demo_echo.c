/* demo_echo.c - the smallest service: what all of them answer, and one that counts what it
 * is given. */
#include "demo.h"

static void
length(void *arg, aegis_request *r)
{
	struct demo *d = arg;
	const char *text = aegis_param_text(r, "text");
	int64_t n = 0;

	atomic_fetch_add(&d->requests, 1);
	if (text == NULL) {
		demo_fail(r, "parameter 'text': needed is a text");
		return;
	}
	/* Characters, not bytes: continuation bytes of UTF-8 begin with 10. */
	for (const char *p = text; *p != '\0'; p++)
		n += ((unsigned char)*p & 0xc0) != 0x80;
	aegis_out *out = aegis_out_new();
	aegis_out_int(out, "length", n);
	aegis_reply(r, out);
}

static const struct demo_method methods[] = {
	{ "length", length, AEGIS_INLINE },
	{ NULL, NULL, 0 },
};

const struct demo_service demo_echo = {
	.word = "echo", .name = "echo-service", .description = "returns what it is given", .methods = methods,
};
