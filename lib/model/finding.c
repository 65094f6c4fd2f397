/* finding.c - a list that is bounded for each row, so that one broken thing does not hide the others. */
#include "model/finding.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

void
findings_begin(struct findings *f, const char *check)
{
	f->check = check;
	f->of_check = f->more = 0;
}

static void
keep(struct findings *f, enum finding_severity severity, enum err_code code, const char *remedy, const char *what)
{
	mem_grow(&f->v, &f->cap, f->n + 1, sizeof *f->v);
	f->v[f->n++] = (struct finding){
		.check = f->check, .severity = severity, .code = code, .what = mem_text(what),
		.remedy = mem_text(remedy != NULL ? remedy : ""),
	};
}

void
findings_end(struct findings *f)
{
	char text[64];

	if (f->more == 0)
		return;
	snprintf(text, sizeof text, "%zu more of this kind are not shown", f->more);
	keep(f, FINDING_NOTE, ERR_OK, NULL, text);
	f->more = 0;
}

void
findings_add(struct findings *f, enum finding_severity severity, enum err_code code, const char *remedy,
    const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (f->of_check++ >= FINDINGS_PER_CHECK) {
		f->more++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	keep(f, severity, code, remedy, text);
}

const struct finding *
findings_worst(const struct findings *f)
{
	const struct finding *worst = NULL;

	for (size_t i = 0; i < f->n; i++)
		if (worst == NULL || f->v[i].severity > worst->severity)
			worst = &f->v[i];
	return worst;
}

void
findings_release(struct findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		mem_free(f->v[i].what);
		mem_free(f->v[i].remedy);
	}
	mem_free(f->v);
	*f = (struct findings){ .n = 0 };
}

const char *
finding_severity_name(enum finding_severity s)
{
	static const char *const names[] = { "note", "warning", "critical" };

	return names[s];
}
