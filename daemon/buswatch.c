/* SPDX-License-Identifier: MIT */
/* buswatch.c -- a dead bus is one alarm, not fifteen
 *
 * A bus is down while none of its sources is ok, and either its line cannot be opened or two units
 * at least are silent: a single silent unit is its own trouble. The alarm is raised after 30 s,
 * before those of its sources (60 s), which it then suppresses.
 */
#include "daemon/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct census { /* of the sources of one bus */
	size_t n, decided, ok, units, closed;
	uint8_t seen[32]; /* a bit per unit id */
};

static bool
is_closed(enum fail fail)
{
	return fail == FAIL_LINK_DOWN || fail == FAIL_IN_USE || fail == FAIL_PERMISSION;
}

static void
count_source(struct census *c, const struct source *s)
{
	unsigned unit = (unsigned)s->config->unit & 0xFF;
	c->n++;
	c->decided += s->decided;
	c->ok += s->decided && s->ok;
	c->closed += s->decided && !s->ok && is_closed((enum fail)s->fail);
	c->units += !(c->seen[unit / 8] >> unit % 8 & 1);
	c->seen[unit / 8] |= (uint8_t)(1u << unit % 8);
}

/* Buses of USB machines stand behind the lines and raise nothing: people switch printers off. */
static size_t
line_of(const struct gateway *g, const struct source *s)
{
	return s->bus ? (size_t)(s->bus - g->config->buses) : SIZE_MAX;
}

static void
take_census(const struct gateway *g, struct census *all)
{
	for (size_t i = 0; i < g->n_machines; i++) {
		const struct machine *m = g->machines[i];
		for (size_t k = 0; k < m->n_sources; k++) {
			size_t line = line_of(g, m->sources[k]);
			if (line < g->config->n_lines)
				count_source(&all[line], m->sources[k]);
		}
	}
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
	size_t n = g->config->n_lines;
	struct census *all = calloc(n + 1, sizeof(*all));
	const char **codes = calloc(n + 1, sizeof(*codes));
	char code[64];
	if (!all || !codes)
		goto out;
	take_census(g, all);
	for (size_t i = 0; i < n; i++) {
		code_of(&g->config->buses[i], code, sizeof(code));
		codes[i] = trouble_set(g, code, is_down(&all[i]));
	}
	for (size_t i = 0; i < g->n_machines; i++) {
		for (size_t k = 0; k < g->machines[i]->n_sources; k++) {
			struct source *s = g->machines[i]->sources[k];
			size_t line = line_of(g, s);
			s->bus_alarm = line < n ? codes[line] : NULL;
		}
	}
out:
	free(all);
	free(codes);
}
