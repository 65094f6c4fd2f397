/* demo_service.c - `aegis demo-service`: its options, a service's life, and the three methods
 * that all of them have.
 *
 * The main thread does nothing but wait for a signal; everything else happens on threads
 * of the library, as in any program written against aegis.h. */
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "demo.h"

#define PRICE_INTERVAL_MS 1000
#define WORK_MAX_MS 10000		/* a worker is not taken out of service for longer */

struct demo_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *instance;
	int64_t price_interval_ns;
};

static const struct opt demo_rows[] = {
	OPT_DURATION(struct demo_opts, price_interval_ns, "price-interval", 0, "how often pricing tells its prices",
	    .def_text = "1s", .min = 10 * NS_PER_MS, .max = 3600 * NS_PER_S),
	OPT_TEXT(struct demo_opts, instance, "instance-id", 0, "ID", "name of this instance",
	    .def_text = "the service's name and 8 random digits"),
	OPTS_END
};

const struct cmd_form demo_service_form = {
	sizeof(struct demo_opts),
	{
		{ "Options", "demo_service", demo_rows, 0 },
		FORM_NATS(struct demo_opts),
		FORM_SERVE_LOG(struct demo_opts),
		FORM_GENERAL(struct demo_opts),
	},
};

static const struct demo_service *const services[] = { &demo_order, &demo_pricing, &demo_risk, &demo_echo };

const char *const demo_symbols[] = { "AAPL", "AMZN", "GOOG", "IBM", "MSFT", "NVDA", "SAP", "TSLA", NULL };

/* --- parameters -------------------------------------------------------------------------- */

void
demo_fail(aegis_request *r, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	aegis_fail(r, text);
}

bool
demo_symbol_ok(const char *symbol)
{
	size_t n = strspn(symbol, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.");

	return n > 0 && n <= DEMO_SYMBOL_MAX && symbol[n] == '\0';
}

bool
demo_symbol(aegis_request *r, const char **out)
{
	const char *symbol = aegis_param_text(r, "symbol");

	if (symbol != NULL && demo_symbol_ok(symbol)) {
		*out = symbol;
		return true;
	}
	demo_fail(r, "parameter 'symbol': needed is a text of 1 to %d capitals, digits and dots, such as \"AAPL\"",
	    DEMO_SYMBOL_MAX);
	return false;
}

bool
demo_quantity(aegis_request *r, int64_t least, int64_t *out)
{
	if (aegis_param_int(r, "quantity", out) && *out >= least && *out <= DEMO_QUANTITY_MAX && *out != 0)
		return true;
	demo_fail(r, "parameter 'quantity': needed is a whole number from %lld to %d%s", (long long)least,
	    DEMO_QUANTITY_MAX, least < 0 ? ", but not 0" : "");
	return false;
}

bool
demo_limit(aegis_request *r, int64_t usual, int64_t most, int64_t *out)
{
	*out = usual;
	if (!aegis_param_given(r, "limit") || (aegis_param_int(r, "limit", out) && *out >= 1 && *out <= most))
		return true;
	demo_fail(r, "parameter 'limit': must be a whole number from 1 to %lld; leave it out for %lld", (long long)most,
	    (long long)usual);
	return false;
}

bool
demo_positive(aegis_request *r, const char *key, double *out)
{
	if (aegis_param_real(r, key, out) && *out > 0 && *out <= 1e9)
		return true;
	demo_fail(r, "parameter '%s': needed is a number above 0, and of at most 1e9", key);
	return false;
}

double
demo_cents(double v)
{
	return round(v * 100) / 100;
}

void
demo_id(const char *what, char out[DEMO_ID_MAX])
{
	uint64_t a = demo_hash(what, 1, 0), b = demo_hash(what, 2, 0);

	/* The form of a uuid4, as wire.md wants it. */
	snprintf(out, DEMO_ID_MAX, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xffff),
	    (unsigned)(a & 0xfff), (unsigned)(0x8000 | (b >> 48 & 0x3fff)),
	    (unsigned long long)(b & UINT64_C(0xffffffffffff)));
}

/* --- what every service answers ---------------------------------------------------------- */

static void
echo(void *arg, aegis_request *r)
{
	struct demo *d = arg;

	atomic_fetch_add(&d->requests, 1);
	aegis_reply_json(r, aegis_params_json(r));
}

static void
health(void *arg, aegis_request *r)
{
	struct demo *d = arg;
	aegis_out *out = aegis_out_new();
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	aegis_out_text(out, "status", aegis_connected(d->a) ? "healthy" : "degraded");
	aegis_out_text(out, "service", d->service->name);
	aegis_out_text(out, "instance", aegis_instance(d->a));
	aegis_out_real(out, "uptime_s", (double)(now.tv_sec - d->started.tv_sec) +
	    (double)(now.tv_nsec - d->started.tv_nsec) / 1e9);
	aegis_out_int(out, "requests", (int64_t)atomic_fetch_add(&d->requests, 1));
	aegis_reply(r, out);
}

static void
simulate_work(void *arg, aegis_request *r)
{
	struct demo *d = arg;
	int64_t ms;

	atomic_fetch_add(&d->requests, 1);
	if (!aegis_param_int(r, "ms", &ms) || ms < 0 || ms > WORK_MAX_MS) {
		demo_fail(r, "parameter 'ms': needed is a whole number from 0 to %d", WORK_MAX_MS);
		return;
	}
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
	aegis_out *out = aegis_out_new();
	aegis_out_int(out, "worked_ms", ms);
	aegis_out_text(out, "instance", aegis_instance(d->a));
	aegis_reply(r, out);
}

static const struct demo_method common[] = {
	{ "echo", echo, AEGIS_INLINE },
	{ "health", health, AEGIS_INLINE },
	{ "simulate_work", simulate_work, 0 },
	{ NULL, NULL, 0 },
};

/* --- a service's life -------------------------------------------------------------------- */

static aegis *
connect_demo(struct cmd *c, const struct demo_opts *o, aegis_error *e)
{
	struct conn_opts co = cmd_conn_opts(c, o->instance);

	return aegis_connect(&(aegis_options){
		.servers = co.servers, .name = co.name, .user = co.user, .password = co.password,
		.token = co.token, .creds_file = co.creds_file, .nkey_file = co.nkey_file,
		.tls_ca = co.tls_ca, .tls_cert = co.tls_cert, .tls_key = co.tls_key,
		.js_domain = co.js_domain, .js_api_prefix = co.js_api_prefix, .inbox_prefix = co.inbox_prefix,
		.timeout_ms = co.timeout_ns / NS_PER_MS, .wait = true,
	}, e);
}

static int
serve(struct demo *d, const struct demo_method *m, aegis_error *e)
{
	int code = AEGIS_OK;

	for (; code == AEGIS_OK && m->name != NULL; m++)
		code = aegis_serve(d->a, m->name, m->handler, d, m->flags, e);
	return code;
}

static int
listen_to(struct demo *d, const struct demo_event *v, aegis_error *e)
{
	const aegis_subscribe_options every = { .mode = AEGIS_BROADCAST };
	int code = AEGIS_OK;

	for (; code == AEGIS_OK && v != NULL && v->pattern != NULL; v++)
		code = aegis_subscribe(d->a, v->pattern, v->handler, d, &every, e);
	return code;
}

static int
take(struct demo *d, const struct demo_command *k, aegis_error *e)
{
	int code = AEGIS_OK;

	for (; code == AEGIS_OK && k != NULL && k->name != NULL; k++)
		code = aegis_work(d->a, k->name, k->handler, d, NULL, e);
	return code;
}

static int
join(struct demo *d, const char *instance, aegis_error *e)
{
	int code;

	if ((code = serve(d, common, e)) != AEGIS_OK || (code = serve(d, d->service->methods, e)) != AEGIS_OK ||
	    (code = listen_to(d, d->service->events, e)) != AEGIS_OK ||
	    (code = take(d, d->service->commands, e)) != AEGIS_OK)
		return code;
	return aegis_register(d->a, &(aegis_identity){
		.service = d->service->name, .instance = instance, .description = d->service->description,
		.metadata = "{\"demo\":true}",
	}, e);
}

/* TERM and INT are blocked in every thread. */
static sigset_t
stop_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	return set;
}

static int
await_signal(void)
{
	sigset_t set = stop_signals();
	int signo = 0;

	while (sigwait(&set, &signo) != 0)
		continue;
	return signo;
}

/* await_nats: registering would wait for it too, but not look for signals.  False when one
 * came first. */
static bool
await_nats(const struct demo *d)
{
	const struct timespec look = { .tv_nsec = 5000000 };
	sigset_t set = stop_signals();

	while (!aegis_connected(d->a))
		if (sigtimedwait(&set, NULL, &look) > 0)
			return false;
	return true;
}

static int
run(struct demo *d, struct cmd *c, const struct demo_opts *o, aegis_error *e)
{
	if (!await_nats(d))
		return AEGIS_OK;
	int code = join(d, o->instance, e);
	if (code != AEGIS_OK)
		return code;
	cmd_log_start(c, d->service->name, aegis_instance(d->a));
	log_info(EV_PROCESS_START, LOG_NONE, "serving '%s' as '%s'", d->service->name, aegis_instance(d->a));
	if (d->service->start != NULL)
		d->service->start(d);
	int signo = await_signal();
	log_info(EV_PROCESS_STOP, LOG_F(LOG_N("signal", signo)), "stopping: deregister, finish the calls that arrived");
	if (d->service->stop != NULL)
		d->service->stop(d);
	return AEGIS_OK;
}

static const struct demo_service *
find(const char *word)
{
	for (size_t i = 0; i < sizeof services / sizeof *services; i++)
		if (strcmp(services[i]->word, word) == 0)
			return services[i];
	return NULL;
}

enum err_code
cmd_demo_service_run(struct cmd *c, struct err *err)
{
	const struct demo_opts *o = c->opts;
	aegis_error e = { .code = AEGIS_OK };
	struct demo d = { .service = find(c->words[0]), .price_interval_ms = PRICE_INTERVAL_MS };

	if (d.service == NULL)
		return err_set(err, ERR_USAGE, "there is no demo service '%s'; write order, pricing, risk or echo",
		    c->words[0]);
	if (o->price_interval_ns > 0 && d.service != &demo_pricing)
		return err_set(err, ERR_USAGE, "--price-interval is for pricing; %s tells no prices", d.service->word);
	if (o->price_interval_ns > 0)
		d.price_interval_ms = o->price_interval_ns / NS_PER_MS;
	clock_gettime(CLOCK_MONOTONIC, &d.started);
	d.a = connect_demo(c, o, &e);
	if (d.a == NULL)
		return err_set(err, (enum err_code)e.code, "%s", e.text);
	if (d.service->open != NULL)
		d.state = d.service->open(&d);
	int code = run(&d, c, o, &e);
	aegis_close(d.a);
	if (d.service->close != NULL)
		d.service->close(&d);
	return code == AEGIS_OK ? ERR_OK : err_set(err, (enum err_code)code, "%s", e.text);
}
