/* SPDX-License-Identifier: MIT */
/* output.c -- what the simulator tells: where its devices are, what they were asked, and a
 * configuration for labpulsed that fits them */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/simulate/world.h"
#include "config/json.h"

enum { HEAD = 4096, PER_ITEM = 640 };

static char *
start(const struct world *w, struct json *j)
{
	size_t size = HEAD + (w->n_units + w->n_plugs) * PER_ITEM;

	for (const struct port *p = w->ports; p; p = p->next)
		size += PER_ITEM;
	char *buf = malloc(size);
	json_init(j, buf, buf ? size : 0);
	return buf;
}

static char *
finish(char *buf, struct json *j)
{
	if (json_end(j))
		return buf;
	free(buf);
	return NULL;
}

char *
output_ready(const struct world *w, const char *control)
{
	struct json j;
	char *buf = start(w, &j);

	json_open(&j, NULL, '{');
	json_put_bool(&j, "ready", true);
	json_put_string(&j, "control", control);
	json_open(&j, "ports", '{');
	for (const struct port *p = w->ports; p; p = p->next)
		if (p->tcp_port)
			json_put_int(&j, p->id, p->tcp_port);
	json_close(&j, '}');
	json_open(&j, "ptys", '{');
	for (const struct port *p = w->ports; p; p = p->next)
		if (!p->tcp_port)
			json_put_string(&j, p->id, p->place);
	json_close(&j, '}');
	json_open(&j, "usb", '{');
	for (size_t i = 0; i < w->n_plugs; i++)
		json_put_string(&j, plug_name(w->plugs[i]), plug_place(w->plugs[i]));
	json_close(&j, '}');
	json_close(&j, '}');
	return finish(buf, &j);
}

static void
put_plug(struct json *j, const struct plug *p)
{
	struct plug_stats s;

	plug_stats(p, &s);
	json_open(j, plug_name(p), '{');
	json_put_bool(j, "plugged", plug_is_in(p));
	json_put_uint(j, "opened", s.opened);
	json_put_uint(j, "heard", s.heard);
	json_put_uint(j, "said", s.said);
	json_close(j, '}');
}

static void
put_unit(struct json *j, const struct port *p, const struct unit *u)
{
	const struct unit_stats *s = &u->stats;

	json_open(j, u->name, '{');
	json_put_string(j, "on", p->id);
	json_put_int(j, "unit", u->id);
	json_put_uint(j, "requests", s->requests);
	json_put_uint(j, "answers", s->answers);
	json_put_uint(j, "exceptions", s->exceptions);
	json_put_uint(j, "inside_t35", s->inside_t35);
	json_put_int(j, "last_request_ms", s->last_request_ms);
	json_put_int(j, "function", s->function);
	json_put_int(j, "address", s->address);
	json_put_int(j, "count", s->count);
	json_close(j, '}');
}

static void
put_port(struct json *j, const struct port *p)
{
	const struct port_stats *s = &p->stats;

	json_open(j, p->id, '{');
	json_put_bool(j, "plugged", p->ops->is_plugged(p));
	json_put_uint(j, "requests", s->requests);
	json_put_uint(j, "unknown", s->unknown);
	json_put_uint(j, "garbage", s->garbage);
	json_put_uint(j, "inside_t35", s->inside_t35);
	json_put_uint(j, "collisions", s->collisions);
	json_put_uint(j, "connections", s->connections);
	json_put_int(j, "wire_us", s->wire_us);
	json_close(j, '}');
}

char *
output_stats(const struct world *w)
{
	struct json j;
	char *buf = start(w, &j);

	json_open(&j, NULL, '{');
	json_put_bool(&j, "ok", true);
	json_open(&j, "units", '{');
	for (const struct port *p = w->ports; p; p = p->next)
		for (const struct unit *u = p->units; u; u = u->next)
			put_unit(&j, p, u);
	json_close(&j, '}');
	json_open(&j, "lines", '{');
	for (const struct port *p = w->ports; p; p = p->next)
		put_port(&j, p);
	json_close(&j, '}');
	json_open(&j, "usb", '{');
	for (size_t i = 0; i < w->n_plugs; i++)
		put_plug(&j, w->plugs[i]);
	json_close(&j, '}');
	json_close(&j, '}');
	return finish(buf, &j);
}

/* ---- the configuration ---------------------------------------------------------------------- */

static void
write_buses(const struct world *w, FILE *out)
{
	if (w->ports)
		fprintf(out, "\nbuses:\n");
	for (const struct port *p = w->ports; p; p = p->next)
		if (p->tcp_port)
			fprintf(out, "  - {id: %s, type: modbus-tcp, host: 127.0.0.1, port: %d}\n",
				p->id, p->tcp_port);
		else
			fprintf(out,
				"  - {id: %s, type: modbus-rtu, device: \"%s\", baud: %d, format: %s}\n",
				p->id, p->place, p->baud, p->format);
}

/* The text as it stands, with @NAME@ as the place of that USB machine. */
static void
write_text(const struct world *w, const char *text, FILE *out)
{
	while (*text) {
		char name[40];
		int end = 0;
		size_t plain = strcspn(text, "@");
		fwrite(text, 1, plain, out);
		text += plain;
		const struct plug *p = sscanf(text, "@%39[^@\n]@%n", name, &end) == 1 && end
					       ? world_find_plug(w, name)
					       : NULL;
		if (p)
			fputs(plug_place(p), out);
		else if (*text)
			fputc('@', out);
		text += p ? end : *text != '\0';
	}
}

static void
write_plug(const struct world *w, const struct plug *p, FILE *out)
{
	const struct plug_kind *kind = plug_kind_of(p);

	fprintf(out, "  - id: %s\n    class: other\n    sources:\n", plug_name(p));
	fprintf(out, "      - {id: usb, driver: %s, device: \"%s\"", kind->name, plug_place(p));
	if (kind->baud)
		fprintf(out, ", baud: %s", kind->baud);
	fprintf(out, ", interval: %dms}\n", w->options->period_ms);
}

/* One machine for each unit that a profile describes, and for each USB machine. */
static void
write_machines(const struct world *w, FILE *out)
{
	fprintf(out, "\nmachines:\n");
	if (w->machines) {
		write_text(w, w->machines, out);
		return;
	}
	for (size_t i = 0; i < w->n_plugs; i++)
		write_plug(w, w->plugs[i], out);
	for (const struct port *p = w->ports; p; p = p->next)
		for (const struct unit *u = p->units; u; u = u->next) {
			const char *profile = u->profile ? u->profile->id : "sim-block";
			if (!u->profile && !w->block_profile)
				continue;
			fprintf(out, "  - id: %s\n    class: other\n    sources:\n", u->name);
			fprintf(out,
				"      - {id: unit, driver: modbus, bus: %s, unit: %d, profile: %s",
				p->id, u->id, profile);
			if (!u->profile)
				fprintf(out, ", interval: %dms", w->options->period_ms);
			fprintf(out, "}\n");
		}
}

static int
close_written(FILE *out)
{
	bool failed = ferror(out);

	return fclose(out) || failed ? -EIO : 0;
}

/* For the units of the fleet and of the line, whose registers no shipped profile describes. */
static int
write_block_profile(const struct world *w, const char *config)
{
	const char *slash = strrchr(config, '/');
	int folder = slash ? (int)(slash - config + 1) : 0;
	char path[4096];

	snprintf(path, sizeof path, "%.*sprofiles", folder, config);
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof path, "%.*sprofiles/sim-block.yaml", folder, config);
	FILE *out = fopen(path, "w");
	if (!out)
		return -errno;
	fprintf(out,
		"schema: 1\nid: sim-block\nrevision: 1\nkind: generic\nvendor: labpulse\nmodels: [simulate]\n"
		"title: {ru: \"Регистры имитатора\", en: \"Registers of the simulator\"}\nstatus: unverified\n"
		"sources:\n  - {id: s1, origin: standard, title: \"labpulse simulate\", "
		"url: \"https://modbus.org/docs/Modbus_Application_Protocol_V1_1b3.pdf\", seen: \"2026-08-22\"}\n"
		"link: {transports: [rtu, tcp], baud: %d, format: 8N1, unit: 1, response_timeout: 500ms}\n"
		"limits: {max_regs: 125, holes: allow, max_hole: 8}\n"
		"groups:\n  - {id: main, period: 1s}\n"
		"points:\n  - {id: stamp, table: holding, address: 0, type: u32, group: main, sources: [s1]}\n",
		w->options->baud);
	for (int i = 2; i < w->options->registers; i++)
		fprintf(out,
			"  - {id: r%d, table: holding, address: %d, type: u16, group: main, sources: [s1]}\n",
			i, i);
	return close_written(out);
}

int
output_config(const struct world *w, const char *file, const char *broker)
{
	char folder[PATH_MAX], whole[PATH_MAX];
	const char *slash = strrchr(file, '/');
	int rc = w->block_profile ? write_block_profile(w, file) : 0;

	if (rc)
		return rc;
	snprintf(
		folder, sizeof folder, "%.*s", slash ? (int)(slash - file) : 1, slash ? file : ".");
	FILE *out = fopen(file, "w");
	if (!out || !realpath(folder, whole))
		return -errno;
	fprintf(out, "# Fits what `labpulse simulate %s` simulates.\n", w->options->scenario);
	fprintf(out, "park: demo-park\ngateway: demo\nlanguage: ru\n\nmqtt:\n  brokers: [\"%s\"]\n",
		broker);
	fprintf(out, "\nspool: {path: \"%s/spool\"}\ncontrol: \"%s/control\"\n", whole, whole);
	write_buses(w, out);
	write_machines(w, out);
	return close_written(out);
}
