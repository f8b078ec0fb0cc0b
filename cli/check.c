/* SPDX-License-Identifier: MIT */
/* check.c -- `labpulse check`: every problem of a configuration, and what would be polled */
#include "cli/check.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "config/config.h"
#include "config/json.h"
#include "config/load.h"

/* ---- for people -------------------------------------------------------------------------- */

static const char *
period_text(const struct group_load *g, char *buf, size_t size)
{
	if (g->continuous)
		snprintf(buf, size, "continuous");
	else if (g->period_ms == 0)
		snprintf(buf, size, "once");
	else if (g->period_ms % 1000)
		snprintf(buf, size, "%lldms", (long long)g->period_ms);
	else
		snprintf(buf, size, "%llds", (long long)g->period_ms / 1000);
	return buf;
}

static void
print_group(const struct group_load *g)
{
	char period[32];

	printf("      %-12s every %-11s %3zu point%s in %zu request%s, %lld ms of bus time%s\n",
		g->id, period_text(g, period, sizeof period), g->points, g->points == 1 ? " " : "s",
		g->requests, g->requests == 1 ? "" : "s", (long long)(g->cycle_us + 999) / 1000,
		g->late ? "  CANNOT MEET ITS PERIOD" : "");
}

static void
print_source(const struct config *c, const struct source_config *s)
{
	size_t n;
	struct group_load *groups = load_of_source(c, s, &n);

	if (s->driver->needs_profile)
		printf("    %-12s modbus %s unit %d, profile %s\n", s->id, c->buses[s->bus].id,
			s->unit, s->profile->regs.id);
	else
		printf("    %-12s %s %s\n", s->id, s->driver->name, s->device);
	for (size_t i = 0; i < n; i++)
		print_group(&groups[i]);
	free(groups);
}

static void
print_bus(const struct bus_config *bus)
{
	if (bus->type == BUS_MODBUS_TCP)
		printf("  %-12s modbus-tcp %s:%d", bus->id, bus->host, bus->port);
	else
		printf("  %-12s modbus-rtu %s %d %s", bus->id, bus->device, bus->baud, bus->format);
	printf(", load %.1f %%\n", bus->load_pct);
}

static void
print_plan(const struct config *c)
{
	printf("%s: park %s, gateway %s, %zu machines, %zu buses, %zu profiles, hash %s\n", c->file,
		c->park, c->gateway, c->n_machines, c->n_lines, c->n_profiles, c->hash);
	printf("buses:\n");
	for (size_t i = 0; i < c->n_lines; i++)
		print_bus(&c->buses[i]);
	printf("machines:\n");
	for (size_t i = 0; i < c->n_machines; i++) {
		const struct machine_config *m = &c->machines[i];
		printf("  %s (%s)\n", m->id, m->class);
		for (size_t k = 0; k < m->n_sources; k++)
			print_source(c, &m->sources[k]);
	}
}

static void
print_profile(const struct profile_file *p)
{
	printf("%s: profile %s revision %d, %zu points, %zu groups, %zu alarms, %zu usage rules\n",
		p->path, p->regs.id, p->regs.revision, p->regs.n_points, p->regs.n_groups,
		p->n_faults, p->n_usage);
	for (size_t i = 0; i < p->regs.n_points; i++) {
		const struct reg_point *r = &p->regs.points[i];
		printf("  %-40s %-5s group %-10s %s%s\n", r->point.id, r->point.unit,
			p->regs.groups[r->point.group].id, r->point.class ? r->point.class : "",
			r->enabled ? "" : " (not enabled)");
	}
}

/* ---- as JSON ----------------------------------------------------------------------------- */

static void
json_problems(struct json *j, const struct problems *problems)
{
	json_open(j, "problems", '[');
	for (size_t i = 0; i < problems->n; i++) {
		const struct problem *p = &problems->list[i];
		json_open(j, NULL, '{');
		json_put_string(j, "severity", p->is_error ? "error" : "warning");
		json_put_string(j, "file", p->file);
		json_put_int(j, "line", p->line);
		json_put_int(j, "column", p->column);
		json_put_string(j, "path", p->path);
		json_put_string(j, "text", p->text);
		json_put_string(j, "code", *p->code ? p->code : NULL);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_put_uint(j, "errors", problems->errors);
	json_put_uint(j, "warnings", problems->warnings);
}

static void
json_group(struct json *j, const struct group_load *g)
{
	json_open(j, NULL, '{');
	json_put_string(j, "id", g->id);
	json_put_int(j, "period_ms", g->period_ms);
	json_put_bool(j, "continuous", g->continuous);
	json_put_uint(j, "points", g->points);
	json_put_uint(j, "requests", g->requests);
	json_put_int(j, "cycle_us", g->cycle_us);
	json_put_bool(j, "late", g->late);
	json_close(j, '}');
}

static void
json_source(struct json *j, const struct config *c, const struct source_config *s)
{
	size_t n;
	struct group_load *groups = load_of_source(c, s, &n);

	json_open(j, NULL, '{');
	json_put_string(j, "id", s->id);
	json_put_string(j, "driver", s->driver->name);
	json_put_bool(j, "polled", s->profile != NULL);
	json_put_string(j, "bus", s->driver->needs_profile ? c->buses[s->bus].id : NULL);
	json_put_string(j, "profile", s->driver->needs_profile ? s->profile->regs.id : NULL);
	json_put_string(j, "device", s->device);
	json_put_int(j, "unit", s->unit);
	json_open(j, "groups", '[');
	for (size_t i = 0; i < n; i++)
		json_group(j, &groups[i]);
	json_close(j, ']');
	json_close(j, '}');
	free(groups);
}

static void
json_machine(struct json *j, const struct config *c, const struct machine_config *m)
{
	json_open(j, NULL, '{');
	json_put_string(j, "id", m->id);
	json_put_string(j, "class", m->class);
	json_open(j, "sources", '[');
	for (size_t i = 0; i < m->n_sources; i++)
		json_source(j, c, &m->sources[i]);
	json_close(j, ']');
	json_close(j, '}');
}

static void
json_bus(struct json *j, const struct bus_config *bus)
{
	json_open(j, NULL, '{');
	json_put_string(j, "id", bus->id);
	json_put_string(j, "type", bus->type == BUS_MODBUS_TCP ? "modbus-tcp" : "modbus-rtu");
	json_put_real(j, "load_pct", bus->load_pct, 1);
	json_close(j, '}');
}

static void
json_plan(struct json *j, const struct config *c)
{
	json_put_string(j, "hash", c->hash);
	json_put_string(j, "park", c->park);
	json_put_string(j, "gateway", c->gateway);
	json_open(j, "buses", '[');
	for (size_t i = 0; i < c->n_lines; i++)
		json_bus(j, &c->buses[i]);
	json_close(j, ']');
	json_open(j, "machines", '[');
	for (size_t i = 0; i < c->n_machines; i++)
		json_machine(j, c, &c->machines[i]);
	json_close(j, ']');
}

static void
json_points(struct json *j, const struct profile_file *p)
{
	json_put_string(j, "profile", p->regs.id);
	json_put_int(j, "revision", p->regs.revision);
	json_open(j, "points", '[');
	for (size_t i = 0; i < p->regs.n_points; i++) {
		const struct reg_point *r = &p->regs.points[i];
		json_open(j, NULL, '{');
		json_put_string(j, "id", r->point.id);
		json_put_string(j, "unit", r->point.unit);
		json_put_string(j, "class", r->point.class);
		json_put_string(j, "group", p->regs.groups[r->point.group].id);
		json_put_bool(j, "enabled", r->enabled);
		json_close(j, '}');
	}
	json_close(j, ']');
}

struct report { /* one of config and profile, or neither if it did not load */
	const char *file;
	const struct problems *problems;
	const struct config *config;
	const struct profile_file *profile;
};

static size_t
render(const struct report *report, char *buf, size_t size)
{
	struct json j;

	json_init(&j, buf, size);
	json_open(&j, NULL, '{');
	json_put_string(&j, "file", report->file);
	json_put_bool(&j, "ok", report->config || report->profile);
	json_problems(&j, report->problems);
	if (report->config)
		json_plan(&j, report->config);
	if (report->profile)
		json_points(&j, report->profile);
	json_close(&j, '}');
	return json_end(&j);
}

/* The writer wants a buffer that is large enough; a thousand machines fill more than ten. */
static void
print_json(const struct report *report)
{
	for (size_t size = 64 * 1024; size <= 256 * 1024 * 1024; size *= 4) {
		char *buf = malloc(size);
		bool fits = buf && render(report, buf, size);
		if (fits)
			puts(buf);
		free(buf);
		if (fits || !buf)
			return;
	}
}

static int
finish(const struct report *report, struct problems *problems, bool json)
{
	bool good = report->config || report->profile;

	if (json)
		print_json(report);
	else
		problems_print(problems, stderr);
	if (good && !json && report->config)
		print_plan(report->config);
	if (good && !json && report->profile)
		print_profile(report->profile);
	if (!json)
		fprintf(stderr, "%s: %zu errors, %zu warnings\n", report->file, problems->errors,
			problems->warnings);
	problems_free(problems);
	return good ? CLI_FINE : CLI_CONFIG;
}

int
check_run(const char *file, const char *profiles_dir, bool json)
{
	struct problems problems = {0};
	struct config *c = config_load(file, profiles_dir, &problems);
	const struct report report = {.file = file, .problems = &problems, .config = c};

	int code = finish(&report, &problems, json);
	config_free(c);
	return code;
}

int
check_profile(const char *file, bool json)
{
	struct problems problems = {0};
	struct profile_file *p = profile_load(file, &problems);
	const struct report report = {.file = file, .problems = &problems, .profile = p};

	int code = finish(&report, &problems, json);
	profile_free(p);
	return code;
}
