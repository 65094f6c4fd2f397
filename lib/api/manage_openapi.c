/* manage_openapi.c - the table of routes as OpenAPI 3.1.
 *
 * Made anew for each request from rows that do not change: it is asked for rarely, and nothing is
 * kept.  What a row does not say, every route has: problems, the request's id. */
#include <stdio.h>
#include <string.h>

#include "api/manage_inner.h"
#include "base/magic.h"

static const struct {
	const char *name, *json;
} schemas[] = {
#define SCHEMA(name, ...) { #name, #__VA_ARGS__ },
#include "api/manage_schemas.def"
#undef SCHEMA
};

static const struct parameter {
	const char *name, *schema, *about;
} parameters[] = {
	{ "limit",   "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}", "at most so many; Link names the next page" },
	{ "cursor",  "{\"type\":\"string\"}",  "where a page begins, as Link told it" },
	{ "sort",    "{\"type\":\"string\"}",  "a field; with a minus in front from the last to the first" },
	{ "filter",  "{\"type\":\"string\"}",  "FIELD:VALUE, with commas between; a star at the end of VALUE stands for any rest" },
	{ "service", "{\"type\":\"string\"}",  "only what concerns this service" },
	{ "actor",   "{\"type\":\"string\"}",  "only what this one did: the id or the name of a token" },
	{ "dry_run", "{\"type\":\"boolean\"}", "check, and answer what would be, but change nothing" },
	{ "verbose", "{\"type\":\"boolean\"}", "list the checks" },
	{ "exclude", "{\"type\":\"string\"}",  "leave out these checks, with commas between" },
};

static void
put_json(struct pack *k, const char *text)
{
	pack_data(k, (struct data){ DATA_JSON, text, strlen(text) });
}

/* put_ref: {"$ref": …} of a schema, or an array of it for "[X]". */
static void
put_ref(struct pack *k, const char *name)
{
	char ref[96];
	bool list = name[0] == '[';

	snprintf(ref, sizeof ref, "#/components/schemas/%.*s", (int)strcspn(name + list, "]"), name + list);
	if (list) {
		pack_map(k, 2);
		pack_key_puts(k, "type", "array");
		pack_key(k, "items");
	}
	pack_map(k, 1);
	pack_key_puts(k, "$ref", ref);
}

static void
put_content(struct pack *k, const char *schema)
{
	bool media = strchr(schema, '/') != NULL;

	pack_key_map(k, "content", 1);
	pack_key_map(k, media ? schema : "application/json", 1);
	pack_key(k, "schema");
	if (media)
		put_json(k, "{\"type\":\"string\"}");
	else
		put_ref(k, schema);
}

static void
put_parameter(struct pack *k, const char *name, const char *in, const char *schema, const char *about)
{
	bool path = strcmp(in, "path") == 0;

	pack_map(k, 3 + path + (about != NULL));
	pack_key_puts(k, "name", name);
	pack_key_puts(k, "in", in);
	if (path)
		pack_key_bool(k, "required", true);
	pack_key(k, "schema");
	put_json(k, schema);
	if (about != NULL)
		pack_key_puts(k, "description", about);
}

static const struct parameter *
parameter(const char *name, size_t n)
{
	for (size_t i = 0; i < COUNT_OF(parameters); i++)
		if (strlen(parameters[i].name) == n && memcmp(parameters[i].name, name, n) == 0)
			return &parameters[i];
	return NULL;
}

static bool
changes(const struct web_route *w)
{
	return strcmp(w->method, "GET") != 0;
}

/* put_parameters: of the path, of the query, and the headers that writes know. */
static void
put_parameters(struct pack *k, const struct web_route *w, const struct manage_route *m)
{
	uint32_t n = changes(w) ? 2 + (strcmp(w->method, "POST") == 0) : 0;

	for (const char *p = w->path; (p = strchr(p, '{')) != NULL; p++)
		n++;
	for (const char *q = m->query; q != NULL && *q != '\0'; q += strcspn(q, " "), q += *q == ' ')
		n++;
	pack_key_array(k, "parameters", n);
	for (const char *p = w->path; (p = strchr(p, '{')) != NULL; p++) {
		char name[64];
		snprintf(name, sizeof name, "%.*s", (int)strcspn(p + 1, "}"), p + 1);
		put_parameter(k, name, "path", "{\"type\":\"string\"}", NULL);
	}
	for (const char *q = m->query; q != NULL && *q != '\0'; q += strcspn(q, " "), q += *q == ' ') {
		const struct parameter *x = parameter(q, strcspn(q, " "));
		char name[64];
		snprintf(name, sizeof name, "%.*s", (int)strcspn(q, " "), q);
		put_parameter(k, name, "query", x != NULL ? x->schema : "{\"type\":\"string\"}", x != NULL ? x->about : NULL);
	}
	if (!changes(w))
		return;
	put_parameter(k, "If-Match", "header", "{\"type\":\"string\"}", "only if its ETag is still this one");
	put_parameter(k, "If-None-Match", "header", "{\"type\":\"string\"}", "a star: only if there is none");
	if (strcmp(w->method, "POST") == 0)
		put_parameter(k, "Idempotency-Key", "header", "{\"type\":\"string\"}", "the same request with the same key is done once");
}

static void
put_responses(struct pack *k, const struct manage_route *m)
{
	char status[8];

	snprintf(status, sizeof status, "%d", m->status);
	pack_key_map(k, "responses", 2);
	pack_key_map(k, status, 1 + (m->response != NULL));
	pack_key_puts(k, "description", "done");
	if (m->response != NULL)
		put_content(k, m->response);
	pack_key_map(k, "default", 2);
	pack_key_puts(k, "description", "a problem");
	put_content(k, "Problem");
}

static void
put_operation(struct pack *k, const struct web_route *w, const struct manage_route *m)
{
	static const char *const roles[] = {
		[MANAGE_PUBLIC] = "public", [MANAGE_METRICS] = "metrics", [MANAGE_VIEWER] = "viewer",
		[MANAGE_OPERATOR] = "operator", [MANAGE_ADMIN] = "admin",
	};
	static const char *const reaches[] = { [MANAGE_GLOBAL] = "global", [MANAGE_SERVICE] = "service", [MANAGE_LIST] = "list" };
	char method[8];
	size_t n = strlen(w->method);

	for (size_t i = 0; i <= n; i++)
		method[i] = (char)(w->method[i] | (w->method[i] != '\0' ? 0x20 : 0));
	pack_key_map(k, method, 7 + (m->request != NULL));
	pack_key_puts(k, "operationId", w->name);
	pack_key_puts(k, "summary", w->about);
	pack_key_puts(k, "x-role", roles[w->access]);
	pack_key_puts(k, "x-reach", reaches[m->reach]);
	pack_key(k, "security");
	put_json(k, w->access == MANAGE_PUBLIC ? "[]" : "[{\"bearer\":[]},{\"cookie\":[]}]");
	put_parameters(k, w, m);
	if (m->request != NULL) {
		pack_key_map(k, "requestBody", 2);
		pack_key_bool(k, "required", true);
		put_content(k, m->request);
	}
	put_responses(k, m);
}

/* is_first: whether row i is the first of its path. */
static bool
is_first(size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (strcmp(manage_web_route(j)->path, manage_web_route(i)->path) == 0)
			return false;
	return true;
}

static void
put_paths(struct pack *k)
{
	uint32_t paths = 0;
	size_t n = manage_routes_count();

	for (size_t i = 0; i < n; i++)
		paths += is_first(i);
	pack_key_map(k, "paths", paths);
	for (size_t i = 0; i < n; i++) {
		uint32_t methods = 0;
		if (!is_first(i))
			continue;
		const char *path = manage_web_route(i)->path;
		for (size_t j = i; j < n; j++)
			methods += strcmp(manage_web_route(j)->path, path) == 0;
		pack_key_map(k, path, methods);
		for (size_t j = i; j < n; j++)
			if (strcmp(manage_web_route(j)->path, path) == 0)
				put_operation(k, manage_web_route(j), manage_route_at(j));
	}
}

void
manage_openapi_write(const struct manage *m, struct str *out)
{
	struct pack k;

	pack_init(&k, out, DATA_JSON, PACK_COMPACT);
	pack_map(&k, 5);
	pack_key_puts(&k, "openapi", "3.1.0");
	pack_key_map(&k, "info", 3);
	pack_key_puts(&k, "title", "aegis management API");
	pack_key_puts(&k, "version", m->version);
	pack_key(&k, "license");
	put_json(&k, "{\"name\":\"MIT\",\"identifier\":\"MIT\"}");
	pack_key_array(&k, "servers", 1);
	pack_map(&k, 1);
	pack_key_puts(&k, "url", m->base_path[0] != '\0' ? m->base_path : "/");
	put_paths(&k);
	pack_key_map(&k, "components", 2);
	pack_key(&k, "securitySchemes");
	put_json(&k, "{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"},"
	    "\"cookie\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"__Host-aegis\"}}");
	pack_key_map(&k, "schemas", COUNT_OF(schemas));
	for (size_t i = 0; i < COUNT_OF(schemas); i++) {
		pack_key(&k, schemas[i].name);
		put_json(&k, schemas[i].json);
	}
	MUST(pack_end(&k, NULL) == ERR_OK);
}

enum err_code
manage_openapi(void *arg, struct web_request *r, struct err *err)
{
	struct str out = STR_INIT;

	(void)err;
	manage_openapi_write(arg, &out);
	manage_json(r, 200, &out, NULL);
	return ERR_OK;
}
