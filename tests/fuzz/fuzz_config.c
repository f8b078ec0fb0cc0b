/* SPDX-License-Identifier: MIT */
/* fuzz_config.c -- any bytes as a configuration: an answer or errors, and each error can be printed
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problems problems = {0};
	struct config *c = config_load_text(
		"fuzz.yaml", (const char *)data, size, "config/profiles", &problems);

	assert((c != NULL) == (problems.errors == 0));
	for (size_t i = 0; i < problems.n; i++) {
		char line[256];
		problem_format(&problems.list[i], line, sizeof line);
	}
	config_free(c);
	problems_free(&problems);
	return 0;
}
