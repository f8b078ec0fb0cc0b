/* SPDX-License-Identifier: MIT */
/* mqtt.c -- broker URLs and other addresses of the configuration */
#include <string.h>

#include "config/loader.h"
#include "config/scalar.h"

enum { BROKERS_MAX = 16 };

#define HOST_CHARS SCALAR_LOWER SCALAR_DIGIT "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_"
#define V6_CHARS SCALAR_DIGIT "abcdefABCDEF:.%"

/* "host", "host:port", "[v6]" or "[v6]:port"; *port keeps its value if there is none. */
static const char *
parse_address(struct arena *a, const char *s, int *port)
{
	bool v6 = *s == '[';
	const char *host = v6 ? s + 1 : s;
	size_t len = strspn(host, v6 ? V6_CHARS : HOST_CHARS);
	const char *rest = host + len + v6;
	int64_t number;

	if (len == 0 || len > 253 || (v6 && host[len] != ']'))
		return NULL;
	if (*rest == ':') {
		if (!scalar_int(rest + 1, &number) || number < 1 || number > 65535)
			return NULL;
		*port = (int)number;
	} else if (*rest) {
		return NULL;
	}
	return arena_copy(a, host, len);
}

static bool
parse_broker(struct reader *r, const struct node *node, const char *text, struct broker *b)
{
	static const char plain[] = "mqtt://", tls[] = "mqtts://";
	const char *address = NULL;

	b->tls = strncmp(text, tls, sizeof tls - 1) == 0;
	if (b->tls)
		address = text + sizeof tls - 1;
	else if (strncmp(text, plain, sizeof plain - 1) == 0)
		address = text + sizeof plain - 1;
	if (strchr(text, '@')) {
		/* Not repeated in the message: it may hold a password. */
		reader_error(r, node, NULL, NULL,
			"user and password do not belong into the URL; use username and password_file");
		return false;
	}
	size_t len = address ? strlen(address) : 0;
	if (len && address[len - 1] == '/')
		len--;
	b->port = b->tls ? 8883 : 1883;
	b->host =
		len ? parse_address(r->arena, arena_copy(r->arena, address, len), &b->port) : NULL;
	if (!b->host)
		reader_error(r, node, NULL, NULL,
			"\"%.80s\" is not mqtt://HOST[:PORT] or mqtts://HOST[:PORT]", text);
	return b->host != NULL;
}

void
loader_brokers(struct loader *l)
{
	struct mqtt_config *mqtt = &l->c->mqtt;
	const struct node *list = l->d.brokers;
	struct path path;
	size_t i = 0;

	if (!list)
		return;
	if (list->kind != NODE_LIST || list->n == 0 || list->n > BROKERS_MAX) {
		reader_error(&l->r, list, "mqtt.brokers", NULL, "must be a list of 1 to %d URLs",
			BROKERS_MAX);
		return;
	}
	mqtt->brokers = arena_array(l->r.arena, list->n, sizeof *mqtt->brokers);
	for (const struct node *child = list->first; child; child = child->next) {
		reader_push(&l->r, &path, "mqtt.brokers", i++);
		const char *text = reader_string(&l->r, child, NULL, NULL);
		if (text && parse_broker(&l->r, child, text, &mqtt->brokers[mqtt->n_brokers]))
			mqtt->n_brokers++;
		reader_pop(&l->r);
	}
}

void
loader_listen(struct loader *l)
{
	const struct node *node = l->d.listen;
	int port = 0;

	if (!node)
		return;
	const char *text = reader_string(&l->r, node, "metrics.listen", NULL);
	if (!text)
		return;
	l->c->metrics_host = parse_address(l->r.arena, text, &port);
	l->c->metrics_port = port;
	if (!l->c->metrics_host || port == 0)
		reader_error(&l->r, node, "metrics.listen", NULL,
			"\"%.80s\" is not ADDRESS:PORT, for example 127.0.0.1:9560", text);
}
