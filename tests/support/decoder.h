/* decoder.h - one codec for all cases of a test program: its set-up and its end. */
#ifndef SUPPORT_DECODER_H
#define SUPPORT_DECODER_H

#include "codec/codec.h"

static struct codec *codec;

static inline int
open_codec(void **state)
{
	(void)state;
	codec = codec_new();
	return 0;
}

static inline int
close_codec(void **state)
{
	(void)state;
	codec_free(codec);
	codec_free(NULL);
	return 0;
}

#endif
