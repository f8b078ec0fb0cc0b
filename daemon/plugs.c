/* SPDX-License-Identifier: MIT */
/* plugs.c -- USB devices come and go
 *
 * Whose port appeared or vanished is for the bus threads to find out; here they are only woken.
 * Without udev they look once a second by themselves.
 */
#include "daemon/gateway.h"

#include "daemon/log.h"

static bool
is_plug(const struct bus_config *bus)
{
	return bus->type == BUS_SERIAL || bus->type == BUS_HID;
}

static void
on_change(void *arg)
{
	struct gateway *g = arg;
	if (!usb_changed(g->usb))
		return;
	for (size_t i = 0; i < g->n_pollers; i++)
		if (g->pollers[i] && is_plug(poller_bus(g->pollers[i])))
			poller_replug(g->pollers[i]);
}

int
plugs_start(struct gateway *g)
{
	bool any = g->config->n_buses > g->config->n_lines;
	if (any && !usb_is_told(g->usb))
		log_info("usb: udev is not running here; devices are looked for once a second");
	return usb_fd(g->usb) < 0 ? 0 : loop_watch(g->loop, usb_fd(g->usb), on_change, g);
}

void
plugs_stop(struct gateway *g)
{
	if (usb_fd(g->usb) >= 0)
		loop_unwatch(g->loop, usb_fd(g->usb));
}
