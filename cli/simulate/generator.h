/* SPDX-License-Identifier: MIT */
/* generator.h -- a value over time, from one line of text
 *
 *   229.8                          constant
 *   sine MEAN SWING PERIOD         ramp FROM TO PERIOD      square LOW HIGH PERIOD
 *   noise MEAN SPREAD              counter START PER_SECOND clock  (milliseconds since 1970)
 *   steps S:V S:V ... [every S]    path S:V S:V ... [every S]   story: held, or straight lines
 *   na   error   unsupported   raw N      what the device says instead of a value
 *   text WORDS
 *
 * Any of the first three lines may end in ~SPREAD: random, plus or minus. Seconds throughout.
 */
#ifndef CLI_SIMULATE_GENERATOR_H
#define CLI_SIMULATE_GENERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum generator_kind {
	GEN_CONSTANT,
	GEN_SINE,
	GEN_RAMP,
	GEN_SQUARE,
	GEN_NOISE,
	GEN_COUNTER,
	GEN_CLOCK,
	GEN_STEPS,
	GEN_PATH,
	GEN_NA,
	GEN_ERROR,
	GEN_UNSUPPORTED,
	GEN_RAW,
	GEN_TEXT
};

enum { GENERATOR_STEPS = 16, GENERATOR_TEXT = 64 };

struct generator {
	enum generator_kind kind;
	double a, b, c, spread;
	uint32_t seed;
	size_t n;
	struct {
		double at, value;
	} steps[GENERATOR_STEPS];
	char text[GENERATOR_TEXT];
};

/* 0, or -EINVAL. */
int generator_parse(struct generator *g, const char *text);
/* Its value t seconds after the start; for GEN_RAW the raw number. */
double generator_at(const struct generator *g, double t);
/* Does it change by itself? */
bool generator_moves(const struct generator *g);

#endif
