/* SPDX-License-Identifier: MIT */
/* mqtt_settings.h -- the broker's part of the configuration as a value of its own
 *
 * The uplink keeps a copy, because a connection outlives the configuration it was made from.
 */
#ifndef DAEMON_MQTT_SETTINGS_H
#define DAEMON_MQTT_SETTINGS_H

#include "config/config.h"

struct mqtt_config *mqtt_copy(const struct mqtt_config *from); /* NULL: out of memory */
void mqtt_free(struct mqtt_config *c);                         /* NULL is fine */
bool mqtt_same(struct mqtt_config *a, struct mqtt_config *b);
/* Reads the password, the first line of its file, into buf. 0: none is configured; 1: done;
 * -errno: the configured file cannot be read. */
int mqtt_password(const struct mqtt_config *c, char *buf, size_t size);

#endif
