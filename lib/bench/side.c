/* side.c - what the messages of both sides are made of. */
#include "bench/side.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "codec/envelope.h"
#include "sys/clock.h"

void
side_payload(const struct bench_env *env, uint64_t number, struct str *out)
{
	char *data = mem_new(env->size + 1);
	struct pack p;

	memset(data, 'x', env->size);
	pack_init(&p, out, env->format, PACK_COMPACT);
	pack_map(&p, 2);
	pack_key_uint(&p, "n", number);
	pack_key_text(&p, "data", (struct text){ data, env->size });
	MUST(pack_end(&p, NULL) == ERR_OK);
	mem_free(data);
}

void
side_envelope(const struct bench_env *env, enum envelope_kind kind, const char *service, struct str *out)
{
	struct str payload = STR_INIT;
	struct envelope e;

	side_payload(env, 1000000, &payload);	/* a number of usual length */
	envelope_init(&e, kind);
	e.source = text_of(service);
	if (kind == ENVELOPE_RESPONSE)
		e.correlation_id = text_of("00000000-0000-4000-8000-000000000000");
	e.method = text_of(kind == ENVELOPE_REQUEST ? "echo" : NULL);
	e.domain = text_of(kind == ENVELOPE_EVENT ? service : NULL);
	e.type = text_of(kind == ENVELOPE_EVENT ? "tick" : NULL);
	e.command = text_of(kind == ENVELOPE_COMMAND ? "run" : NULL);
	e.payload = (struct value){ .type = VALUE_RAW, .u.raw = { env->format, payload.p, payload.len } };
	MUST(envelope_encode(&e, env->format, clock_wall(clock_system()), out, NULL) == ERR_OK);
	str_release(&payload);
}

void
side_name(const struct bench_env *env, enum bench_which which, char out[SIDE_NAME_MAX])
{
	snprintf(out, SIDE_NAME_MAX, "aegis-bench-%s%s", env->token, which == BENCH_RAW ? "-raw" : "");
}
