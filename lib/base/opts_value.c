/* opts_value.c - what a row's type makes of a text: numbers with their units and bounds, choices,
 * lists, secrets.
 *
 * One function ends in the member, whatever the source, so a value is checked by the same lines
 * wherever it comes from. */
#include "base/opts_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"

#define SECRET_MAX 65536		/* a credential is far smaller; a wrong path may be a disk */

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
	*(bool *)opts_member(o, m) = v != (m->row->inherit_inverted && origin == OPTS_INHERITED);
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
		*(int64_t *)opts_member(o, m) = v;
	return code;
}

static enum err_code
set_choice(struct opts *o, struct opts_mark *m, const char *text, struct err *err)
{
	const char *const *choices = m->row->choices;
	struct str list = STR_INIT;

	for (int i = 0; choices[i] != NULL; i++) {
		if (strcasecmp(choices[i], text) == 0) {
			*(int *)opts_member(o, m) = i;
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
		*(const char **)opts_member(o, m) = opts_own(o, secret);
	return code;
}

static void
set_list(struct opts *o, struct opts_mark *m, enum opts_origin origin, const char *text)
{
	struct opts_list *l = opts_member(o, m);

	if (m->origin != origin)
		l->n = 0;
	/* Only variables and defaults hold several in one text: an option's value may contain commas. */
	bool split = origin == OPTS_ENV || origin == OPTS_INHERITED || origin == OPTS_DEFAULT;
	for (const char *p = text; ; ) {
		size_t n = split ? strcspn(p, ",") : strlen(p);
		if (n > 0 || !split)
			opts_list_add(l, opts_own(o, mem_text_n(p, n)));
		if (p[n] == '\0')
			break;
		p += n + 1;
	}
}

enum err_code
opts_assign(struct opts *o, struct opts_mark *m, enum opts_origin origin, const char *text, struct err *err)
{
	switch (m->row->type) {
	case OPTS_FLAG:
		return set_flag(o, m, origin, text, err);
	case OPTS_TEXT:
	case OPTS_FILE:
		*(const char **)opts_member(o, m) = opts_own(o, mem_text(text));
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
