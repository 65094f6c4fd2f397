/* sources.c - the options of a command from every source: words, variables, files, contexts. */
#include "app/config.h"
#include "cmd.h"

static enum err_code
check_operands(const struct cmd *c, const struct opts_words *words, struct err *err)
{
	const struct command *k = c->command;

	if ((k->flags & (CMD_WRAPS | CMD_MAY_WRAP)) == CMD_WRAPS && (words->wrapped == NULL || words->wrapped[0] == NULL))
		return err_set(err, ERR_USAGE, "the command to run is missing; write it behind `--`");
	if (c->nwords > k->max)
		return err_set(err, ERR_USAGE, "'%s' is one word too many%s", c->words[k->max],
		    (k->flags & CMD_WRAPS) != 0 ? "; the command to run stands behind `--`" : "");
	if (c->nwords < k->min)
		return err_set(err, ERR_USAGE, "%s%s is missing", k->min > 1 ? "part of " : "", k->operands);
	return ERR_OK;
}

/* The strongest first, so that an overridden one is not even looked at. */
enum err_code
cmd_read(struct cmd *c, const char *const *args, bool options_alone, struct err *err)
{
	struct cmd_nats *nats = cmd_part(c, nats_rows);
	struct cmd_general *general = c->opts;
	struct opts_words words;
	enum err_code code;

	if ((code = opts_parse(c->parsed, args, &words, err)) != ERR_OK)
		return code;
	/* Where nothing is wrapped, `--` only says that operands may begin with a dash. */
	for (size_t i = 0; (c->command->flags & CMD_WRAPS) == 0 && words.wrapped != NULL && words.wrapped[i] != NULL; i++)
		words.v[words.n++] = words.wrapped[i];
	words.v[words.n] = NULL;
	c->words = words.v;
	c->nwords = words.n;
	c->wrapped = words.wrapped;
	if (!options_alone && (code = check_operands(c, &words, err)) != ERR_OK)
		return code;
	if ((code = opts_env(c->parsed, out_getenv, NULL, err)) != ERR_OK)
		return code;
	if ((code = config_load(c->parsed, command_tables(), general->config, out_getenv, NULL, err)) != ERR_OK)
		return code;
	if (nats != NULL && (code = cmd_context(c, err)) != ERR_OK)
		return code;
	return cmd_nats_check(c, err);
}
