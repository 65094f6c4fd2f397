/* fuzz_router - any path and any query: what fits holds text, what is refused has words, and no value
 * is found that was not there. */
#include "fuzz.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "http/router.h"

static const struct web_route routes[] = {
	{ "GET", "/v1/{a}", WEB_QUICK, 0, NULL, .about = "" },
	{ "POST", "/v1/{a}", WEB_QUICK, 0, NULL, .about = "" },
	{ "POST", "/v1/{a}/{b}", WEB_QUICK, 0, NULL, .about = "" },
	{ "GET", "/{a}/x/{b}/{c}", WEB_QUICK, 0, NULL, .about = "" },
	{ "GET", "/", WEB_QUICK, 0, NULL, .about = "" },
};

static void
is_text(const char *v)
{
	size_t n = strlen(v);

	MUST(utf8_valid(v, n) == n);
	for (size_t i = 0; i < n; i++)
		MUST((unsigned char)v[i] >= 0x20 && v[i] != 0x7f);
}

static void
path(const char *p)
{
	static const char *const methods[] = { "GET", "POST", "HEAD", "PUT" };
	static struct router_match m;

	for (size_t i = 0; i < COUNT_OF(methods); i++) {
		struct err err = { ERR_OK, "" };
		enum err_code code = router_match(routes, COUNT_OF(routes), methods[i], p, &m, &err);
		MUST((code == ERR_OK) == (err.text[0] == '\0'));
		if (code != ERR_OK)
			continue;
		MUST(m.route != NULL && m.n <= ROUTER_PARAMS);
		for (size_t k = 0; k < m.n; k++) {
			MUST(m.value[k][0] != '\0');
			is_text(m.value[k]);
		}
		MUST((router_param(&m, "a") != NULL) == (m.n > 0));
	}
}

static void
query(const char *q)
{
	static const char *const names[] = { "a", "bc", NULL };

	for (size_t i = 0; names[i] != NULL; i++) {
		struct err err = { ERR_OK, "" };
		char out[24];
		bool given;
		enum err_code code = router_query(q, names[i], out, sizeof out, &given, &err);
		MUST((code == ERR_OK) == (err.text[0] == '\0'));
		if (code != ERR_OK || !given)
			continue;
		MUST(strstr(q, names[i]) != NULL);
		is_text(out);
	}
	router_query_known(q, names, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_text_n((const char *)data, size);
	char *mark = strchr(text, '?');

	query(mark != NULL ? mark + 1 : NULL);
	if (mark != NULL)
		*mark = '\0';
	path(text);
	mem_free(text);
	return 0;
}
