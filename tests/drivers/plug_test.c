/* SPDX-License-Identifier: MIT */
/* plug_test.c -- serial and HID links against ends that do as they like: ptys and sockets */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "drivers/link_impl.h"
#include "drivers/usb.h"
#include "tests/drivers/punctual.h"

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { S = 1000000, REPORT = 64 };

static const struct driver_query queries[] = {QUERY("M105\n"), QUERY("?"), QUERY("\x07\x30\x04")};

struct bed {
	struct usb *usb;
	struct link *link;
	int far;  /* the device's end */
	int near; /* kept open, so that the master does not hang up */
	char path[108];
};

static struct link_plug
spec_of(struct bed *b, const char *device, int baud)
{
	return (struct link_plug){.device = device,
		.usb = b->usb,
		.baud = baud,
		.queries = queries,
		.n_queries = sizeof(queries) / sizeof(queries[0])};
}

static int
start_serial(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->usb = usb_create();
	assert_int_equal(openpty(&b->far, &b->near, b->path, NULL, NULL), 0);
	struct link_plug spec = spec_of(b, b->path, 115200);
	b->link = link_serial_create(&spec);
	assert_int_equal(link_open(b->link), 0);
	*state = b;
	return 0;
}

static int
stop(void **state)
{
	struct bed *b = *state;

	link_destroy(b->link);
	usb_destroy(b->usb);
	if (b->far >= 0)
		close(b->far);
	if (b->near >= 0)
		close(b->near);
	if (b->path[0] == '/' && strstr(b->path, "hid"))
		unlink(b->path);
	free(b);
	return 0;
}

static void
say(struct bed *b, const char *text)
{
	assert_int_equal(write(b->far, text, strlen(text)), (ssize_t)strlen(text));
}

static int
next(struct bed *b, char *buf, size_t size, int64_t wait_us)
{
	return link_receive(b->link, buf, size, link_mono_us() + wait_us);
}

static void
test_only_what_is_on_the_list_is_sent(void **state)
{
	struct bed *b = *state;
	char buf[64];

	assert_int_equal(link_send(b->link, 0), 0);
	assert_int_equal(link_send(b->link, 1), 0);
	assert_int_equal(link_send(b->link, 3), -EPERM);
	for (size_t n = 0; n < 6;) {
		ssize_t more = read(b->far, buf + n, sizeof(buf) - n);
		assert_true(more > 0);
		n += (size_t)more;
	}
	assert_memory_equal(buf, "M105\n?", 6);
	struct exchange ex = {.req = (const uint8_t[]){3, 0, 0, 0, 1}, .req_len = 5};
	assert_int_equal(link_transact(b->link, &ex), -EPERM); /* no Modbus on a printer's port */
}

static void
test_lines(void **state)
{
	struct bed *b = *state;
	char buf[64];

	say(b, "ok T:21\r\n\r\n\x01wa\x1Bit\n\xC3\xA4half");
	assert_int_equal(next(b, buf, sizeof(buf), S), 7);
	assert_string_equal(buf, "ok T:21");
	assert_int_equal(next(b, buf, sizeof(buf), S), 4);
	assert_string_equal(buf, "wait");
	assert_int_equal(next(b, buf, sizeof(buf), S / 20), -ETIMEDOUT);
	say(b, " a line\n");
	assert_int_equal(next(b, buf, sizeof(buf), S), 13);
	assert_string_equal(buf, "\xC3\xA4half a line");
}

static void *
pour(void *arg)
{
	struct bed *b = arg;
	char chunk[4096];

	memset(chunk, '#', sizeof(chunk));
	for (size_t sent = 0; sent < 10 * 1024 * 1024;) {
		ssize_t n = write(b->far, chunk, sizeof(chunk));
		if (n <= 0)
			return NULL;
		sent += (size_t)n;
	}
	ssize_t n = write(b->far, "\nok\n", 4);
	return n == 4 ? b : NULL;
}

static void
test_ten_megabytes_without_an_end(void **state)
{
	struct bed *b = *state;
	pthread_t thread;
	char buf[64];
	int rc;

	assert_int_equal(pthread_create(&thread, NULL, pour, b), 0);
	int64_t end_us = link_mono_us() + 60 * (int64_t)S;
	do { /* each call keeps its deadline, whatever comes */
		int64_t start_us = link_mono_us();
		rc = next(b, buf, sizeof(buf), S / 50);
		assert_true(link_mono_us() - start_us < S);
	} while (rc == -ETIMEDOUT && link_mono_us() < end_us);
	assert_int_equal(rc, 2); /* what did not fit is gone, the next line is whole */
	assert_string_equal(buf, "ok");
	pthread_join(thread, NULL);
	struct link_stats stats;
	link_stats(b->link, &stats);
	assert_true(stats.noise_bytes >= 10 * 1024 * 1024);
}

static void
test_pulled_out(void **state)
{
	struct bed *b = *state;
	char buf[64];

	close(b->near);
	close(b->far);
	b->near = b->far = -1;
	assert_int_equal(link_await(b->link, link_mono_us() + 5 * S), 1); /* at once */
	assert_int_equal(next(b, buf, sizeof(buf), S), -EIO);
	assert_false(link_is_open(b->link));
	assert_int_equal(next(b, buf, sizeof(buf), S), -ENOTCONN);
	assert_int_equal(link_open(b->link), -ENODEV);
}

static void *
wake_soon(void *arg)
{
	poll(NULL, 0, 50);
	link_wake(arg);
	return NULL;
}

static void
test_woken(void **state)
{
	struct bed *b = *state;
	pthread_t thread;
	int64_t start_us = link_mono_us();

	assert_int_equal(pthread_create(&thread, NULL, wake_soon, b->link), 0);
	assert_int_equal(link_await(b->link, start_us + 20 * S), 0);
	assert_true(link_mono_us() - start_us < 10 * S);
	pthread_join(thread, NULL);
	say(b, "x");
	assert_int_equal(link_await(b->link, link_mono_us() + 20 * S), 1);
	link_cancel(b->link);
	assert_int_equal(link_await(b->link, link_mono_us() + 20 * S), -ECANCELED);
}

static void
test_settings(void **state)
{
	struct bed *b = *state;
	struct termios tio;

	assert_int_equal(tcgetattr(b->near, &tio), 0);
	assert_int_equal(tio.c_cflag & HUPCL, 0); /* closing must not prepare the next reset */
	assert_int_equal(tio.c_cflag & (CLOCAL | CREAD), CLOCAL | CREAD);
	assert_int_equal(tio.c_cflag & CSIZE, CS8);
	assert_int_equal(tio.c_lflag & (ICANON | ECHO), 0);
	assert_int_equal(cfgetospeed(&tio), B115200);
	link_close(b->link);
	struct link_plug spec = spec_of(b, b->path, 250000); /* no constant of termios */
	struct link *odd = link_serial_create(&spec);
	assert_int_equal(link_open(odd), 0);
	link_destroy(odd);
}

static void
test_held_by_another(void **state)
{
	struct bed *b = *state;
	int hold[2];
	char c;

	link_close(b->link);
	assert_int_equal(pipe(hold), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open(b->path, O_RDWR | O_NOCTTY);
		flock(fd, LOCK_EX);
		if (write(hold[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(hold[0], &c, 1), 1);
	assert_int_equal(link_open(b->link), -EBUSY);
	char wanted[32];
	snprintf(wanted, sizeof(wanted), "(pid %d)", pid);
	assert_non_null(strstr(link_holder(b->link), wanted));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(link_open(b->link), 0);
	close(hold[0]);
	close(hold[1]);
}

/* ---- HID ------------------------------------------------------------------------------------ */

static int
start_hid(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char device[128];

	assert_non_null(b);
	snprintf(b->path, sizeof(b->path), "/tmp/labpulse-hid-%d", getpid());
	memcpy(at.sun_path, b->path, strlen(b->path) + 1);
	unlink(b->path);
	int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	b->usb = usb_create();
	snprintf(device, sizeof(device), "unix:%s", b->path);
	struct link_plug spec = spec_of(b, device, 0);
	b->link = link_hid_create(&spec);
	assert_int_equal(link_open(b->link), 0);
	b->far = accept(listener, NULL, NULL);
	b->near = listener;
	*state = b;
	return 0;
}

static void
test_one_read_one_report(void **state)
{
	struct bed *b = *state;
	uint8_t report[REPORT] = {7, 0x30, 4}, got[REPORT + 1];
	char buf[REPORT];

	assert_int_equal(link_send(b->link, 2), 0);
	assert_int_equal(read(b->far, got, sizeof(got)), REPORT);
	assert_memory_equal(got, report, REPORT);
	for (uint8_t i = 1; i <= 3; i++) {
		report[0] = i;
		assert_int_equal(write(b->far, report, REPORT), REPORT);
	}
	for (char i = 1; i <= 3; i++) {
		assert_int_equal(next(b, buf, sizeof(buf), S), REPORT);
		assert_int_equal(buf[0], i);
	}
	assert_int_equal(next(b, buf, sizeof(buf), 0), -ETIMEDOUT);
	close(b->far);
	b->far = -1;
	assert_int_equal(next(b, buf, sizeof(buf), S), -EIO);
	assert_false(link_is_open(b->link));
}

static int
run_all(void)
{
#define SERIAL(f) cmocka_unit_test_setup_teardown(f, start_serial, stop)
	const struct CMUnitTest tests[] = {
		SERIAL(test_only_what_is_on_the_list_is_sent),
		SERIAL(test_lines),
		SERIAL(test_ten_megabytes_without_an_end),
		SERIAL(test_pulled_out),
		SERIAL(test_woken),
		SERIAL(test_settings),
		SERIAL(test_held_by_another),
		cmocka_unit_test_setup_teardown(test_one_read_one_report, start_hid, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(int argc, char **argv)
{
	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	return punctual_run(argv, run_all);
}
