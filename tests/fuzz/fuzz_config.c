/* SPDX-License-Identifier: MIT */
/* fuzz_config.c -- any bytes as a configuration and as a profile: an answer or errors, no crash
 *
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -std=c11 -D_GNU_SOURCE -I.
 *   -DLABPULSE_PREFIX='"/usr/local"' $(pkg-config --cflags libmodbus) tests/fuzz/fuzz_config.c
 *   config/?*.c drivers/?*.c -lyaml -lmodbus -lm -pthread
 */
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/profile_load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_config(const char *text, size_t len)
{
	struct problems problems = {0};

	config_free(config_load_text("fuzz.yaml", text, len, "config/profiles", &problems));
	for (size_t i = 0; i < problems.n; i++) {
		char line[256];
		problem_format(&problems.list[i], line, sizeof line);
	}
	problems_free(&problems);
}

static void
try_profile(const char *text, size_t len)
{
	const struct profile_dirs dirs = {.dirs = {"config/profiles"}, .n = 1};
	const struct profile_text what = {.file = "fuzz-profile.yaml", .text = text, .len = len};
	struct problems problems = {0};
	uint64_t hash = 0;

	profile_free(profile_read(&what, &dirs, &problems, &hash));
	problems_free(&problems);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_config((const char *)data, size);
	try_profile((const char *)data, size);
	return 0;
}
