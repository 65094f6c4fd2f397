/* context.c - $XDG_CONFIG_HOME/nats/context: JSON files, one table of what we take. */
#include "nats/context.h"

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/codec.h"

#define FILE_MAX_BYTES (64 * 1024)

static const struct { const char *key; size_t at; } fields[] = {
	{ "url", offsetof(struct nats_context, url) },
	{ "user", offsetof(struct nats_context, user) },
	{ "password", offsetof(struct nats_context, password) },
	{ "token", offsetof(struct nats_context, token) },
	{ "creds", offsetof(struct nats_context, creds) },
	{ "nkey", offsetof(struct nats_context, nkey) },
	{ "cert", offsetof(struct nats_context, cert) },
	{ "key", offsetof(struct nats_context, key) },
	{ "ca", offsetof(struct nats_context, ca) },
	{ "jetstream_domain", offsetof(struct nats_context, js_domain) },
	{ "jetstream_api_prefix", offsetof(struct nats_context, js_api_prefix) },
	{ "inbox_prefix", offsetof(struct nats_context, inbox_prefix) },
};

static char **
field(struct nats_context *c, size_t i)
{
	return (char **)(void *)((char *)c + fields[i].at);
}

/* below: a path under the tool's own folder; the caller's. */
static char *
below(const char *rest)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (xdg != NULL && xdg[0] != '\0')
		return mem_printf("%s/nats/%s", xdg, rest);
	return mem_printf("%s/.config/nats/%s", home != NULL ? home : "", rest);
}

static bool
slurp(const char *path, struct str *out)
{
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return false;
	size_t n = fread(str_room(out, FILE_MAX_BYTES), 1, FILE_MAX_BYTES, f);
	out->len += n;
	str_end(out);
	bool good = !ferror(f) && n < FILE_MAX_BYTES;
	fclose(f);
	return good;
}

/* list_known: " (there are: a, b)", for the sentence about one that is not. */
static void
list_known(struct str *out)
{
	char *path = below("context");
	DIR *d = opendir(path);
	struct dirent *e;
	size_t n = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		const char *dot = strrchr(e->d_name, '.');
		if (dot == NULL || strcmp(dot, ".json") != 0 || n == 8)
			continue;
		str_printf(out, "%s%.*s", n++ == 0 ? " (there are: " : ", ", (int)(dot - e->d_name), e->d_name);
	}
	if (n > 0)
		str_putc(out, ')');
	if (d != NULL)
		closedir(d);
	mem_free(path);
}

static enum err_code
missing(const char *name, const char *path, struct err *err)
{
	struct str known = STR_INIT;

	list_known(&known);
	err_set(err, ERR_CONFIG, "NATS context '%s': '%s' cannot be read%s", name, path, str_text(&known));
	str_release(&known);
	return ERR_CONFIG;
}

enum err_code
nats_context_load(const char *name, struct nats_context *out, struct err *err)
{
	struct str text = STR_INIT;
	struct value v;
	enum err_code code = ERR_OK;

	memset(out, 0, sizeof *out);
	if (name[0] == '\0' || strchr(name, '/') != NULL)
		return err_set(err, ERR_CONFIG, "NATS context '%s': a name has no '/' and is not empty", name);
	char *rest = mem_printf("context/%s.json", name), *path = below(rest);
	if (!slurp(path, &text))
		code = missing(name, path, err);
	else if ((code = codec_parse_lenient(codec_mine(), text.p, text.len, &v, err)) != ERR_OK)
		code = (err_prefix(err, "NATS context '%s' (%s)", name, path), ERR_CONFIG);
	if (code == ERR_OK) {
		out->name = mem_text(name);
		for (size_t i = 0; i < COUNT_OF(fields); i++) {
			struct text t;
			if (value_text(value_field(&v, fields[i].key), &t) && t.n > 0)
				*field(out, i) = mem_text_n(t.p, t.n);
		}
	}
	mem_free(rest);
	mem_free(path);
	str_release(&text);
	return code;
}

char *
nats_context_selected(void)
{
	struct str text = STR_INIT;
	char *path = below("context.txt"), *name = NULL;

	if (slurp(path, &text)) {
		text.p[strcspn(text.p, "\r\n")] = '\0';
		if (text.p[0] != '\0')
			name = mem_text(text.p);
	}
	str_release(&text);
	mem_free(path);
	return name;
}

void
nats_context_release(struct nats_context *c)
{
	mem_free(c->name);
	for (size_t i = 0; i < COUNT_OF(fields); i++)
		mem_free(*field(c, i));
	memset(c, 0, sizeof *c);
}
