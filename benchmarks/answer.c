/* answer.c - spawn, read, decode. */
#include "answer.h"

#include <string.h>

#include "app/config.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench.h"
#include "codec/codec.h"

#define ARGS_MAX 24

struct answer {
	struct str json;
	struct codec *codec;
	struct value v;
};

struct answer *
answer_new(const char *const *args)
{
	char *binary = bench_beside("../aegis");
	const char *argv[ARGS_MAX + 4] = { binary, "bench" };
	struct answer *a = mem_new(sizeof *a);
	struct err err;
	size_t n = 2;

	for (size_t i = 0; args[i] != NULL; i++) {
		if (n > ARGS_MAX)
			bench_die("aegis bench %s: too many arguments", args[0]);
		argv[n++] = args[i];
	}
	argv[n++] = "--json";
	argv[n] = NULL;
	a->codec = codec_new();
	int code = bench_reap(bench_spawn(argv, "answer"));
	char *file = mem_printf("%s/answer", bench_dir());
	if (code != 0)
		bench_die("aegis bench %s ended with %d; its errors are in the terminal when it is run by hand", args[0], code);
	bench_must(config_read(file, &a->json, &err), &err);
	bench_must(codec_parse(a->codec, (struct data){ DATA_JSON, str_text(&a->json), a->json.len }, &a->v, &err), &err);
	mem_free(file);
	mem_free(binary);
	return a;
}

void
answer_free(struct answer *a)
{
	str_release(&a->json);
	codec_free(a->codec);
	mem_free(a);
}

const struct value *
answer_run(const struct answer *a, const char *pattern)
{
	const struct value *list = value_field(&a->v, "runs");
	struct text t;

	for (uint32_t i = 0; list != NULL && list->type == VALUE_ARRAY && i < list->n; i++)
		if (pattern == NULL || (value_text(value_field(&list->u.items[i], "pattern"), &t) && text_is(t, pattern)))
			return &list->u.items[i];
	bench_die("aegis bench told nothing of '%s'", pattern != NULL ? pattern : "anything");
}

double
answer_number(const struct value *v, const char *key)
{
	double d;

	if (!value_real(value_field(v, key), &d))
		bench_die("aegis bench told no %s", key);
	return d;
}
