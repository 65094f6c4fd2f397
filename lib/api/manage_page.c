/* manage_page.c - the page, as it was bundled (assets/ui) and put into the program.
 *
 * All of its addresses answer the same document; what stands there is the browser's affair.  Files
 * whose names carry a hash never change, so they may be kept for ever; the document is asked
 * for again each time.  What goes out was packed when the program was built, except the document where a base
 * stands before all paths: its addresses are changed as it leaves. */
#include <stdio.h>
#include <string.h>

#include "api/manage_folder.h"
#include "api/manage_inner.h"
#include "base/magic.h"
#include "http/media.h"

#define UI_FILE(n, path, type, tag, has_raw) \
	extern const char ui_##n##_gz[], ui_##n##_gz_end[], ui_##n##_br[], ui_##n##_br_end[], \
	    ui_##n##_raw[], ui_##n##_raw_end[];
#include "ui_files.def"
#undef UI_FILE

struct variant {
	const char *coding;		/* "": as it is */
	const char *p, *end;		/* equal: not kept */
};

struct page_file {
	const char *path, *type, *tag;
	struct variant variant[3];	/* the best first */
};

static const struct page_file files[] = {
#define UI_FILE(n, path, type, tag, has_raw) \
	{ path, type, tag, { { "br", ui_##n##_br, ui_##n##_br_end }, { "gzip", ui_##n##_gz, ui_##n##_gz_end }, \
	    { "", has_raw ? ui_##n##_raw : NULL, has_raw ? ui_##n##_raw_end : NULL } } },
#include "ui_files.def"
#undef UI_FILE
};

static const struct page_file *
find_file(const char *dir, const char *name)
{
	size_t n = strlen(dir);

	for (size_t i = 0; i < COUNT_OF(files); i++)
		if (strncmp(files[i].path, dir, n) == 0 && strcmp(files[i].path + n, name) == 0)
			return &files[i];
	return NULL;
}

/* choose: who says nothing about codings reads them all, by the letter; but who says nothing is most often
 * a plain tool, so it gets what is not packed wherever we have it.  NULL: nothing fits. */
static const struct variant *
choose(const struct page_file *f, const char *accept)
{
	const struct variant *raw = &f->variant[2];

	if (accept == NULL)
		return raw->p != raw->end ? raw : &f->variant[1];
	/* Codings are listed as media types are, with their q. */
	for (const struct variant *v = f->variant; v < raw; v++)
		if (*accept != '\0' && media_accepts(accept, v->coding))
			return v;
	return raw->p != raw->end ? raw : NULL;
}

static void
send_file(struct web_request *r, const struct page_file *f, const char *cache)
{
	const struct variant *v = choose(f, web_header(r, "Accept-Encoding"));
	char etag[40];

	if (v == NULL) {
		web_fail(r, &(struct problem){ .status = 406, .detail = "this file is kept packed only: accept br or gzip" });
		return;
	}
	/* The tag of what goes out: two codings are two representations. */
	snprintf(etag, sizeof etag, "%s%s%s", f->tag, *v->coding != '\0' ? "-" : "", v->coding);
	web_set_header(r, "Cache-Control", cache);
	web_set_header(r, "Vary", "Accept-Encoding");
	if (*v->coding != '\0')
		web_set_header(r, "Content-Encoding", v->coding);
	web_reply_etag(r, 200, f->type, (struct text){ v->p, (size_t)(v->end - v->p) }, etag);
}

static enum err_code
page_there(const struct manage *m, struct err *err)
{
	MAGIC_CHECK(m, MANAGE_MAGIC);
	return m->no_page ? err_set(err, ERR_NOT_FOUND, "this server has no page (--no-ui); GET /openapi.json tells what it has") : ERR_OK;
}

/* put_based: the document with the base in front of its addresses, which are the attributes that begin with a
 * slash.  The base needs no escapes: manage_check knows. */
static void
put_based(struct str *out, const char *base, const char *p, size_t n)
{
	static const char mark[] = "=\"/";
	const char *end = p + n, *at;

	while ((at = memmem(p, (size_t)(end - p), mark, sizeof mark - 1)) != NULL) {
		str_add(out, p, (size_t)(at + 2 - p));
		str_puts(out, base);
		p = at + 2;
	}
	str_add(out, p, (size_t)(end - p));
}

static void
send_based(struct web_request *r, const char *base, const char *type, const char *p, size_t n)
{
	struct str out = STR_INIT;

	put_based(&out, base, p, n);
	web_set_header(r, "Cache-Control", "no-cache");
	web_reply(r, 200, type, (struct text){ str_text(&out), out.len });
	str_release(&out);
}

/* send_from: a file of the folder that stands for the page in the program. */
static enum err_code
send_from(struct manage *m, struct web_request *r, const char *sub, const char *name, struct err *err)
{
	struct str text = STR_INIT;
	const char *type;
	enum err_code code = folder_read(m->ui_dir, sub, name, &type, &text, err);

	if (code == ERR_OK)
		send_based(r, sub == NULL ? m->base_path : "", type, str_text(&text), text.len);
	str_release(&text);
	return code;
}

enum err_code
manage_page(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	const struct page_file *f = find_file("/", "index.html");
	const struct variant *raw = &f->variant[2];
	enum err_code code = page_there(m, err);

	if (code != ERR_OK)
		return code;
	if (m->ui_dir != NULL)
		return send_from(m, r, NULL, "index.html", err);
	if (m->base_path[0] != '\0')
		send_based(r, m->base_path, f->type, raw->p, (size_t)(raw->end - raw->p));
	else
		send_file(r, f, "no-cache");
	return ERR_OK;
}

enum err_code
manage_asset(void *arg, struct web_request *r, struct err *err)
{
	const struct page_file *f = find_file("/assets/", web_param(r, "file"));
	enum err_code code = page_there(arg, err);

	if (code != ERR_OK)
		return code;
	if (((struct manage *)arg)->ui_dir != NULL)
		return send_from(arg, r, "assets", web_param(r, "file"), err);
	if (f == NULL)
		return err_set(err, ERR_NOT_FOUND, "the page has no file '%s'; after an upgrade, load it anew", web_param(r, "file"));
	send_file(r, f, "public, max-age=31536000, immutable");
	return ERR_OK;
}
