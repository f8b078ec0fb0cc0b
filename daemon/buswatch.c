/* SPDX-License-Identifier: MIT */
/* buswatch.c -- a dead bus is one alarm, not fifteen
 *
 * A bus is down while none of its sources is ok, and either its line cannot be opened or two units
 * at least are silent: a single silent unit is its own trouble. The alarm is raised after 30 s,
 * before those of its sources (60 s), which it then suppresses.
 */
#include "daemon/gateway.h"

#include <stdio.h>
#include <string.h>

struct census { /* of the sources of one bus */
	size_t n, decided, ok, units, closed;
};

static bool
is_closed(enum fail fail)
{
	return fail == FAIL_LINK_DOWN || fail == FAIL_IN_USE || fail == FAIL_PERMISSION;
}

static void
count_source(struct census *c, const struct source *s, uint8_t seen[32])
{
	unsigned unit = (unsigned)s->config->unit & 0xFF;
	c->n++;
	c->decided += s->decided;
	c->ok += s->decided && s->ok;
	c->closed += s->decided && !s->ok && is_closed((enum fail)s->fail);
	c->units += !(seen[unit / 8] >> unit % 8 & 1);
	seen[unit / 8] |= (uint8_t)(1u << unit % 8);
}

static struct census
take_census(const struct gateway *g, const struct bus_config *bus)
{
	struct census c = {.n = 0};
	uint8_t seen[32] = {0};
	for (size_t i = 0; i < g->n_machines; i++)
		for (size_t k = 0; k < g->machines[i]->n_sources; k++)
			if (g->machines[i]->sources[k]->bus == bus)
				count_source(&c, g->machines[i]->sources[k], seen);
	return c;
}

static enum truth
is_down(const struct census *c)
{
	if (c->n == 0 || c->ok)
		return TRUTH_FALSE;
	if (c->decided < c->n)
		return TRUTH_UNKNOWN;
	return c->closed == c->n || c->units > 1 ? TRUTH_TRUE : TRUTH_FALSE;
}

static void
explain_sources(struct gateway *g, const struct bus_config *bus, const char *code)
{
	for (size_t i = 0; i < g->n_machines; i++)
		for (size_t k = 0; k < g->machines[i]->n_sources; k++)
			if (g->machines[i]->sources[k]->bus == bus)
				g->machines[i]->sources[k]->bus_alarm = code;
}

static void
code_of(const struct bus_config *bus, char *buf, size_t size)
{
	char down[48];
	snprintf(down, sizeof(down), "%s-down", bus->id);
	alarm_code(buf, size, "bus", down);
}

bool
buswatch_has(const struct gateway *g, const char *code)
{
	char own[64];
	for (size_t i = 0; i < g->config->n_lines; i++) {
		code_of(&g->config->buses[i], own, sizeof(own));
		if (strcmp(own, code) == 0)
			return true;
	}
	return false;
}

void
buswatch_tick(struct gateway *g)
{
	char code[64];
	for (size_t i = 0; i < g->config->n_lines; i++) {
		const struct bus_config *bus = &g->config->buses[i];
		struct census c = take_census(g, bus);
		code_of(bus, code, sizeof(code));
		explain_sources(g, bus, trouble_set(g, code, is_down(&c)));
	}
}
