/* config.c - walking a configuration file and handing each value to opts_set as text.
 *
 * Values become text again before they are set, so that "5s" means the same and is refused
 * in the same words wherever it stands.  The JSON library keeps no positions; when a
 * message needs one, the text is scanned once more for the k-th key of the j-th area. */
#include "app/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/near.h"
#include "codec/codec.h"

#define FILE_MAX (1 << 20)
#define KEYS_MAX 512			/* rows of all commands, for suggestions */

struct walk {
	struct opts *o;
	config_known known;
	const char *name;
	enum opts_origin origin;
	const char *text;
	size_t n;
	size_t area_at, key_at;		/* where we are: the key_at-th member of the area_at-th */
	bool inside;			/* key_at counts */
	struct err *err;
};

/* --- positions ------------------------------------------------------------------------- */

/* skip_string: behind the string that begins at i. */
static size_t
skip_string(const char *t, size_t n, size_t i)
{
	for (i++; i < n && t[i] != '"'; i++)
		if (t[i] == '\\')
			i++;
	return i < n ? i + 1 : n;
}

/* skip_comment: behind the comment at i, or i when there is none. */
static size_t
skip_comment(const char *t, size_t n, size_t i)
{
	if (i + 1 >= n || t[i] != '/')
		return i;
	if (t[i + 1] == '/') {
		while (i < n && t[i] != '\n')
			i++;
	} else if (t[i + 1] == '*') {
		for (i += 2; i + 1 < n && !(t[i] == '*' && t[i + 1] == '/'); i++)
			;
		i = i + 2 < n ? i + 2 : n;
	}
	return i;
}

/* find: offset of the key that the walk stands at.  The text was parsed before, so brackets
 * match; members are counted by the commas between them. */
static size_t
find(const struct walk *w)
{
	size_t want[2] = { w->area_at, w->key_at }, seen[2] = { 0, 0 }, depth = 0, i = 0;
	bool expect = false;		/* the next string at this depth is a key */

	while (i < w->n) {
		char c = w->text[i];
		size_t next = skip_comment(w->text, w->n, i);
		if (next != i) {
			i = next;
			continue;
		}
		if (c == '"') {
			bool here = expect && (depth == 1 || (depth == 2 && w->inside && seen[0] == want[0]));
			if (here && seen[depth - 1] == want[depth - 1] && depth == (w->inside ? 2u : 1u))
				return i;
			expect = false;
			i = skip_string(w->text, w->n, i);
			continue;
		}
		if (c == '{' || c == '[') {
			depth++;
			expect = c == '{';
			if (depth == 2)
				seen[1] = 0;
		} else if (c == '}' || c == ']') {
			depth--;
		} else if (c == ',') {
			if (depth == 1 || depth == 2)
				seen[depth - 1]++;
			expect = depth == 1 || depth == 2;
		}
		i++;
	}
	return 0;
}

/* source: "FILE:3:5" of the key at hand, in out. */
static void
source(const struct walk *w, struct str *out)
{
	size_t at = find(w), line = 1, column = 1;

	for (size_t i = 0; i < at; i++) {
		column = w->text[i] == '\n' ? 1 : column + 1;
		line += w->text[i] == '\n';
	}
	str_clear(out);
	str_printf(out, "%s:%zu:%zu", w->name, line, column);
}

static enum err_code
refuse(const struct walk *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static enum err_code
refuse(const struct walk *w, const char *fmt, ...)
{
	struct str where = STR_INIT;
	char what[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	source(w, &where);
	err_set(w->err, ERR_CONFIG, "%s: %s", str_text(&where), what);
	str_release(&where);
	return ERR_CONFIG;
}

/* --- what exists ----------------------------------------------------------------------- */

static bool
is_area(const struct walk *w, const char *area)
{
	for (size_t i = 0; w->known[i] != NULL; i++)
		for (const struct opts_table *t = w->known[i]; t->title != NULL; t++)
			if (t->area != NULL && strcmp(t->area, area) == 0)
				return true;
	return false;
}

/* area_of: an area that has key; with area not NULL, only that one counts. */
static const char *
area_of(const struct walk *w, const char *area, const char *key)
{
	char name[OPTS_NAME_MAX];

	for (size_t i = 0; w->known[i] != NULL; i++) {
		for (const struct opts_table *t = w->known[i]; t->title != NULL; t++) {
			if (t->area == NULL || (area != NULL && strcmp(t->area, area) != 0))
				continue;
			for (const struct opt *row = t->rows; row->name != NULL; row++) {
				opts_key_name(row, name);
				if (row->env && strcmp(name, key) == 0)
					return t->area;
			}
		}
	}
	return NULL;
}

static enum err_code
unknown_area(const struct walk *w, const char *key)
{
	const char *areas[KEYS_MAX], *near[1];
	size_t n = 0;

	const char *home = area_of(w, NULL, key);
	if (home != NULL)
		return refuse(w, "'%s' belongs into \"%s\": { … }", key, home);
	for (size_t i = 0; w->known[i] != NULL; i++)
		for (const struct opts_table *t = w->known[i]; t->title != NULL && n < KEYS_MAX; t++)
			if (t->area != NULL)
				areas[n++] = t->area;
	if (near_pick(key, areas, n, near, 1) == 1)
		return refuse(w, "unknown key '%s'; did you mean '%s'?", key, near[0]);
	return refuse(w, "unknown key '%s'; `aegis help --json` lists what may stand here", key);
}

static enum err_code
unknown_key(const struct walk *w, const char *area, const char *key)
{
	char (*names)[OPTS_NAME_MAX] = mem_array(KEYS_MAX, OPTS_NAME_MAX);
	const char *list[KEYS_MAX], *near[1];
	enum err_code code;
	size_t n = 0;

	for (size_t i = 0; w->known[i] != NULL; i++) {
		for (const struct opts_table *t = w->known[i]; t->title != NULL; t++) {
			if (t->area == NULL || strcmp(t->area, area) != 0)
				continue;
			for (const struct opt *row = t->rows; row->name != NULL && n < KEYS_MAX; row++) {
				if (!row->env)
					continue;
				opts_key_name(row, names[n]);
				list[n] = names[n];
				n++;
			}
		}
	}
	const char *home = area_of(w, NULL, key);
	if (near_pick(key, list, n, near, 1) == 1)
		code = refuse(w, "unknown key '%s' in '%s'; did you mean '%s'?", key, area, near[0]);
	else if (home != NULL)
		code = refuse(w, "unknown key '%s' in '%s'; it belongs into '%s'", key, area, home);
	else
		code = refuse(w, "unknown key '%s' in '%s'", key, area);
	mem_free(names);
	return code;
}

/* --- values ---------------------------------------------------------------------------- */

static enum err_code
set_items(const struct walk *w, struct opts_mark *m, const char *where, const struct value *v)
{
	struct str text = STR_INIT;
	enum err_code code = ERR_OK;

	for (uint32_t i = 0; i < v->n && code == ERR_OK; i++) {
		const struct value *item = v->type == VALUE_MAP ? &v->u.pairs[i].value : &v->u.items[i];
		str_clear(&text);
		if (v->type == VALUE_MAP) {
			str_add(&text, v->u.pairs[i].key.p, v->u.pairs[i].key.n);
			str_putc(&text, '=');
		}
		if (!value_as_text(item, &text))
			code = refuse(w, "%s: items are texts or numbers, not %s", m->row->name,
			    value_type_name(item->type));
		else
			code = opts_set(w->o, m, w->origin, where, str_text(&text), w->err);
	}
	str_release(&text);
	return code;
}

static enum err_code
set_value(const struct walk *w, struct opts_mark *m, const struct value *v)
{
	struct str text = STR_INIT, where = STR_INIT;
	enum err_code code;

	source(w, &where);
	if (v->type == VALUE_NULL)
		code = ERR_OK;
	else if (m->row->type == OPTS_LIST && (v->type == VALUE_ARRAY || v->type == VALUE_MAP))
		code = set_items(w, m, str_text(&where), v);
	else if (value_as_text(v, &text))
		code = opts_set(w->o, m, w->origin, str_text(&where), str_text(&text), w->err);
	else
		code = refuse(w, "%s: type %s is wanted, not %s", m->row->name,
		    opts_type_name(m->row->type), value_type_name(v->type));
	str_release(&text);
	str_release(&where);
	return code;
}

static enum err_code
walk_area(struct walk *w, const char *area, const struct value *v)
{
	enum err_code code = ERR_OK;

	if (v->type != VALUE_MAP)
		return refuse(w, "'%s' must be an object { … }, not %s", area, value_type_name(v->type));
	w->inside = true;
	for (w->key_at = 0; w->key_at < v->n && code == ERR_OK; w->key_at++) {
		const struct value_pair *pair = &v->u.pairs[w->key_at];
		char *key = mem_text_n(pair->key.p, pair->key.n);
		struct opts_mark *m = opts_find(w->o, area, key);
		if (m != NULL)
			code = set_value(w, m, &pair->value);
		else if (area_of(w, area, key) == NULL)
			code = unknown_key(w, area, key);
		mem_free(key);
	}
	w->inside = false;
	return code;
}

enum err_code
config_apply(struct opts *o, config_known known, const char *name, enum opts_origin origin,
    const char *text, size_t n, struct err *err)
{
	struct walk w = { .o = o, .known = known, .name = name, .origin = origin, .text = text, .n = n, .err = err };
	struct codec *c = codec_new();
	struct value root;
	enum err_code code;

	if (codec_parse_lenient(c, text, n, &root, err) != ERR_OK) {
		err_prefix(err, "%s", name);
		if (err != NULL)
			err->code = ERR_CONFIG;
		code = ERR_CONFIG;
	} else if (root.type != VALUE_MAP) {
		code = err_set(err, ERR_CONFIG, "%s: must be an object { … }, not %s", name,
		    value_type_name(root.type));
	} else {
		code = ERR_OK;
		for (w.area_at = 0; w.area_at < root.n && code == ERR_OK; w.area_at++) {
			const struct value_pair *pair = &root.u.pairs[w.area_at];
			char *area = mem_text_n(pair->key.p, pair->key.n);
			code = is_area(&w, area) ? walk_area(&w, area, &pair->value) : unknown_area(&w, area);
			mem_free(area);
		}
	}
	codec_free(c);
	return code;
}

/* --- files ----------------------------------------------------------------------------- */

enum err_code
config_read(const char *file, struct str *out, struct err *err)
{
	bool standard = strcmp(file, "-") == 0;
	int fd = standard ? 0 : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum err_code code = ERR_OK;
	ssize_t got;

	if (fd < 0)
		return err_errno(err, ERR_CONFIG, errno, "'%s' cannot be opened", file);
	do {
		char *room = str_room(out, 16384);
		got = read(fd, room, 16384);
		if (got > 0)
			out->len += (size_t)got;
	} while (got > 0 && out->len <= FILE_MAX);
	str_end(out);
	if (got < 0)
		code = err_errno(err, ERR_CONFIG, errno, "'%s' cannot be read", file);
	else if (out->len > FILE_MAX)
		code = err_set(err, ERR_CONFIG, "'%s' is larger than 1 MiB", file);
	if (!standard)
		close(fd);
	return code;
}

static enum err_code
load_one(struct opts *o, config_known known, const char *file, enum opts_origin origin, bool must,
    struct err *err)
{
	struct str text = STR_INIT;
	enum err_code code = ERR_OK;

	if (must || access(file, F_OK) == 0)
		code = config_read(file, &text, err);
	if (code == ERR_OK && text.p != NULL)
		code = config_apply(o, known, strcmp(file, "-") == 0 ? "stdin" : file, origin, text.p, text.len, err);
	str_release(&text);
	return code;
}

enum err_code
config_load(struct opts *o, config_known known, const char *file, opts_getenv *get, void *arg,
    struct err *err)
{
	struct str path = STR_INIT;
	enum err_code code;

	if (file != NULL)
		return load_one(o, known, file, OPTS_USER_FILE, true, err);
	if ((code = load_one(o, known, "/etc/aegis/aegis.json", OPTS_SYSTEM_FILE, false, err)) != ERR_OK)
		return code;
	const char *base = get(arg, "XDG_CONFIG_HOME"), *home = get(arg, "HOME");
	if (base != NULL && base[0] == '/')		/* a relative one is to be ignored, says its standard */
		str_printf(&path, "%s/aegis/aegis.json", base);
	else if (home != NULL && home[0] == '/')
		str_printf(&path, "%s/.config/aegis/aegis.json", home);
	if (path.len > 0)
		code = load_one(o, known, str_text(&path), OPTS_USER_FILE, false, err);
	str_release(&path);
	return code;
}
