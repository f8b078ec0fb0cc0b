/* SPDX-License-Identifier: MIT */
/* hass_kind.h -- what a point is in Home Assistant's words
 *
 * Home Assistant refuses an entity whose device_class, unit_of_measurement and state_class do not
 * go together. Which do: DEVICE_CLASS_UNITS and DEVICE_CLASS_STATE_CLASSES in
 * https://github.com/home-assistant/core/blob/dev/homeassistant/components/sensor/const.py
 * Only device classes that are as old as device discovery (2024.11) are used, because an older
 * Home Assistant refuses an entity of a newer class. Pure. Any thread.
 */
#ifndef DAEMON_HASS_KIND_H
#define DAEMON_HASS_KIND_H

#include "drivers/profile.h"

enum hass_platform { HASS_SENSOR, HASS_BINARY_SENSOR };

struct hass_kind {
	enum hass_platform platform;
	/* NULL: none. `unit` as Home Assistant writes it ("°C" for C). */
	const char *device_class, *unit, *state_class;
	bool words; /* its values are the keys of the point's enum */
};

struct hass_kind hass_kind_of(const struct reg_point *p);

#endif
