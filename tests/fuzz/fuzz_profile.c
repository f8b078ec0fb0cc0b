/* SPDX-License-Identifier: MIT */
/* fuzz_profile.c -- any bytes as a device profile: an answer or errors, and each error can be
 * printed
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "config/profile_load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct profile_dirs dirs = {.dirs = {"config/profiles"}, .n = 1};
	const struct profile_text what = {
		.file = "fuzz-profile.yaml", .text = (const char *)data, .len = size};
	struct problems problems = {0};
	uint64_t hash = 0;
	struct profile_file *p = profile_read(&what, &dirs, &problems, &hash);

	assert((p != NULL) == (problems.errors == 0));
	for (size_t i = 0; i < problems.n; i++) {
		char line[256];
		problem_format(&problems.list[i], line, sizeof line);
	}
	profile_free(p);
	problems_free(&problems);
	return 0;
}
