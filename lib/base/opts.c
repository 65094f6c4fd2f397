/* opts.c - reading options from the command line and the environment into a struct.
 *
 * Every source ends in opts_set, which decides by origin whether the value counts and
 * then by the row's type what it means.  So a value is checked by the same lines wherever
 * it comes from, and the sources may be read in any order. */
#include "base/opts.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/near.h"
#include "base/num.h"

#define SECRET_MAX 65536		/* a credential is far smaller; a wrong path may be a disk */

/* Variables that aegis sets for the programs it runs (design.md §7): an option may not
 * read them, or a wrapper inside a wrapper would take its parent's for its own. */
static const char *const reserved[] = {
	"AEGIS_SERVICE", "AEGIS_INSTANCE", "AEGIS_ROLE", "AEGIS_EPOCH", "AEGIS_API",
	"AEGIS_API_TOKEN", "AEGIS_CONFIG_FILE",
};

static const char *const type_names[] = {
	[OPTS_FLAG] = "flag", [OPTS_TEXT] = "text", [OPTS_FILE] = "file", [OPTS_INT] = "int",
	[OPTS_UINT] = "uint", [OPTS_DURATION] = "duration", [OPTS_SIZE] = "size",
	[OPTS_CHOICE] = "choice", [OPTS_LIST] = "list", [OPTS_SECRET] = "secret file",
	[OPTS_SECRET_FD] = "secret descriptor",
};

static const char *const origin_names[] = {
	[OPTS_DEFAULT] = "default", [OPTS_SELECTED] = "selected context",
	[OPTS_SYSTEM_FILE] = "system file", [OPTS_USER_FILE] = "file", [OPTS_CONTEXT] = "context",
	[OPTS_INHERITED] = "inherited environment", [OPTS_ENV] = "environment", [OPTS_LINE] = "option",
};

static bool
is_secret(const struct opt *row)
{
	return row->type == OPTS_SECRET || row->type == OPTS_SECRET_FD;
}

static void
list_add(struct opts_list *l, const char *text)
{
	l->v = mem_resize(l->v, l->n + 1, sizeof *l->v);
	l->v[l->n++] = text;
}

static const char *
own(struct opts *o, char *text)
{
	list_add(&o->owned, text);
	return text;
}

/* --- names ----------------------------------------------------------------------------- */

static void
name_with(const char *prefix, const char *name, size_t n, bool upper, char out[OPTS_NAME_MAX])
{
	size_t at = strlen(prefix);

	MUST(at + n < OPTS_NAME_MAX);
	memcpy(out, prefix, at);
	for (size_t i = 0; i < n; i++) {
		char c = name[i] == '-' ? '_' : name[i];
		out[at++] = upper ? (char)toupper((unsigned char)c) : c;
	}
	out[at] = '\0';
}

void
opts_env_name(const struct opt *row, char out[OPTS_NAME_MAX])
{
	name_with("AEGIS_", row->name, strlen(row->name), true, out);
}

void
opts_secret_name(const struct opt *row, char out[OPTS_NAME_MAX])
{
	const char *tail = strstr(row->name, "-file");

	name_with("AEGIS_", row->name, tail != NULL ? (size_t)(tail - row->name) : strlen(row->name), true, out);
}

void
opts_key_name(const struct opt *row, char out[OPTS_NAME_MAX])
{
	name_with("", row->name, strlen(row->name), false, out);
}

const char *
opts_type_name(enum opts_type type)
{
	return type_names[type];
}

const char *
opts_origin_name(enum opts_origin origin)
{
	return origin_names[origin];
}

/* --- bounds ---------------------------------------------------------------------------- */

static void
quantity_text(const struct opt *row, int64_t v, struct str *out)
{
	char text[NUM_TEXT_MAX];

	if (row->type == OPTS_DURATION) {
		num_duration_text(v, text);
		str_puts(out, text);
	} else if (row->type == OPTS_SIZE && v >= 1048576 && v % 1048576 == 0) {
		str_printf(out, "%lldMiB", (long long)(v / 1048576));
	} else if (row->type == OPTS_SIZE && v >= 1024 && v % 1024 == 0) {
		str_printf(out, "%lldKiB", (long long)(v / 1024));
	} else {
		str_printf(out, "%lld%s", (long long)v, row->type == OPTS_SIZE ? "B" : "");
	}
}

void
opts_bounds_text(const struct opt *row, struct str *out)
{
	if (row->max <= row->min)
		return;
	if (row->max == INT64_MAX) {
		str_puts(out, "at least ");
		quantity_text(row, row->min, out);
		return;
	}
	quantity_text(row, row->min, out);
	str_puts(out, " to ");
	quantity_text(row, row->max, out);
}

static enum err_code
in_bounds(const struct opt *row, int64_t v, const char *text, struct err *err)
{
	struct str bounds = STR_INIT;

	if (row->max <= row->min || (v >= row->min && v <= row->max))
		return ERR_OK;
	opts_bounds_text(row, &bounds);
	err_set(err, ERR_CONFIG, "%s is too %s; allowed is %s", text, v < row->min ? "small" : "large",
	    str_text(&bounds));
	str_release(&bounds);
	return ERR_CONFIG;
}

/* --- one value ------------------------------------------------------------------------- */

static void *
member_of(const struct opts *o, const struct opts_mark *m)
{
	return o->target + m->table->base + m->row->at;
}

static enum err_code
no_such_form(const char *text, const char *want, struct err *err)
{
	return err_set(err, ERR_CONFIG, "'%s' is no %s", text, want);
}

static enum err_code
set_flag(struct opts *o, struct opts_mark *m, enum opts_origin origin, const char *text, struct err *err)
{
	bool v;

	if (!num_bool(text, &v))
		return no_such_form(text, "yes or no; write true or false", err);
	*(bool *)member_of(o, m) = v != (m->row->inherit_inverted && origin == OPTS_INHERITED);
	return ERR_OK;
}

static enum err_code
set_number(struct opts *o, struct opts_mark *m, enum opts_origin origin, const char *text, struct err *err)
{
	const struct opt *row = m->row;
	int64_t v = 0;
	uint64_t u = 0;

	switch (row->type) {
	case OPTS_INT:
		if (!num_int(text, &v))
			return no_such_form(text, "whole number; write one such as 3", err);
		break;
	case OPTS_UINT:
		if (!num_uint(text, &u) || u > INT64_MAX)
			return no_such_form(text, "whole number of 0 or more; write one such as 3", err);
		v = (int64_t)u;
		break;
	case OPTS_SIZE:
		if (!num_size(text, &u))
			return no_such_form(text, "size; write one such as 64KiB or 10MB", err);
		v = (int64_t)u;
		break;
	default:
		if (row->inherit_seconds && origin == OPTS_INHERITED && num_seconds(text, &v))
			break;
		if (!num_duration(text, &v))
			return no_such_form(text, row->inherit_seconds && origin == OPTS_INHERITED
			    ? "time; write seconds such as 10 or a duration such as 10s"
			    : "duration; write one such as 250ms, 2s or 1m30s", err);
	}
	enum err_code code = in_bounds(row, v, text, err);
	if (code == ERR_OK)
		*(int64_t *)member_of(o, m) = v;
	return code;
}

static enum err_code
set_choice(struct opts *o, struct opts_mark *m, const char *text, struct err *err)
{
	const char *const *choices = m->row->choices;
	struct str list = STR_INIT;

	for (int i = 0; choices[i] != NULL; i++) {
		if (strcasecmp(choices[i], text) == 0) {
			*(int *)member_of(o, m) = i;
			return ERR_OK;
		}
	}
	for (int i = 0; choices[i] != NULL; i++)
		str_printf(&list, "%s%s", i == 0 ? "" : choices[i + 1] != NULL ? ", " : " or ", choices[i]);
	err_set(err, ERR_CONFIG, "'%s' is not known; use %s", text, str_text(&list));
	str_release(&list);
	return ERR_CONFIG;
}

/* secret_read: all of a descriptor, without the line end that editors leave behind. */
static enum err_code
secret_read(int fd, const char *name, char **out, struct err *err)
{
	char *buf = mem_new(SECRET_MAX + 1);
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, buf + n, SECRET_MAX + 1 - n)) > 0)
		n += (size_t)got;
	if (got < 0) {
		err_errno(err, ERR_CONFIG, errno, "'%s' cannot be read", name);
		goto err0;
	}
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
		n--;
	if (n > SECRET_MAX || memchr(buf, '\0', n) != NULL) {
		err_set(err, ERR_CONFIG, "'%s' holds no secret: it is %s", name,
		    n > SECRET_MAX ? "larger than 64 KiB" : "binary");
		goto err0;
	}
	if (n == 0) {
		err_set(err, ERR_CONFIG, "'%s' is empty; write the secret into it", name);
		goto err0;
	}
	*out = mem_text_n(buf, n);
	explicit_bzero(buf, SECRET_MAX + 1);
	mem_free(buf);
	return ERR_OK;
err0:
	explicit_bzero(buf, SECRET_MAX + 1);
	mem_free(buf);
	return ERR_CONFIG;
}

static enum err_code
set_secret(struct opts *o, struct opts_mark *m, const char *text, struct err *err)
{
	uint64_t number;
	char *secret;
	int fd;

	if (m->row->type == OPTS_SECRET_FD) {
		if (!num_uint(text, &number) || number > 1 << 20)
			return no_such_form(text, "descriptor; write its number, such as 3", err);
		fd = (int)number;
	} else {
		fd = strcmp(text, "-") == 0 ? 0 : open(text, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return err_errno(err, ERR_CONFIG, errno, "'%s' cannot be opened", text);
	}
	enum err_code code = secret_read(fd, text, &secret, err);
	if (m->row->type == OPTS_SECRET && fd != 0)
		close(fd);
	if (code == ERR_OK)
		*(const char **)member_of(o, m) = own(o, secret);
	return code;
}

static void
set_list(struct opts *o, struct opts_mark *m, enum opts_origin origin, const char *text)
{
	struct opts_list *l = member_of(o, m);

	if (m->origin != origin)
		l->n = 0;
	/* Only variables and defaults hold several in one text: an option's value may contain commas. */
	bool split = origin == OPTS_ENV || origin == OPTS_INHERITED || origin == OPTS_DEFAULT;
	for (const char *p = text; ; ) {
		size_t n = split ? strcspn(p, ",") : strlen(p);
		if (n > 0 || !split)
			list_add(l, own(o, mem_text_n(p, n)));
		if (p[n] == '\0')
			break;
		p += n + 1;
	}
}

static enum err_code
set_typed(struct opts *o, struct opts_mark *m, enum opts_origin origin, const char *text, struct err *err)
{
	switch (m->row->type) {
	case OPTS_FLAG:
		return set_flag(o, m, origin, text, err);
	case OPTS_TEXT:
	case OPTS_FILE:
		*(const char **)member_of(o, m) = own(o, mem_text(text));
		return ERR_OK;
	case OPTS_INT:
	case OPTS_UINT:
	case OPTS_DURATION:
	case OPTS_SIZE:
		return set_number(o, m, origin, text, err);
	case OPTS_CHOICE:
		return set_choice(o, m, text, err);
	case OPTS_LIST:
		set_list(o, m, origin, text);
		return ERR_OK;
	case OPTS_SECRET:
	case OPTS_SECRET_FD:
		return set_secret(o, m, text, err);
	}
	MUST(!"a type of option");
	return ERR_CONFIG;
}

/* strongest: the origin of what the member holds, which several rows may fill (a secret
 * from a file or from a descriptor). */
static enum opts_origin
strongest(const struct opts *o, const struct opts_mark *m)
{
	enum opts_origin origin = m->origin;

	for (size_t i = 0; i < o->n; i++)
		if (o->marks[i].row != NULL && member_of(o, &o->marks[i]) == member_of(o, m) &&
		    o->marks[i].origin > origin)
			origin = o->marks[i].origin;
	return origin;
}

enum err_code
opts_set(struct opts *o, struct opts_mark *m, enum opts_origin origin, const char *source,
    const char *text, struct err *err)
{
	struct err why = { .code = ERR_OK };

	if (origin < strongest(o, m))
		return ERR_OK;
	if (set_typed(o, m, origin, text, &why) != ERR_OK)
		return err_set(err, origin == OPTS_LINE ? ERR_USAGE : ERR_CONFIG, "%s: %s", source, why.text);
	m->origin = origin;
	m->source = own(o, mem_text(source));
	m->text = is_secret(m->row) ? NULL : own(o, mem_text(text));
	return ERR_OK;
}

void
opts_set_secret(struct opts *o, struct opts_mark *m, enum opts_origin origin, const char *source,
    const char *value)
{
	MUST(is_secret(m->row));
	if (origin < strongest(o, m))
		return;
	*(const char **)member_of(o, m) = own(o, mem_text(value));
	m->origin = origin;
	m->source = own(o, mem_text(source));
	m->text = NULL;
}

/* --- life ------------------------------------------------------------------------------ */

static size_t
count_rows(const struct opts_table *tables)
{
	size_t n = 0;

	for (; tables->title != NULL; tables++)
		for (const struct opt *row = tables->rows; row->name != NULL; row++)
			n++;
	return n;
}

void
opts_init(struct opts *o, const struct opts_table *tables, void *target)
{
	struct err err;
	size_t n = 0;

	*o = (struct opts){ .tables = tables, .target = target, .n = count_rows(tables) };
	o->marks = mem_array(o->n + 1, sizeof *o->marks);
	for (const struct opts_table *t = tables; t->title != NULL; t++) {
		for (const struct opt *row = t->rows; row->name != NULL; row++) {
			struct opts_mark *m = &o->marks[n++];
			*m = (struct opts_mark){ .row = row, .table = t, .origin = OPTS_DEFAULT, .source = "" };
			/* opts_lint has looked at every default in the tests. */
			if (row->def != NULL)
				MUST(opts_set(o, m, OPTS_DEFAULT, "", row->def, &err) == ERR_OK);
		}
	}
}

void
opts_release(struct opts *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->marks[i].row->type == OPTS_LIST)
			mem_free(((struct opts_list *)member_of(o, &o->marks[i]))->v);
	for (size_t i = 0; i < o->owned.n; i++) {
		char *text = (char *)o->owned.v[i];
		explicit_bzero(text, strlen(text));
		mem_free(text);
	}
	for (size_t i = 0; i < o->warnings.n; i++)
		mem_free((char *)o->warnings.v[i]);
	mem_free(o->warnings.v);
	mem_free(o->owned.v);
	mem_free(o->words);
	mem_free(o->marks);
	*o = (struct opts){ .tables = o->tables };
}

void
opts_warn(struct opts *o, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	list_add(&o->warnings, mem_text(text));
}

const char *
opts_keep(struct opts *o, const char *text)
{
	return own(o, mem_text(text));
}

struct opts_mark *
opts_mark(const struct opts *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->marks[i].row->name, name) == 0)
			return &o->marks[i];
	MUST(!"an option of this command");
	return NULL;
}

struct opts_mark *
opts_find(struct opts *o, const char *area, const char *key)
{
	char name[OPTS_NAME_MAX];

	for (size_t i = 0; i < o->n; i++) {
		struct opts_mark *m = &o->marks[i];
		if (!m->row->env || m->table->area == NULL || strcmp(m->table->area, area) != 0)
			continue;
		opts_key_name(m->row, name);
		if (strcmp(name, key) == 0)
			return m;
	}
	return NULL;
}

/* --- the command line ------------------------------------------------------------------ */

struct parser {
	struct opts *o;
	const char *const *argv;	/* the next argument */
	struct opts_words *words;
	struct err *err;
};

static struct opts_mark *
by_name(struct opts *o, const char *name, size_t n)
{
	for (size_t i = 0; i < o->n; i++)
		if (strlen(o->marks[i].row->name) == n && strncmp(o->marks[i].row->name, name, n) == 0)
			return &o->marks[i];
	return NULL;
}

static struct opts_mark *
by_letter(struct opts *o, char letter)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->marks[i].row->letter == letter)
			return &o->marks[i];
	return NULL;
}

static enum err_code
unknown_name(struct parser *p, const char *name)
{
	const char **names = mem_array(p->o->n + 1, sizeof *names), *near[3];
	struct str say = STR_INIT;
	size_t n = 0;

	for (size_t i = 0; i < p->o->n; i++)
		if (!p->o->marks[i].row->hidden)
			names[n++] = p->o->marks[i].row->name;
	size_t found = near_pick(name, names, n, near, COUNT_OF(near));
	while (found > 1 && near_distance(name, near[found - 1]) > near_distance(name, near[0]))
		found--;
	for (size_t i = 0; i < found; i++)
		str_printf(&say, "%s--%s", i == 0 ? "; did you mean " : " or ", near[i]);
	err_set(p->err, ERR_USAGE, "unknown option '--%s'%s%s", name, str_text(&say), found > 0 ? "?" : "");
	str_release(&say);
	mem_free(names);
	return ERR_USAGE;
}

static enum err_code
missing_value(struct parser *p, const char *shown, const struct opt *row)
{
	struct str values = STR_INIT;

	for (int i = 0; row->choices != NULL && row->choices[i] != NULL; i++)
		str_printf(&values, "%s%s", i == 0 ? "" : "|", row->choices[i]);
	err_set(p->err, ERR_USAGE, "%s needs a value: %s %s", shown, shown,
	    row->choices != NULL ? str_text(&values) : row->value != NULL ? row->value : opts_type_name(row->type));
	str_release(&values);
	return ERR_USAGE;
}

/* take_value: the text behind the option, which has none of its own. */
static const char *
take_value(struct parser *p)
{
	if (*p->argv == NULL || strcmp(*p->argv, "--") == 0)
		return NULL;
	return *p->argv++;
}

static enum err_code
parse_long(struct parser *p, const char *arg)
{
	const char *name = arg + 2, *value = strchr(name, '=');
	size_t n = value != NULL ? (size_t)(value - name) : strlen(name);
	struct opts_mark *m = by_name(p->o, name, n);
	char shown[OPTS_NAME_MAX + 2];

	if (m == NULL) {
		char *bare = mem_text_n(name, n);
		enum err_code code = unknown_name(p, bare);
		mem_free(bare);
		return code;
	}
	snprintf(shown, sizeof shown, "--%s", m->row->name);
	if (value != NULL)
		value++;
	else if (m->row->type == OPTS_FLAG)
		value = "true";
	else if ((value = take_value(p)) == NULL)
		return missing_value(p, shown, m->row);
	return opts_set(p->o, m, OPTS_LINE, shown, value, p->err);
}

static enum err_code
parse_letters(struct parser *p, const char *arg)
{
	char shown[] = "-?";

	for (const char *c = arg + 1; *c != '\0'; c++) {
		struct opts_mark *m = by_letter(p->o, *c);
		const char *value = "true";

		shown[1] = *c;
		if (m == NULL)
			return err_set(p->err, ERR_USAGE, "unknown option '%s'%s%s%s", shown,
			    c > arg + 1 ? " in '" : "", c > arg + 1 ? arg : "", c > arg + 1 ? "'" : "");
		if (m->row->type != OPTS_FLAG) {
			value = c[1] != '\0' ? c + 1 : take_value(p);
			if (value == NULL)
				return missing_value(p, shown, m->row);
		}
		enum err_code code = opts_set(p->o, m, OPTS_LINE, shown, value, p->err);
		if (code != ERR_OK || m->row->type != OPTS_FLAG)
			return code;
	}
	return ERR_OK;
}

enum err_code
opts_parse(struct opts *o, const char *const *argv, struct opts_words *words, struct err *err)
{
	struct parser p = { .o = o, .argv = argv, .words = words, .err = err };
	enum err_code code = ERR_OK;
	size_t n = 0;

	while (argv[n] != NULL)
		n++;
	const char **v = o->words = mem_resize(o->words, n + 1, sizeof *v);
	*words = (struct opts_words){ .v = v, .n = 0, .wrapped = NULL };
	while (code == ERR_OK && *p.argv != NULL) {
		const char *arg = *p.argv++;
		if (strcmp(arg, "--") == 0) {
			words->wrapped = p.argv;
			break;
		}
		if (arg[0] != '-' || arg[1] == '\0')
			v[words->n++] = arg;
		else if (arg[1] == '-')
			code = parse_long(&p, arg);
		else
			code = parse_letters(&p, arg);
	}
	return code;
}

int
opts_arity(const struct opts_table *tables, const char *arg)
{
	if (arg[0] != '-' || arg[1] == '\0' || strcmp(arg, "--") == 0)
		return -1;
	bool is_long = arg[1] == '-';
	size_t n = strcspn(arg + 2, "=");
	for (const struct opts_table *t = tables; t->title != NULL; t++) {
		for (const struct opt *row = t->rows; row->name != NULL; row++) {
			bool hit = is_long ? strlen(row->name) == n && strncmp(row->name, arg + 2, n) == 0
			    : row->letter == arg[1];
			if (!hit)
				continue;
			if (row->type == OPTS_FLAG && !is_long && arg[2] != '\0') {
				char rest[OPTS_NAME_MAX];
				snprintf(rest, sizeof rest, "-%s", arg + 2);
				return opts_arity(tables, rest);
			}
			return row->type == OPTS_FLAG || (is_long ? arg[2 + n] == '=' : arg[2] != '\0') ? 0 : 1;
		}
	}
	return -2;
}

/* --- the environment ------------------------------------------------------------------- */

struct reader {
	struct opts *o;
	opts_getenv *get;
	void *arg;
	struct err *err;
};

static const char *
look(struct reader *r, const char *name)
{
	const char *v = r->get(r->arg, name);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

/* plain_secret: a secret that stands in the variable itself.  It works, and it is told,
 * because every child and whoever may read /proc sees it. */
static void
plain_secret(struct reader *r, struct opts_mark *m, enum opts_origin origin, const char *name,
    const char *value)
{
	opts_set_secret(r->o, m, origin, name, value);
	opts_warn(r->o, "%s holds a secret in plain sight; use %s_FILE instead", name, name);
}

/* secret_variable: NAME_FILE, then NAME.  Returns whether one was there. */
static enum err_code
secret_variable(struct reader *r, struct opts_mark *m, enum opts_origin origin, const char *name, bool *found)
{
	char twin[OPTS_NAME_MAX + 8];
	const char *v;

	snprintf(twin, sizeof twin, "%s_FILE", name);
	*found = true;
	if ((v = look(r, twin)) != NULL)
		return opts_set(r->o, m, origin, twin, v, r->err);
	if ((v = look(r, name)) != NULL)
		plain_secret(r, m, origin, name, v);
	else
		*found = false;
	return ERR_OK;
}

/* credential: what systemd hands over with LoadCredential=aegis-password:… */
static enum err_code
credential(struct reader *r, struct opts_mark *m, bool *found)
{
	const char *dir = look(r, "CREDENTIALS_DIRECTORY");
	char name[OPTS_NAME_MAX];
	enum err_code code = ERR_OK;

	*found = false;
	if (dir == NULL)
		return ERR_OK;
	name_with("aegis-", m->row->name, strcspn(m->row->name, "-"), false, name);
	char *path = mem_printf("%s/%s", dir, name);
	if (access(path, R_OK) == 0) {
		*found = true;
		code = opts_set(r->o, m, OPTS_ENV, path, path, r->err);
	}
	mem_free(path);
	return code;
}

static enum err_code
read_secret(struct reader *r, struct opts_mark *m)
{
	char name[OPTS_NAME_MAX];
	bool found;

	opts_secret_name(m->row, name);
	enum err_code code = secret_variable(r, m, OPTS_ENV, name, &found);
	if (!found)
		code = credential(r, m, &found);
	for (const char *const *old = m->row->inherit; !found && old != NULL && *old != NULL; old++)
		code = secret_variable(r, m, OPTS_INHERITED, *old, &found);
	return code;
}

static enum err_code
read_inherited(struct reader *r, struct opts_mark *m)
{
	const struct opt *row = m->row;

	if (row->inherit_make != NULL) {
		struct str buf = STR_INIT;
		const char *name = "", *v = row->inherit_make(r->get, r->arg, &buf, &name);
		enum err_code code = v != NULL ? opts_set(r->o, m, OPTS_INHERITED, name, v, r->err) : ERR_OK;
		str_release(&buf);
		if (v != NULL)
			return code;
	}
	for (const char *const *old = row->inherit; old != NULL && *old != NULL; old++) {
		const char *v = look(r, *old);
		if (v != NULL)
			return opts_set(r->o, m, OPTS_INHERITED, *old, v, r->err);
	}
	return ERR_OK;
}

static enum err_code
read_variable(struct reader *r, struct opts_mark *m)
{
	char name[OPTS_NAME_MAX];
	const char *v;

	if (m->row->env && m->row->type == OPTS_SECRET)
		return read_secret(r, m);
	if (m->row->env) {
		opts_env_name(m->row, name);
		if ((v = look(r, name)) != NULL)
			return opts_set(r->o, m, OPTS_ENV, name, v, r->err);
	}
	return read_inherited(r, m);
}

enum err_code
opts_env(struct opts *o, opts_getenv *get, void *arg, struct err *err)
{
	struct reader r = { .o = o, .get = get, .arg = arg, .err = err };
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < o->n && code == ERR_OK; i++)
		if (strongest(o, &o->marks[i]) < OPTS_INHERITED)
			code = read_variable(&r, &o->marks[i]);
	return code;
}

/* --- what no compiler sees ------------------------------------------------------------- */

static enum err_code
lint_row(const struct opts *o, size_t at, struct err *err)
{
	const struct opt *row = o->marks[at].row;
	char name[OPTS_NAME_MAX];

	for (size_t i = 0; i < at; i++) {
		if (strcmp(o->marks[i].row->name, row->name) == 0)
			return err_set(err, ERR_CONFIG, "--%s stands twice", row->name);
		if (row->letter != 0 && o->marks[i].row->letter == row->letter)
			return err_set(err, ERR_CONFIG, "-%c is --%s and --%s", row->letter,
			    o->marks[i].row->name, row->name);
	}
	if ((row->type == OPTS_CHOICE) != (row->choices != NULL))
		return err_set(err, ERR_CONFIG, "--%s: choices do not fit its type", row->name);
	if (row->type == OPTS_SECRET && strstr(row->name, "-file") == NULL)
		return err_set(err, ERR_CONFIG, "--%s: a secret's name ends in -file", row->name);
	opts_env_name(row, name);
	for (size_t i = 0; row->env && i < COUNT_OF(reserved); i++)
		if (strcmp(name, reserved[i]) == 0)
			return err_set(err, ERR_CONFIG, "--%s: %s is reserved for workloads", row->name, name);
	return ERR_OK;
}

enum err_code
opts_lint(const struct opts_table *tables, struct err *err)
{
	enum err_code code = ERR_OK;
	size_t size = 0;

	for (const struct opts_table *t = tables; t->title != NULL; t++)
		for (const struct opt *row = t->rows; row->name != NULL; row++)
			if (t->base + row->at + sizeof(struct opts_list) > size)
				size = t->base + row->at + sizeof(struct opts_list);
	struct opts o = { .tables = tables, .target = mem_new(size + 1), .n = count_rows(tables) };
	o.marks = mem_array(o.n + 1, sizeof *o.marks);
	size_t n = 0;
	for (const struct opts_table *t = tables; t->title != NULL; t++) {
		for (const struct opt *row = t->rows; row->name != NULL && code == ERR_OK; row++) {
			o.marks[n] = (struct opts_mark){ .row = row, .table = t, .source = "" };
			if ((code = lint_row(&o, n, err)) == ERR_OK && row->def != NULL)
				code = opts_set(&o, &o.marks[n], OPTS_DEFAULT, row->name, row->def, err);
			n++;
		}
	}
	o.n = n;
	char *target = o.target;
	opts_release(&o);
	mem_free(target);
	return code;
}
