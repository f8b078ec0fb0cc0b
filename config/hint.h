/* SPDX-License-Identifier: MIT */
/* hint.h -- what to touch when a source does not answer, in Russian and English */
#ifndef CONFIG_HINT_H
#define CONFIG_HINT_H

#include "config/config.h"

struct hint_facts {
	enum fail fail;
	unsigned exception;                 /* with FAIL_EXCEPTION */
	const struct bus_config *bus;       /* NULL: none */
	const struct source_config *source; /* NULL: the bus as a whole */
	const char *machine;                /* its id, or NULL */
	const struct reg_point *point;      /* NULL: the source as a whole */
	const char *holder;                 /* FAIL_IN_USE: "octoprint (pid 812)", or "" */
	const char *detail;                 /* FAIL_IDENTITY: what the device says it is;
					     * FAIL_AMBIGUOUS: where they are plugged in */
};

enum { HINT_SIZE = 768 }; /* of a buffer that holds any hint */

/* One or two sentences that name the thing to touch: "No answer from unit 5 on
 * /dev/ttyUSB0: check …". Always NUL-terminated. Any thread. */
void hint_write(char *buf, size_t size, enum language language, const struct hint_facts *facts);

#endif
