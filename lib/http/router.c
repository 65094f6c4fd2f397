/* router.c - paths against templates, percent-escapes, query strings. */
#include "http/router.h"

#include <string.h>

#include "base/magic.h"
#include "base/utf8.h"

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* decode: n bytes at p, unescaped and terminated, into out; -1 when that is no text of at most
 * max - 1 bytes.  Control characters are none: these values become names and subjects. */
static long
decode(const char *p, size_t n, bool plus, char *out, size_t max)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		int c = (unsigned char)p[i];
		if (c == '%') {
			int high = i + 2 < n ? digit(p[i + 1]) : -1, low = i + 2 < n ? digit(p[i + 2]) : -1;
			if (high < 0 || low < 0)
				return -1;
			c = high * 16 + low;
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (c < 0x20 || c == 0x7f || len + 1 >= max)
			return -1;
		out[len++] = (char)c;
	}
	if (max == 0 || utf8_valid(out, len) != len)
		return -1;
	out[len] = '\0';
	return (long)len;
}

/* fits: whether path is one of the template; it is not decoded here. */
static bool
fits(const char *template, const char *path)
{
	while (*template != '\0') {
		if (*template == '{') {
			size_t n = strcspn(path, "/");
			if (n == 0)
				return false;
			path += n;
			template += strcspn(template, "}");
			if (*template == '}')
				template++;
			continue;
		}
		if (*template++ != *path++)
			return false;
	}
	return *path == '\0';
}

/* take: the values of a path that fits. */
static enum err_code
take(const char *template, const char *path, struct router_match *out, struct err *err)
{
	size_t used = 0;

	while (*template != '\0') {
		if (*template != '{') {
			template++;
			path++;
			continue;
		}
		size_t n = strcspn(path, "/");
		long len = decode(path, n, false, out->store + used, sizeof out->store - used);
		if (len <= 0)
			return err_set(err, ERR_INVALID, "path: '%.*s' holds what is no text", (int)(n < 100 ? n : 100), path);
		MUST(out->n < ROUTER_PARAMS);
		out->value[out->n++] = out->store + used;
		used += (size_t)len + 1;
		path += n;
		template += strcspn(template, "}") + 1;
	}
	return ERR_OK;
}

static bool
has_method(const struct web_route *r, const char *method)
{
	return strcmp(r->method, method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0);
}

enum err_code
router_match(const struct web_route *routes, size_t n, const char *method, const char *path,
    struct router_match *out, struct err *err)
{
	out->route = NULL;
	out->methods = 0;
	out->n = 0;
	if (strlen(path) >= sizeof out->store)
		return err_set(err, ERR_INVALID, "path: it is longer than %d bytes", ROUTER_PATH_MAX - 1);
	for (size_t i = 0; i < n; i++) {
		if (!fits(routes[i].path, path))
			continue;
		out->methods++;
		if (has_method(&routes[i], method)) {
			out->route = &routes[i];
			return take(routes[i].path, path, out, err);
		}
	}
	if (out->methods > 0)
		return err_set(err, ERR_NOT_FOUND, "this path does not know the method %.20s", method);
	return err_set(err, ERR_NOT_FOUND, "there is no such path");
}

const char *
router_param(const struct router_match *m, const char *name)
{
	size_t i = 0, len = strlen(name);

	for (const char *t = m->route != NULL ? strchr(m->route->path, '{') : NULL; t != NULL && i < m->n;
	    t = strchr(t + 1, '{'), i++)
		if (strncmp(t + 1, name, len) == 0 && t[1 + len] == '}')
			return m->value[i];
	return NULL;
}

/* --- queries ----------------------------------------------------------------------------- */

struct pair {
	const char *name, *value;
	size_t nname, nvalue;
};

/* next_pair: the one at *at, which moves behind it; false at the end.  Empty ones are skipped. */
static bool
next_pair(const char **at, struct pair *p)
{
	if (*at == NULL)
		return false;
	while (**at == '&')
		++*at;
	if (**at == '\0')
		return false;
	size_t n = strcspn(*at, "&"), name = strcspn(*at, "=&");
	*p = (struct pair){ *at, *at + name + (name < n), name, name < n ? n - name - 1 : 0 };
	*at += n;
	return true;
}

static bool
named(const struct pair *p, const char *name)
{
	return strlen(name) == p->nname && memcmp(name, p->name, p->nname) == 0;
}

enum err_code
router_query(const char *query, const char *name, char *out, size_t max, bool *given, struct err *err)
{
	struct pair p;

	*given = false;
	while (next_pair(&query, &p)) {
		if (!named(&p, name))
			continue;
		if (decode(p.value, p.nvalue, true, out, max) < 0)
			return err_set(err, ERR_INVALID, "query: the value of '%s' is no text of at most %zu bytes", name, max - 1);
		*given = true;
		return ERR_OK;
	}
	return ERR_OK;
}

enum err_code
router_query_known(const char *query, const char *const *names, struct err *err)
{
	struct pair p;

	while (next_pair(&query, &p)) {
		size_t i = 0;
		while (names[i] != NULL && !named(&p, names[i]))
			i++;
		if (names[i] == NULL)
			return err_set(err, ERR_INVALID, "query: there is no parameter '%.*s' here",
			    (int)(p.nname < 60 ? p.nname : 60), p.name);
	}
	return ERR_OK;
}
