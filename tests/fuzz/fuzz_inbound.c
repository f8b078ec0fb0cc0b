/* SPDX-License-Identifier: MIT */
/* fuzz_inbound.c -- whatever a broker may hand us: retained topics of others, our own availability,
 * an archiver's acknowledgement
 *
 * The input is messages, each ended by 0x1E: 'R' (retained) or another byte, the topic (below
 * parks/p/ unless it begins with '/'), a line end, the payload. 'T' alone: six seconds pass.
 * Whatever it says, only topics of our own machines and of orphans in our name are cleared, what we
 * publish is JSON, and counters do not go back.
 */
#include "tests/fuzz/world.h"

#include <math.h>

enum {
	MESSAGE_END = 0x1E,
	MESSAGES_MAX = 32,
	LOOKOUT_OVER_US = 6000000,
	GATEWAY_TOPICS_MAX = 4
}; /* its alarms */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Machines that were said to be ours. */
static char ours[MESSAGES_MAX][64];
static size_t n_ours;

static const char *
machine_of(const char *topic, char id[64])
{
	if (sscanf(topic, "parks/p/machines/%63[^/]/", id) != 1)
		id[0] = '\0';
	return id;
}

static bool
is_ours(const char *id)
{
	for (size_t i = 0; i < n_ours; i++)
		if (strcmp(ours[i], id) == 0)
			return true;
	return gateway_find_machine(world.gateway, id) != NULL;
}

static void
world_published(const struct message *m)
{
	char id[64];

	if (!m->retain || m->len > 0 || strncmp(m->topic, "parks/p/gateways/gw1/", 21) == 0)
		return;
	assert(is_ours(machine_of(m->topic, id)));
}

static void
note_ours(const struct uplink_event *e)
{
	json_t *root = json_loadb(e->payload, e->len, JSON_REJECT_DUPLICATES, NULL);
	const char *gw = json_string_value(json_object_get(root, "gw"));

	if (gw && strcmp(gw, "gw1") == 0)
		machine_of(e->topic, ours[n_ours++]);
	json_decref(root);
}

static void
take(char *text, size_t len)
{
	char *end = memchr(text, '\n', len), topic[300];
	struct uplink_event e = {.kind = UPLINK_INBOUND, .retain = text[0] == 'R', .topic = topic};

	if (!end || end == text) {
		if (text[0] == 'T')
			inbound_tick(world.gateway, clock_mono_us() + LOOKOUT_OVER_US);
		return;
	}
	*end = '\0';
	if (strlen(text + 1) != (size_t)(end - text - 1))
		return; /* no topic has a NUL in it */
	snprintf(topic, sizeof(topic), "%s%s", text[1] == '/' ? "" : "parks/p/",
		text + 1 + (text[1] == '/'));
	e.len = len - (size_t)(end + 1 - text);
	e.payload = malloc(e.len + 1); /* of its own size, so that an overrun shows */
	assert(e.payload);
	memcpy(e.payload, end + 1, e.len);
	e.payload[e.len] = '\0';
	note_ours(&e);
	inbound_message(world.gateway, &e);
	free(e.payload);
}

static void
check_counters(const struct machine *m, const struct usage_kept *was)
{
	const struct usage_kept *now = &m->usage.kept;

	for (size_t i = 0; i < sizeof(now->in_us) / sizeof(now->in_us[0]); i++)
		assert(now->in_us[i] >= was->in_us[i]);
	assert(now->fault_us >= was->fault_us && now->jobs_started >= was->jobs_started);
	assert(isfinite(now->energy_wh) && now->energy_wh >= was->energy_wh);
}

/* Topics that are kept until the end: others must not be able to add to them for ever. */
static size_t
count_topics(void)
{
	size_t n = 0;

	for (const struct topic *t = world.gateway->topics; t; t = t->next)
		n++;
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gateway *g = world_create();
	struct usage_kept was[] = {g->machines[0]->usage.kept, g->machines[1]->usage.kept};
	char *copy = malloc(size + 1);

	assert(copy && g->n_machines == 2);
	memcpy(copy, data, size);
	size_t n_topics = count_topics();
	n_ours = 0;
	char *at = copy;
	for (int i = 0; i < MESSAGES_MAX && size > 0; i++) {
		char *end = memchr(at, MESSAGE_END, size);
		size_t len = end ? (size_t)(end - at) : size, whole = len + (end != NULL);

		if (len > 0)
			take(at, len);
		world_settle();
		for (size_t k = 0; k < 2; k++)
			check_counters(g->machines[k], &was[k]);
		at += whole;
		size -= whole;
	}
	assert(count_topics() <= n_topics + GATEWAY_TOPICS_MAX);
	free(copy);
	world_destroy();
	return 0;
}
