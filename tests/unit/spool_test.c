/* SPDX-License-Identifier: MIT */
/* spool_test.c -- jobs run in their order on a thread of their own, whatever the disk does */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "daemon/clock.h"
#include "daemon/spool.h"
#include "tests/unit/temp_dir.h"

static struct mailbox inbox;
static int woken;

static void
wake(void *arg)
{
	(void)arg;
	eventfd_write(woken, 1);
}

struct test_job {
	struct spool_job job;
	int number, result;
	bool had_store, had_backlog;
};

static void
run_note(struct spool_job *job, struct spool_files *files)
{
	struct test_job *t = (struct test_job *)job;
	char key[16];
	struct change c = {.what = CHANGE_PUT, .kind = "job", .key = key, .text = "x"};
	snprintf(key, sizeof(key), "%d", t->number);
	t->had_store = files->store != NULL;
	t->had_backlog = files->backlog != NULL;
	t->result = files->store ? store_apply(files->store, &c) : -1;
}

static struct spool *
open_spool(void)
{
	const struct spool_config c = {.directory = dir, .boot = "boot", .max_bytes = 8 << 20};
	int holder;
	struct spool *s = spool_open(&c, &inbox, &holder);
	assert_int_equal(holder, 0);
	assert_non_null(s);
	return s;
}

/* The next job that comes back. */
static struct test_job *
receive(void)
{
	static struct mail *list;
	while (!list) {
		eventfd_t n;
		struct pollfd fd = {.fd = woken, .events = POLLIN};
		assert_int_equal(poll(&fd, 1, 20000), 1);
		eventfd_read(woken, &n);
		list = mailbox_take(&inbox);
	}
	struct test_job *t = (struct test_job *)list;
	list = list->next;
	return t;
}

static void
test_jobs_come_back_in_order(void **state)
{
	struct test_job jobs[100] = {0};
	(void)state;
	struct spool *s = open_spool();
	assert_int_equal(spool_start(s), 0);
	for (int i = 0; i < 100; i++) {
		jobs[i] = (struct test_job){.job.run = run_note, .number = i};
		spool_post(s, &jobs[i].job);
	}
	for (int i = 0; i < 100; i++) {
		struct test_job *t = receive();
		assert_int_equal(t->number, i);
		assert_int_equal(t->result, 0);
		assert_true(t->had_store && t->had_backlog);
	}
	assert_true(spool_stop(s, clock_mono_us() + 5000000));
	spool_destroy(s);
}

static int
setup(void **state)
{
	woken = eventfd(0, EFD_CLOEXEC);
	mailbox_init(&inbox, wake, NULL);
	return temp_setup(state);
}

static int
teardown(void **state)
{
	mailbox_finish(&inbox);
	close(woken);
	return temp_teardown(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_jobs_come_back_in_order, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
