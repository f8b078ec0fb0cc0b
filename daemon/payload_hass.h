/* SPDX-License-Identifier: MIT */
/* payload_hass.h -- a machine as Home Assistant is told of it: one device with its entities
 *
 * "Device discovery payload" of https://www.home-assistant.io/integrations/mqtt/; what it says is
 * docs/home-assistant.md. Pure. Loop thread.
 */
#ifndef DAEMON_PAYLOAD_HASS_H
#define DAEMON_PAYLOAD_HASS_H

#include "config/config.h"
#include "daemon/machine.h"

/* The smallest limit for a message among brokers in use (AWS IoT Core's); room for some 280
 * entities. */
#define PAYLOAD_HASS_MAX (128 * 1024)

/* Writes at most PAYLOAD_HASS_MAX bytes. Entities for which there is no room are left out, of
 * points the last ones first, and counted in *left_out. The length; 0: not even the device fits. */
size_t payload_hass(
	char *buf, size_t size, const struct config *c, const struct machine *m, size_t *left_out);

#endif
