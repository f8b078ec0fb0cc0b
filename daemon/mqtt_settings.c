/* SPDX-License-Identifier: MIT */
/* mqtt_settings.c -- copied, compared and freed string by string from one list */
#include "daemon/mqtt_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every string of struct mqtt_config, so that a copy, a comparison and a release miss none. */
#define STRINGS(c)                                                                                 \
	{                                                                                          \
		&(c)->username, &(c)->password_file, &(c)->ca_file, &(c)->cert_file,               \
			&(c)->key_file, &(c)->topic_root, &(c)->client_id                          \
	}
#define N_STRINGS 7

void
mqtt_free(struct mqtt_config *c)
{
	if (!c)
		return;
	const char **strings[N_STRINGS] = STRINGS(c);
	for (size_t i = 0; i < N_STRINGS; i++)
		free((void *)(uintptr_t)*strings[i]);
	for (size_t i = 0; c->brokers && i < c->n_brokers; i++)
		free((void *)(uintptr_t)c->brokers[i].host);
	free(c->brokers);
	free(c);
}

struct mqtt_config *
mqtt_copy(const struct mqtt_config *from)
{
	struct mqtt_config *c = malloc(sizeof(*c));
	bool ok = c != NULL;
	if (!c)
		return NULL;
	*c = *from;
	const char **strings[N_STRINGS] = STRINGS(c);
	for (size_t i = 0; i < N_STRINGS; i++) {
		const char *text = *strings[i];
		*strings[i] = text ? strdup(text) : NULL;
		ok &= !text || *strings[i];
	}
	c->brokers = calloc(from->n_brokers, sizeof(*c->brokers));
	for (size_t i = 0; c->brokers && i < from->n_brokers; i++) {
		c->brokers[i] = from->brokers[i];
		c->brokers[i].host = strdup(from->brokers[i].host);
		ok &= c->brokers[i].host != NULL;
	}
	if (ok && c->brokers)
		return c;
	mqtt_free(c);
	return NULL;
}

static bool
same_string(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool
mqtt_same(struct mqtt_config *a, struct mqtt_config *b)
{
	const char **as[N_STRINGS] = STRINGS(a), **bs[N_STRINGS] = STRINGS(b);
	for (size_t i = 0; i < N_STRINGS; i++)
		if (!same_string(*as[i], *bs[i]))
			return false;
	if (a->n_brokers != b->n_brokers)
		return false;
	for (size_t i = 0; i < a->n_brokers; i++)
		if (!same_string(a->brokers[i].host, b->brokers[i].host) ||
			a->brokers[i].port != b->brokers[i].port ||
			a->brokers[i].tls != b->brokers[i].tls)
			return false;
	return a->keepalive_ms == b->keepalive_ms && a->protocol == b->protocol &&
	       a->window == b->window && a->reconnect_min_ms == b->reconnect_min_ms &&
	       a->reconnect_max_ms == b->reconnect_max_ms && a->ack_archiver == b->ack_archiver;
}

int
mqtt_password(const struct mqtt_config *c, char *buf, size_t size)
{
	char path[512];
	const char *file = c->password_file, *dir = getenv("CREDENTIALS_DIRECTORY");
	if (!file && dir) {
		snprintf(path, sizeof(path), "%s/mqtt-password", dir);
		file = path;
	}
	FILE *f = file ? fopen(file, "re") : NULL;
	if (!f)
		return c->password_file ? -errno : 0; /* the credential is optional */
	buf[0] = '\0';
	bool failed = !fgets(buf, (int)size, f) && ferror(f); /* a directory can be opened, too */
	fclose(f);
	buf[strcspn(buf, "\r\n")] = '\0';
	return failed ? -EIO : 1;
}
