/* fuzz_command - what can be read as progress, completion or cancel can be written in both
 * encodings, and is read back the same. */
#include "fuzz.h"

#include "codec/command.h"

static struct str out[2], again;

static void
completion(struct codec *c, const struct command_completion *m)
{
	struct command_completion back;
	struct str *s;

	for (enum data_format f = DATA_MSGPACK; f <= DATA_JSON; f++) {
		s = &out[f];
		str_clear(s);
		MUST(command_completion_encode(m, f, s, NULL) == ERR_OK);
	}
	for (enum data_format f = DATA_MSGPACK; f <= DATA_JSON; f++) {
		MUST(command_completion_decode(c, out[f].p, out[f].len, &back, NULL) == ERR_OK);
		str_clear(&again);
		MUST(command_completion_encode(&back, f, &again, NULL) == ERR_OK);
		MUST(same(&out[f], &again));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct codec *c = codec_mine();
	struct command_completion done;
	struct command_progress p;
	struct command_cancel x;
	struct err err = { 0 };

	if (command_progress_decode(c, data, size, &p, &err) == ERR_OK) {
		str_clear(&again);
		MUST(command_progress_encode(&p, DATA_MSGPACK, &again, NULL) == ERR_OK);
	}
	if (command_cancel_decode(c, data, size, &x, &err) == ERR_OK) {
		str_clear(&again);
		MUST(command_cancel_encode(&x, DATA_JSON, &again, NULL) == ERR_OK);
	}
	if (command_completion_decode(c, data, size, &done, &err) == ERR_OK)
		completion(c, &done);
	else
		MUST(err.text[0] != '\0');
	return 0;
}
