/* dev.c - `aegis dev`: its options. */
#include "app/dev.h"

#include "cmd.h"

struct dev_form_opts {
	struct cmd_general general;
	struct cmd_log log;
	struct dev_opts dev;
	uint64_t port;
};

static const struct opt dev_rows[] = {
	OPT_FILE(struct dev_form_opts, dev.data_dir, "data-dir", 0, "DIR", "where the data lies",
	    .def_text = "$XDG_STATE_HOME/aegis/dev", .env = true),
	OPT_FLAG(struct dev_form_opts, dev.reset, "reset", 0, "begin with empty data"),
	OPT_FILE(struct dev_form_opts, dev.nats_server, "nats-server", 0, "PATH", "the nats-server to start",
	    .def_text = "beside this program's build, then in PATH", .env = true),
	OPT_UINT(struct dev_form_opts, port, "port", 0, "N", "where the management API and its page listen, on the loopback interface; 0 "
	    "is a free port", .def = "8100", .max = UINT16_MAX),
	OPTS_END
};

const struct cmd_form dev_form = {
	sizeof(struct dev_form_opts),
	{
		{ "Options", "dev", dev_rows, 0 },
		FORM_CLIENT_LOG(struct dev_form_opts),
		FORM_GENERAL(struct dev_form_opts),
	},
};

enum err_code
cmd_dev_run(struct cmd *c, struct err *err)
{
	struct dev_form_opts *o = c->opts;

	o->dev.port = (uint16_t)o->port;
	return dev_run(&o->dev, err);
}
