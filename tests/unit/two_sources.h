/* SPDX-License-Identifier: MIT */
/* two_sources.h -- the meter and the io of the small lab, made anew for each test */
#ifndef TESTS_TWO_SOURCES_H
#define TESTS_TWO_SOURCES_H

#include "daemon/evaluate.h"
#include "tests/unit/small_lab.h"

static struct source *sources[2]; /* meter and io */
static const struct scope machine_scope = {.sources = sources, .n_sources = 2};
static struct lab_reading l;

static inline int
set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++)
		sources[i] = source_create(&lab_sources[i], &lab_config.buses[i], 0);
	return sources[0] && sources[1] ? 0 : -1;
}

static inline int
tear_down(void **state)
{
	(void)state;
	source_destroy(sources[0]);
	source_destroy(sources[1]);
	lab_sources[0].interval_ms = 0;
	return 0;
}

static inline void
give(size_t source, double at, double power, int64_t count, const char *mode)
{
	source_take(sources[source], lab_answer(&l, at, power, count, mode), lab_fast,
		(int64_t)(at * LAB_S));
}

#endif
