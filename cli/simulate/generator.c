/* SPDX-License-Identifier: MIT */
/* generator.c -- a value over time, from one line of text */
#include "cli/simulate/generator.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double two_pi = 6.283185307179586;

static const struct form {
	const char *word;
	enum generator_kind kind;
	int numbers; /* -1: a story, -2: the rest of the line */
} forms[] = {
	{"sine", GEN_SINE, 3},
	{"ramp", GEN_RAMP, 3},
	{"square", GEN_SQUARE, 3},
	{"noise", GEN_NOISE, 2},
	{"counter", GEN_COUNTER, 2},
	{"clock", GEN_CLOCK, 0},
	{"steps", GEN_STEPS, -1},
	{"path", GEN_PATH, -1},
	{"na", GEN_NA, 0},
	{"error", GEN_ERROR, 0},
	{"unsupported", GEN_UNSUPPORTED, 0},
	{"raw", GEN_RAW, 1},
	{"text", GEN_TEXT, -2},
};

/* A number as people write registers: decimal, 0x.., true or false. */
static int
parse_number(const char *word, double *out)
{
	char *end;

	if (!word)
		return -EINVAL;
	if (!strcmp(word, "true") || !strcmp(word, "false")) {
		*out = word[0] == 't';
		return 0;
	}
	*out = strtod(word, &end);
	return *end || end == word || !isfinite(*out) ? -EINVAL : 0;
}

/* "S:V", or "every S" which closes the story. */
static int
parse_step(struct generator *g, const char *word, char **rest)
{
	char *colon = strchr(word, ':');

	if (!strcmp(word, "every"))
		return parse_number(strtok_r(NULL, " \t", rest), &g->c) || g->c <= 0 ? -EINVAL : 0;
	if (!colon || g->n == GENERATOR_STEPS)
		return -EINVAL;
	*colon = '\0';
	if (parse_number(word, &g->steps[g->n].at) ||
		parse_number(colon + 1, &g->steps[g->n].value))
		return -EINVAL;
	if (g->n && g->steps[g->n].at <= g->steps[g->n - 1].at)
		return -EINVAL;
	g->n++;
	return 0;
}

static int
parse_rest(struct generator *g, const struct form *form, char **rest)
{
	double *numbers[] = {&g->a, &g->b, &g->c};

	for (int i = 0; i < form->numbers; i++)
		if (parse_number(strtok_r(NULL, " \t", rest), numbers[i]))
			return -EINVAL;
	for (char *word; (word = strtok_r(NULL, " \t", rest));) {
		if (word[0] == '~') {
			if (parse_number(word + 1, &g->spread))
				return -EINVAL;
		} else if (form->numbers != -1 || parse_step(g, word, rest)) {
			return -EINVAL;
		}
	}
	if (form->numbers == -1 && g->n == 0)
		return -EINVAL;
	return form->numbers == 3 && g->c <= 0 ? -EINVAL : 0;
}

int
generator_parse(struct generator *g, const char *text)
{
	static const struct form constant = {"", GEN_CONSTANT, 0};
	char line[512], *rest = NULL;
	const struct form *form = &constant;

	*g = (struct generator){.seed = 2166136261u};
	if (snprintf(line, sizeof line, "%s", text) >= (int)sizeof line)
		return -EINVAL;
	for (const char *p = text; *p; p++)
		g->seed = (g->seed ^ (uint8_t)*p) * 16777619u;
	char *word = strtok_r(line, " \t", &rest);
	if (!word)
		return -EINVAL;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (!strcmp(word, forms[i].word))
			form = &forms[i];
	g->kind = form->kind;
	if (form->numbers == -2)
		return snprintf(g->text, sizeof g->text, "%s", rest ? rest : "") <
				       (int)sizeof g->text
			       ? 0
			       : -EINVAL;
	if (form == &constant && parse_number(word, &g->a))
		return -EINVAL;
	return parse_rest(g, form, &rest);
}

/* -1..1, the same for the same moment (in tenths of a second) and seed. */
static double
random_at(uint32_t seed, double t)
{
	uint32_t x = seed ^ (uint32_t)(int64_t)floor(t * 10) * 2654435761u;

	x ^= x >> 16;
	x *= 0x7feb352du;
	x ^= x >> 15;
	x *= 0x846ca68bu;
	x ^= x >> 16;
	return (double)x / 2147483647.5 - 1;
}

static double
story(const struct generator *g, double t)
{
	size_t i = 0;

	if (g->c > 0)
		t = fmod(t, g->c);
	while (i + 1 < g->n && g->steps[i + 1].at <= t)
		i++;
	if (g->kind == GEN_STEPS || i + 1 == g->n || t < g->steps[i].at)
		return g->steps[i].value;
	double part = (t - g->steps[i].at) / (g->steps[i + 1].at - g->steps[i].at);
	return g->steps[i].value + part * (g->steps[i + 1].value - g->steps[i].value);
}

static double
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec * 1000 + (double)(ts.tv_nsec / 1000000);
}

static double
level(const struct generator *g, double t)
{
	switch (g->kind) {
	case GEN_SINE:
		return g->a + g->b * sin(two_pi * t / g->c);
	case GEN_RAMP:
		return g->a + (g->b - g->a) * fmod(t, g->c) / g->c;
	case GEN_SQUARE:
		return fmod(t, g->c) < g->c / 2 ? g->a : g->b;
	case GEN_NOISE:
		return g->a + g->b * random_at(g->seed, t);
	case GEN_COUNTER:
		return g->a + g->b * t;
	case GEN_CLOCK:
		return clock_ms();
	case GEN_STEPS:
	case GEN_PATH:
		return story(g, t);
	default:
		return g->a;
	}
}

double
generator_at(const struct generator *g, double t)
{
	double value = level(g, t);

	return g->spread > 0 ? value + g->spread * random_at(g->seed, t) : value;
}

bool
generator_moves(const struct generator *g)
{
	return g->spread > 0 || (g->kind != GEN_CONSTANT && g->kind < GEN_NA);
}
