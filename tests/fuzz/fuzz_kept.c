/* SPDX-License-Identifier: MIT */
/* fuzz_kept.c -- whatever stands in the kept texts of state.db: a daemon starts with it
 *
 * The first byte chooses the kind of text, the rest is the text. It is read alone, what it says is
 * written and must be read as the same; then a gateway starts with it in its state.db, works and
 * publishes.
 */
#include "tests/fuzz/world.h"

#include <math.h>

#include "daemon/keep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
world_published(const struct message *m)
{
	(void)m;
}

static void
check_alarm(const char *text)
{
	struct alarm_life life = {0};
	char once[KEEP_SIZE], twice[KEEP_SIZE];

	if (!keep_read_alarm(text, &life))
		return;
	assert(keep_alarm(&life, once, sizeof(once)) > 0);
	struct alarm_life again = {0};
	assert(keep_read_alarm(once, &again));
	assert(keep_alarm(&again, twice, sizeof(twice)) > 0);
	assert(strcmp(once, twice) == 0);
}

static void
check_usage(const char *text)
{
	struct usage_kept kept = {0};
	char out[KEEP_SIZE];

	if (!keep_read_usage(text, &kept))
		return;
	assert(isfinite(kept.energy_wh));
	assert(keep_usage(&kept, out, sizeof(out)) > 0);
}

/* As it would be found at the start. */
static void
keep_in_file(const char *kind, const char *key, const char *text)
{
	struct opened how;
	struct store *s = store_open(folder_empty(), "boot-1", &how);
	const struct change c = {
		.what = CHANGE_PUT, .kind = kind, .key = key, .text = text, .len = strlen(text)};

	assert(s && store_apply(s, &c) == 0);
	store_close(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		const char *kind, *key;
	} kinds[] = {{"usage", "A1"}, {"usage", "gone"}, {"machine", "m1"}, {"alarm", "m1/hot"},
		{"alarm", "/disk"}, {"moment", "A1"}, {"seq", "parks/p/machines/m1/event"},
		{"backlog", "parks/p/machines/m1/telemetry"}, {"run", "epoch"},
		{"identity", "m1/meter plc"}};
	size_t kind = size ? data[0] % (sizeof(kinds) / sizeof(kinds[0])) : 0;
	char *text = malloc(size + 1);

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	const char *said = size ? text + 1 : text;
	check_alarm(said);
	check_usage(said);
	keep_in_file(kinds[kind].kind, kinds[kind].key, said);
	world_start();
	for (size_t i = 0; i < world.gateway->n_machines; i++)
		follow_tick(world.gateway, world.gateway->machines[i], clock_mono_us() + 1000000);
	world_settle();
	world_destroy();
	free(text);
	return 0;
}
