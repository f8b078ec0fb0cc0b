/* SPDX-License-Identifier: MIT */
/* fleet_say.c -- what a simulated fleet tells on standard output: one JSON object a line */
#include <stdio.h>
#include <time.h>

#include "cli/simulate/fleet_impl.h"
#include "config/json.h"

enum { LINE = 1024 };

int64_t
fleet_wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
fleet_say(struct json *j)
{
	json_close(j, '}');
	if (json_end(j)) {
		puts(j->buf);
		fflush(stdout);
	}
}

void
fleet_say_published(struct fleet_gateway *g, size_t machine, size_t alarm, int64_t asked_ms)
{
	const struct fleet_machine *m = &g->machines[machine];
	char buf[LINE];
	struct json j;

	json_init(&j, buf, sizeof buf);
	json_open(&j, NULL, '{');
	json_put_bool(&j, "ok", true);
	json_put_string(&j, "park", g->park);
	json_put_string(&j, "machine", m->id);
	json_put_string(&j, "code", m->model.kind->alarms[alarm].code);
	json_put_bool(&j, "active", m->alarms[alarm].active);
	json_put_int(&j, "asked", asked_ms);
	json_put_int(&j, "published", fleet_wall_ms());
	fleet_say(&j);
}

void
fleet_say_stats(struct fleet *f)
{
	uint64_t connected = 0, in_flight = 0, backlog = 0, events = 0, live = 0, settled = 0;
	const struct fleet_stats *s = &f->stats;
	char buf[LINE];
	struct json j;

	for (size_t k = 0; k < f->n; k++) {
		const struct fleet_gateway *g = f->gateways[k];
		connected += fleet_link_is_up(g->link);
		settled += fleet_link_is_up(g->link) && !g->burst;
		in_flight += g->n_flights;
		backlog += g->waiting;
		events += g->events.end - g->events.first;
		live += g->n_live;
	}
	const struct {
		const char *key;
		uint64_t value;
	} figures[] = {{"connected", connected}, {"settled", settled}, {"connects", s->connects},
		{"losses", s->losses}, {"published", s->published}, {"acked", s->acknowledged},
		{"refused", s->refused}, {"in_flight", in_flight}, {"pictures", s->pictures},
		{"events", s->events}, {"telemetry", s->telemetry}, {"history", s->history},
		{"records", s->records}, {"dropped", s->dropped}, {"waiting_live", live},
		{"waiting_events", events}, {"backlog", backlog}};
	json_init(&j, buf, sizeof buf);
	json_open(&j, NULL, '{');
	json_put_int(&j, "t", fleet_wall_ms());
	for (size_t k = 0; k < sizeof figures / sizeof figures[0]; k++)
		json_put_uint(&j, figures[k].key, figures[k].value);
	fleet_say(&j);
}
