/* opts_env.c - options from variables: those of aegis, older ones that a row inherits, and secrets
 * in files, in systemd's credentials or, with a warning, in plain sight.
 *
 * A row that an option has set is not looked up at all. */
#include "base/opts_inner.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

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
	opts_name_with("aegis-", m->row->name, strcspn(m->row->name, "-"), false, name);
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
		if (opts_strongest(o, &o->marks[i]) < OPTS_INHERITED)
			code = read_variable(&r, &o->marks[i]);
	return code;
}
