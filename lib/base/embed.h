/* embed.h - files that are part of the program; scripts/embed.S puts them there.
 *
 * Each lies between two symbols and is not terminated. */
#ifndef BASE_EMBED_H
#define BASE_EMBED_H

#include <stddef.h>

extern const char embed_notices[], embed_notices_end[];		/* licences of what is linked in */
extern const char embed_greeter[], embed_greeter_end[];		/* deploy/examples/greeter.sh */

#define EMBED_SIZE(name) ((size_t)(name##_end - name))

#endif
