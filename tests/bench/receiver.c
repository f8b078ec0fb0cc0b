/* SPDX-License-Identifier: MIT */
/* receiver.c -- notes when each message arrives, and what time it carries
 *
 *   receiver PORT TOPIC-FILTER
 *
 * Prints "ready" when subscribed. SIGUSR1 forgets what came so far; SIGTERM prints "topic NAME"
 * for each topic (the first has number 0), then "NUMBER ARRIVED TS" for each message (both in
 * microseconds of CLOCK_REALTIME, TS 0 if there was none) and ends. Nothing is written and hardly
 * anything computed while messages come, so that it does not disturb what is measured.
 */
#include <mosquitto.h>
#include <search.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

enum { TOPICS_MAX = 40000, MESSAGES_FIRST = 65536 };

struct arrival {
	uint32_t topic;
	int64_t at_us, ts_us;
};

static struct {
	struct arrival *list;
	size_t n, cap;
	char *topics[TOPICS_MAX];
	size_t n_topics;
} seen;
static volatile sig_atomic_t stop, forget;

static int64_t
now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static uint32_t
topic_number(const char *topic)
{
	ENTRY *found = hsearch((ENTRY){.key = (char *)(uintptr_t)topic}, FIND);
	if (found)
		return (uint32_t)(uintptr_t)found->data;
	if (seen.n_topics == TOPICS_MAX)
		abort();
	char *copy = strdup(topic);
	seen.topics[seen.n_topics] = copy;
	hsearch((ENTRY){.key = copy, .data = (void *)(uintptr_t)seen.n_topics}, ENTER);
	return (uint32_t)seen.n_topics++;
}

/* "ts":MILLISECONDS in a JSON object, or collectd's SECONDS.FRACTION:VALUE. */
static int64_t
time_inside(const char *payload, size_t len)
{
	static const char key[] = "\"ts\":";
	if (len && payload[0] != '{')
		return (int64_t)(strtod(payload, NULL) * 1e6);
	const char *at = memmem(payload, len, key, sizeof(key) - 1);
	return at ? strtoll(at + sizeof(key) - 1, NULL, 10) * 1000 : 0;
}

static void
on_message(struct mosquitto *m, void *arg, const struct mosquitto_message *in)
{
	int64_t at_us = now_us();
	(void)m;
	(void)arg;
	if (in->retain)
		return;
	if (forget) {
		forget = 0;
		seen.n = 0;
	}
	if (seen.n == seen.cap) {
		seen.cap = seen.cap ? seen.cap * 2 : MESSAGES_FIRST;
		seen.list = realloc(seen.list, seen.cap * sizeof(*seen.list));
		if (!seen.list)
			abort();
	}
	seen.list[seen.n++] = (struct arrival){.topic = topic_number(in->topic),
		.at_us = at_us,
		.ts_us = time_inside(in->payload, (size_t)in->payloadlen)};
}

static void
on_subscribe(struct mosquitto *m, void *arg, int mid, int n, const int *qos)
{
	(void)m;
	(void)arg;
	(void)mid;
	(void)n;
	(void)qos;
	puts("ready");
	fflush(stdout);
}

static void
on_signal(int sig)
{
	if (sig == SIGUSR1)
		forget = 1;
	else
		stop = 1;
}

static void
print_all(void)
{
	for (size_t i = 0; i < seen.n_topics; i++)
		printf("topic %s\n", seen.topics[i]);
	for (size_t i = 0; i < seen.n && !forget; i++)
		printf("%u %lld %lld\n", seen.list[i].topic, (long long)seen.list[i].at_us,
			(long long)seen.list[i].ts_us);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	if (argc != 3) {
		fprintf(stderr, "usage: receiver PORT TOPIC-FILTER\n");
		return 64;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	hcreate(2 * TOPICS_MAX);
	mosquitto_lib_init();
	struct mosquitto *m = mosquitto_new(NULL, true, NULL);
	if (!m)
		return 1;
	mosquitto_message_callback_set(m, on_message);
	mosquitto_subscribe_callback_set(m, on_subscribe);
	if (mosquitto_connect(m, "127.0.0.1", atoi(argv[1]), 60) != MOSQ_ERR_SUCCESS ||
		mosquitto_subscribe(m, NULL, argv[2], 0) != MOSQ_ERR_SUCCESS) {
		fprintf(stderr, "receiver: no broker on port %s\n", argv[1]);
		return 1;
	}
	while (!stop) {
		int rc = mosquitto_loop(m, 200, 1000);
		if (rc == MOSQ_ERR_CONN_LOST || rc == MOSQ_ERR_NO_CONN) {
			struct timespec pause = {.tv_nsec = 20000000};
			nanosleep(&pause, NULL);
			if (mosquitto_reconnect(m) == MOSQ_ERR_SUCCESS)
				mosquitto_subscribe(m, NULL, argv[2], 0);
		}
	}
	print_all();
	mosquitto_destroy(m);
	mosquitto_lib_cleanup();
	return 0;
}
