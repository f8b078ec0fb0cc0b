/* SPDX-License-Identifier: MIT */
/* scan_usb.c -- labpulse scan usb: what is plugged in, as `sources:` to paste
 *
 * Nothing is opened: opening a port restarts many boards. So what hangs on a generic converter
 * chip cannot be known here, and is not guessed.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/scan.h"
#include "config/json.h"
#include "drivers/usb.h"

enum { PORTS_MAX = 128, JSON_SIZE = 64 * 1024 };

/* Ids that say what the machine is: usb.ids 2025.07.26, and for the chargers, which stand in no
 * list, GNU DataExplorer's device descriptions. The ids of converter chips say nothing. */
static const struct known {
	enum link_kind kind;
	const char *vendor, *product; /* product NULL: any */
	const char *driver;
} known[] = {
	{LINK_SERIAL, "2c99", NULL, "marlin"},   /* Prusa Research */
	{LINK_SERIAL, "1d50", "6029", "marlin"}, /* Marlin 2 on LPC176x */
	{LINK_HID, "0483", "575?", "icharger"},  /* Junsi, as its own program has it */
	{LINK_HID, "0000", "0001", "skyrc"},
};

/* NULL: could be anything. */
static const char *
guess_driver(const struct usb_port *p)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		const struct known *k = &known[i];
		if (k->kind == p->kind && !strcmp(k->vendor, p->vendor) &&
			(!k->product || !fnmatch(k->product, p->product, 0)))
			return k->driver;
	}
	return NULL;
}

/* Mice and keyboards are no machines. */
static bool
is_machine(const struct usb_port *p)
{
	return p->kind == LINK_SERIAL || guess_driver(p);
}

static size_t
count_alike(const struct usb_port *list, size_t n, const struct usb_port *p, bool same_serial)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += list[i].kind == p->kind && !strcmp(list[i].vendor, p->vendor) &&
			 !strcmp(list[i].product, p->product) &&
			 (!same_serial || !strcmp(list[i].serial, p->serial));
	return count;
}

/* The name that means this port and will go on meaning it: by serial number where there is one,
 * else by id while it is the only one, else by the place where it is plugged in. */
static void
write_device(
	const struct usb_port *list, size_t n, const struct usb_port *p, char *buf, size_t size)
{
	char interface[8] = "";
	size_t at_place = 0;

	for (size_t i = 0; i < n; i++)
		at_place += list[i].kind == p->kind && !strcmp(list[i].place, p->place);
	if (at_place > 1 && p->interface >= 0)
		snprintf(interface, sizeof interface, "#if%02x", (unsigned)p->interface & 0xFF);
	if (p->serial[0] && count_alike(list, n, p, true) == at_place)
		snprintf(buf, size, "usb:%s:%s:%s%s", p->vendor, p->product, p->serial, interface);
	else if (count_alike(list, n, p, false) == at_place)
		snprintf(buf, size, "usb:%s:%s%s", p->vendor, p->product, interface);
	else
		snprintf(buf, size, "usb-port:%s%s", p->place, interface);
}

static void
print_ports(const struct usb_port *list, size_t n)
{
	char device[200];

	for (size_t i = 0; i < n; i++) {
		const struct usb_port *p = &list[i];
		const char *driver = guess_driver(p);
		if (!is_machine(p))
			continue;
		write_device(list, n, p, device, sizeof device);
		printf("      - {id: usb-%zu, driver: %s, device: \"%s\"}   # %s%s%s, port %s\n",
			i + 1, driver ? driver : "CHOOSE", device, p->node, p->name[0] ? ", " : "",
			p->name, p->place);
	}
}

static int
print_json(const struct usb_port *list, size_t n)
{
	static char buf[JSON_SIZE];
	char device[200];
	struct json j;

	json_init(&j, buf, sizeof buf);
	json_open(&j, NULL, '{');
	json_open(&j, "ports", '[');
	for (size_t i = 0; i < n; i++) {
		const struct usb_port *p = &list[i];
		write_device(list, n, p, device, sizeof device);
		json_open(&j, NULL, '{');
		json_put_string(&j, "device", device);
		json_put_string(&j, "node", p->node);
		json_put_string(&j, "kind", p->kind == LINK_HID ? "hid" : "serial");
		json_put_string(&j, "place", p->place);
		json_put_string(&j, "vendor", p->vendor);
		json_put_string(&j, "product", p->product);
		json_put_string(&j, "serial", p->serial[0] ? p->serial : NULL);
		json_put_string(&j, "name", p->name);
		json_put_string(&j, "driver", guess_driver(p));
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	if (!json_end(&j))
		return cli_fail(CLI_OTHER, "scan: out of memory");
	puts(buf);
	return CLI_FINE;
}

int
scan_usb(bool json)
{
	struct usb_port list[PORTS_MAX];
	struct usb *usb = usb_create();
	int n = usb ? usb_list(usb, list, PORTS_MAX) : -ENOMEM;
	int machines = 0;

	usb_destroy(usb);
	if (n < 0)
		return cli_fail(cli_exit_for(n), "scan: %s", strerror(-n));
	for (int i = 0; i < n; i++)
		machines += is_machine(&list[i]);
	if (json && print_json(list, (size_t)n) != CLI_FINE)
		return CLI_OTHER;
	if (machines == 0)
		return json ? CLI_SILENT
			    : cli_fail(CLI_SILENT, "scan: no serial port or charger on USB");
	if (!json) {
		printf("    sources:   # driver: marlin for 3D printers, grbl for engravers and mills\n");
		print_ports(list, (size_t)n);
	}
	return CLI_FINE;
}
