/* fuzz_heartbeat - what anybody may send as a heartbeat: it is read within its bounds or refused with a reason,
 * what is kept of it is JSON again, and two of them make figures that are numbers or unknown. */
#include "fuzz.h"

#include <math.h>
#include <stdio.h>

#include "base/instant.h"
#include "codec/codec.h"
#include "codec/heartbeat.h"
#include "monitor/figures.h"
#include "monitor/hub.h"

static struct str rest, again;

static void
figures(const struct heartbeat *h)
{
	struct past past = { .known = false };
	struct figures f;

	for (int i = 1; i <= 3; i++) {
		figures_next(&past, h, (struct mono){ i * 10 * NS_PER_S }, i == 2, &f);
		const float v[] = { f.calls_per_second, f.p50_ms, f.p90_ms, f.p99_ms, f.error_rate, f.queue_depth, f.in_flight };
		for (size_t k = 0; k < COUNT_OF(v); k++)
			MUST(isnan(v[k]) || v[k] >= 0);
		MUST(isnan(f.error_rate) || f.error_rate <= 1);
	}
	past_release(&past);
}

static void
position(const uint8_t *data, size_t size)
{
	struct hub *h = hub_new(7);
	struct hub_cursor c = { .topics = HUB_ALL };
	char text[HUB_POSITION_MAX];
	unsigned topics;

	hub_bucket(h, 0xb, 10);
	snprintf(text, sizeof text, "%.*s", (int)(size < sizeof text ? size : sizeof text - 1), (const char *)data);
	if (hub_resume(h, text, &c) == HUB_RESUMED)
		MUST(c.place <= hub_place(h));
	hub_topics((struct text){ text, strlen(text) }, &topics);
	hub_free(h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct heartbeat h;
	struct value v;
	struct err err = { 0 };

	position(data, size);
	if (heartbeat_decode("internal.heartbeat.s", data, size, &h, &rest, &err) != ERR_OK) {
		MUST(err.text[0] != '\0');
		return 0;
	}
	MUST(h.n <= HEARTBEAT_METHODS && h.instance[0] != '\0' && h.uptime_s >= 0);
	str_clear(&again);
	heartbeat_metrics(str_text(&rest), h.uptime_s, &again);
	MUST(codec_parse(codec_mine(), (struct data){ DATA_JSON, again.p, again.len }, &v, NULL) == ERR_OK && v.type == VALUE_MAP);
	figures(&h);
	return 0;
}
