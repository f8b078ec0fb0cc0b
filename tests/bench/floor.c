/* SPDX-License-Identifier: MIT */
/* floor.c -- the least that the same work costs with libmodbus and libmosquitto
 *
 *   floor BROKER-PORT TOPIC-FORMAT REGISTERS < PORTS
 *
 * One blocking thread. Once a second it reads every device in turn (function 3, from address 0),
 * publishes each answer at once (QoS 1, TCP_NODELAY, nothing waits for a window), then waits for
 * all acknowledgements. It survives nothing: a silent device stops it. TOPIC-FORMAT has a %d for
 * the number of the device. PORTS are the devices' TCP ports on 127.0.0.1, one a line.
 */
#include <modbus.h>
#include <mosquitto.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

enum { DEVICES_MAX = 1010, REGISTERS_MAX = 125 }; /* select(2) ends at descriptor 1023 */

struct device {
	modbus_t *ctx;
	char topic[128];
	unsigned long seq;
};

static struct device devices[DEVICES_MAX];
static size_t n_devices;
static unsigned long sent, acknowledged;
static volatile sig_atomic_t stop;

static void
on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static void
on_publish(struct mosquitto *m, void *arg, int mid)
{
	(void)m;
	(void)arg;
	(void)mid;
	acknowledged++;
}

static long long
wall_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
add_device(int port, const char *format)
{
	struct device *d = &devices[n_devices];
	if (n_devices == DEVICES_MAX)
		return -1;
	d->ctx = modbus_new_tcp("127.0.0.1", port);
	if (!d->ctx || modbus_connect(d->ctx) < 0)
		return -1;
	modbus_set_slave(d->ctx, 1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(d->topic, sizeof(d->topic), format, (int)++n_devices);
#pragma GCC diagnostic pop
	return 0;
}

static char *
put_text(char *at, const char *text)
{
	size_t n = strlen(text);
	memcpy(at, text, n);
	return at + n;
}

/* printf(3) would be most of the floor's own instructions. */
static char *
put_number(char *at, unsigned long long x)
{
	char digits[20];
	int n = 0;
	do
		digits[n++] = (char)('0' + x % 10);
	while (x /= 10);
	while (n)
		*at++ = digits[--n];
	return at;
}

static int
write_payload(char *buf, struct device *d, const uint16_t *words, int n)
{
	char *at = put_number(put_text(buf, "{\"v\":1,\"ts\":"), (unsigned long long)wall_ms());
	at = put_text(put_number(put_text(at, ",\"seq\":"), ++d->seq), ",\"values\":{");
	for (int i = 0; i < n; i++) {
		at = put_number(put_text(at, i ? ",\"r" : "\"r"), (unsigned)i);
		at = put_number(put_text(at, "\":"), words[i]);
	}
	return (int)(put_text(at, "}}") - buf);
}

static int
poll_device(struct mosquitto *m, struct device *d, int registers)
{
	uint16_t words[REGISTERS_MAX];
	char payload[4096];
	if (modbus_read_registers(d->ctx, 0, registers, words) != registers)
		return -1;
	int len = write_payload(payload, d, words, registers);
	sent++;
	return mosquitto_publish(m, NULL, d->topic, len, payload, 1, false);
}

static int
run(struct mosquitto *m, int registers)
{
	struct timespec due;
	int rc = 0;
	clock_gettime(CLOCK_MONOTONIC, &due);
	while (!stop && rc == 0) {
		for (size_t i = 0; i < n_devices && rc == 0; i++)
			rc = poll_device(m, &devices[i], registers);
		while (rc == 0 && acknowledged < sent)
			rc = mosquitto_loop(m, 1000, 1);
		due.tv_sec++;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
	}
	return rc;
}

static struct mosquitto *
connect_broker(int port)
{
	struct mosquitto *m = mosquitto_new(NULL, true, NULL);
	if (!m)
		return NULL;
	mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
	mosquitto_max_inflight_messages_set(m, 0);
	mosquitto_publish_callback_set(m, on_publish);
	return mosquitto_connect(m, "127.0.0.1", port, 60) == MOSQ_ERR_SUCCESS ? m : NULL;
}

int
main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	int registers = argc == 4 ? atoi(argv[3]) : 0;
	if (registers < 1 || registers > REGISTERS_MAX) {
		fprintf(stderr, "usage: floor BROKER-PORT TOPIC-FORMAT REGISTERS < PORTS\n");
		return 64;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGTERM, &sa, NULL);
	mosquitto_lib_init();
	struct mosquitto *m = connect_broker(atoi(argv[1]));
	if (!m) {
		fprintf(stderr, "floor: no broker on port %s\n", argv[1]);
		return 1;
	}
	for (int port; scanf("%d", &port) == 1;) {
		if (add_device(port, argv[2]) < 0) {
			fprintf(stderr, "floor: cannot connect to port %d\n", port);
			return 1;
		}
	}
	return run(m, registers) == 0 ? 0 : 1;
}
