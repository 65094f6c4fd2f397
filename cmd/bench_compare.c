/* bench_compare.c - `aegis bench compare A B`: what changed between two results. */
#include <math.h>
#include <stdio.h>

#include "app/config.h"
#include "base/magic.h"
#include "base/str.h"
#include "bench/compare.h"
#include "cmd.h"
#include "codec/codec.h"

struct compare_opts {
	struct cmd_general general;
};

const struct cmd_form bench_compare_form = {
	sizeof(struct compare_opts),
	{ FORM_OUTPUT(struct compare_opts), FORM_GENERAL(struct compare_opts) },
};

static const struct out_column columns[] = {
	{ .name = "PATTERN" }, { .name = "FIGURE" }, { .name = "A", .right = true }, { .name = "B", .right = true },
	{ .name = "CHANGE", .right = true }, { .name = "VERDICT" },
};

static void
row_json(const struct compare_row *r, struct str *out)
{
	bool has_a = r->verdict != COMPARE_ONLY_B, has_b = r->verdict != COMPARE_ONLY_A;
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 6);
	pack_key_puts(&p, "pattern", r->pattern);
	pack_key_puts(&p, "figure", r->figure);
	pack_key(&p, "a");
	has_a ? pack_real(&p, r->a) : pack_null(&p);
	pack_key(&p, "b");
	has_b ? pack_real(&p, r->b) : pack_null(&p);
	pack_key(&p, "change");
	has_a && has_b ? pack_real(&p, r->change) : pack_null(&p);
	pack_key_puts(&p, "verdict", compare_verdict_name(r->verdict));
	MUST(pack_end(&p, NULL) == ERR_OK);
}

static void
show_row(struct out *out, const struct compare_row *r)
{
	static const enum out_tone tones[] = {
		[COMPARE_SAME] = OUT_DIM, [COMPARE_BETTER] = OUT_GOOD, [COMPARE_WORSE] = OUT_BAD, [COMPARE_ONLY_A] = OUT_WARN,
		[COMPARE_ONLY_B] = OUT_WARN,
	};
	bool has_a = r->verdict != COMPARE_ONLY_B, has_b = r->verdict != COMPARE_ONLY_A;
	char a[32], b[32], change[32];
	struct str json = STR_INIT;

	snprintf(a, sizeof a, "%.4g", r->a);
	snprintf(b, sizeof b, "%.4g", r->b);
	snprintf(change, sizeof change, "%+.1f %%", r->change * 100);
	row_json(r, &json);
	out_row(out, (const struct out_cell[]){ { r->pattern, OUT_STRONG }, { r->figure, OUT_PLAIN },
	    { has_a ? a : NULL, OUT_PLAIN }, { has_b ? b : NULL, OUT_PLAIN }, { has_a && has_b ? change : NULL, OUT_PLAIN },
	    { compare_verdict_name(r->verdict), tones[r->verdict] } }, str_text(&json));
	str_release(&json);
}

enum err_code
cmd_bench_compare_run(struct cmd *c, struct err *err)
{
	struct str a = STR_INIT, b = STR_INIT;
	struct compare k;
	size_t worse = 0;
	enum err_code code;

	if ((code = config_read(c->words[0], &a, err)) != ERR_OK || (code = config_read(c->words[1], &b, err)) != ERR_OK)
		goto out;
	if ((code = compare_read(str_text(&a), a.len, str_text(&b), b.len, &k, err)) != ERR_OK)
		goto out;
	if (!k.same_machine)
		out_note(c->out, "aegis bench compare: A and B are of different machines; only their ratios compare");
	if (!k.same_options)
		out_note(c->out, "aegis bench compare: A and B were measured with different options");
	out_list(c->out, columns, COUNT_OF(columns));
	for (size_t i = 0; i < k.n; i++) {
		show_row(c->out, &k.v[i]);
		worse += k.v[i].verdict == COMPARE_WORSE;
	}
	if (worse > 0)
		code = err_set(err, ERR_HANDLER, "%zu of %zu figures are worse in B", worse, k.n);
	compare_release(&k);
out:
	str_release(&a);
	str_release(&b);
	return code;
}
