/* SPDX-License-Identifier: MIT */
/* bus.c -- buses of the configuration, and how a device is named */
#include <ctype.h>
#include <string.h>
#include <sys/resource.h>

#include "config/loader.h"
#include "config/scalar.h"

enum { OTHER_FILES = 64 }; /* descriptors that are not buses: spool, broker, loop, … */

static bool
skip_hex4(const char **s)
{
	for (int i = 0; i < 4; i++)
		if (!isxdigit((unsigned char)*(*s)++))
			return false;
	return true;
}

static bool
skip_digits(const char **s)
{
	size_t n = strspn(*s, SCALAR_DIGIT);

	*s += n;
	return n > 0;
}

/* 1-4.2: the bus, then the ports from hub to hub, as the kernel names them. */
static bool
is_port_chain(const char *s)
{
	if (!skip_digits(&s) || *s++ != '-' || !skip_digits(&s))
		return false;
	while (*s == '.') {
		s++;
		if (!skip_digits(&s))
			return false;
	}
	return *s == '\0';
}

static bool
is_usb_id(const char *s)
{
	if (!skip_hex4(&s) || *s++ != ':' || !skip_hex4(&s))
		return false;
	return *s == '\0' || (*s == ':' && s[1]);
}

bool
loader_device_ok(const char *device)
{
	char copy[256];
	size_t len = strlen(device);

	if (len >= sizeof copy)
		return false;
	if (*device == '/')
		return len > 1;
	memcpy(copy, device, len + 1);
	char *interface = strrchr(copy, '#');
	if (interface && interface[1] == 'i' && interface[2] == 'f' &&
		isdigit((unsigned char)interface[3]) && isdigit((unsigned char)interface[4]) &&
		interface[5] == '\0')
		*interface = '\0';
	if (strncmp(copy, "usb:", 4) == 0)
		return is_usb_id(copy + 4);
	if (strncmp(copy, "usb-port:", 9) == 0)
		return is_port_chain(copy + 9);
	return strncmp(copy, "unix:/", 6) == 0;
}

static bool
is_standard_baud(int baud)
{
	int64_t known;

	for (size_t i = 0; config_baud_words[i]; i++)
		if (scalar_int(config_baud_words[i], &known) && known == baud)
			return true;
	return false;
}

/* Keys of the other type of bus are mistakes, not decoration. */
static void
check_keys(struct loader *l, const struct node *node, enum bus_type type)
{
	static const struct {
		const char *key;
		enum bus_type type;
		bool required;
	} keys[] = {{"device", BUS_MODBUS_RTU, true}, {"baud", BUS_MODBUS_RTU, false},
		{"format", BUS_MODBUS_RTU, false}, {"host", BUS_MODBUS_TCP, true},
		{"port", BUS_MODBUS_TCP, false}};
	const char *name = type == BUS_MODBUS_RTU ? "modbus-rtu" : "modbus-tcp";

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const struct node *value = node_get(node, keys[i].key);
		if (value && keys[i].type != type)
			reader_error(&l->r, value, keys[i].key, NULL, "does not belong to a %s bus",
				name);
		if (!value && keys[i].type == type && keys[i].required)
			reader_error(&l->r, node, NULL, NULL,
				"\"%s\" is missing; a %s bus needs it", keys[i].key, name);
	}
}

static void
read_bus(struct loader *l, const struct node *node, struct bus_config *bus)
{
	struct bus_draft d = {.b = {.baud = 9600, .port = 502}, .format = "8N1"};

	keys_read(&l->r, &bus_table, node, &d);
	*bus = d.b;
	memcpy(bus->format, d.format, 3);
	if (node_get(node, "type"))
		check_keys(l, node, bus->type);
	if (!is_standard_baud(bus->baud))
		reader_error(&l->r, node_get(node, "baud"), "baud", "P035",
			"%d is not a standard speed", bus->baud);
	if (bus->device && !loader_device_ok(bus->device))
		reader_error(&l->r, node_get(node, "device"), "device", NULL,
			"\"%.80s\" is not a path, usb:VID:PID[:SERIAL] or usb-port:BUS-PORT.PORT",
			bus->device);
	if (bus->host && strpbrk(bus->host, " /@"))
		reader_error(&l->r, node_get(node, "host"), "host", NULL,
			"must be a name or an address");
}

/* One connection, one line: two buses on the same would fight for it. */
static void
check_endpoint(struct loader *l, struct names *endpoints, const struct bus_config *bus,
	const struct node *node, size_t i)
{
	const char *name = bus->device;

	if (bus->host)
		name = arena_printf(&l->scratch, "%s:%d", bus->host, bus->port);
	size_t was = name ? names_add(endpoints, name, i) : SIZE_MAX;
	if (was != SIZE_MAX)
		reader_error(&l->r, node, NULL, NULL,
			"%s is bus \"%s\" already; one bus serves all units behind it", name,
			l->c->buses[was].id ? l->c->buses[was].id : "?");
}

static void
check_descriptors(struct loader *l)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_max == RLIM_INFINITY)
		return;
	if (l->c->n_buses + OTHER_FILES > limit.rlim_max)
		reader_error(&l->r, l->d.buses, "buses", NULL,
			"%zu buses need more open files than the limit of %llu allows; raise LimitNOFILE= "
			"(ulimit -Hn)",
			l->c->n_buses, (unsigned long long)limit.rlim_max);
}

void
loader_buses(struct loader *l)
{
	const struct node *list = l->d.buses;
	struct names endpoints = {.arena = &l->scratch};
	struct config *c = l->c;
	struct path path;

	l->bus_names.arena = &l->scratch;
	if (!list)
		return;
	c->buses = arena_array(l->r.arena, list->n, sizeof *c->buses);
	l->bus_nodes = arena_array(&l->scratch, list->n, sizeof *l->bus_nodes);
	for (const struct node *child = list->first; child; child = child->next) {
		size_t i = c->n_buses++;
		struct bus_config *bus = &c->buses[i];
		l->bus_nodes[i] = child;
		reader_push(&l->r, &path, "buses", i);
		read_bus(l, child, bus);
		check_endpoint(l, &endpoints, bus, child, i);
		size_t was = bus->id ? names_add(&l->bus_names, bus->id, i) : SIZE_MAX;
		if (was != SIZE_MAX)
			reader_error(&l->r, node_get(child, "id"), "id", NULL,
				"bus \"%s\" is defined twice (lines %d and %d)", bus->id,
				l->bus_nodes[was]->line, child->line);
		reader_pop(&l->r);
	}
	check_descriptors(l);
}
