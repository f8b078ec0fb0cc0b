/* SPDX-License-Identifier: MIT */
/* spool_test.c -- jobs run in their order on a thread of their own, whatever the disk does */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* ---- one daemon per directory ---------------------------------------------------------------- */

static void
test_the_second_is_told_of_the_first(void **state)
{
	const struct spool_config c = {.directory = dir, .boot = "boot", .max_bytes = 8 << 20};
	int holder = 0, status;
	(void)state;
	struct spool *s = open_spool();
	assert_null(spool_open(&c, &inbox, &holder));
	assert_int_equal(holder, getpid());
	spool_destroy(s);
	/* A killed one holds nothing. */
	pid_t pid = fork();
	if (pid == 0) {
		open_spool();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	spool_destroy(open_spool());
}

/* ---- files that fail ---------------------------------------------------------------------------
 */

static void
test_no_directory_is_no_reason_to_stop(void **state)
{
	struct test_job job = {.job.run = run_note};
	struct spool_health health;
	char path[128];
	int holder;
	(void)state;
	snprintf(path, sizeof(path), "%s/file", dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	const struct spool_config c = {.directory = path, .boot = "boot", .max_bytes = 8 << 20};
	struct spool *s = spool_open(&c, &inbox, &holder);
	assert_non_null(s);
	assert_int_equal(holder, 0);
	assert_null(spool_files(s)->store);
	assert_null(spool_files(s)->backlog);
	spool_health(s, &health);
	assert_non_null(strstr(health.store_error, "Not a directory"));
	assert_non_null(strstr(health.backlog_error, "Not a directory"));
	assert_int_equal(spool_start(s), 0);
	spool_post(s, &job.job);
	assert_ptr_equal(receive(), &job);
	assert_false(job.had_store || job.had_backlog);
	assert_true(spool_stop(s, clock_mono_us() + 5000000));
	spool_destroy(s);
}

/* More texts than SQLite keeps in memory. */
static struct change *
many_changes(enum change_kind what)
{
	static char text[4000];
	struct change *first = NULL;
	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < 1500; i++) {
		char key[16];
		struct change c = {.what = what, .kind = "k", .key = key, .text = text};
		snprintf(key, sizeof(key), "%d", i);
		struct change *copy = change_copy(&c);
		assert_non_null(copy);
		copy->next = first;
		first = copy;
	}
	return first;
}

/* Learns the clock, and then the file is damaged under its feet. */
static void
run_damage(struct spool_job *job, struct spool_files *files)
{
	static char page[4096];
	struct test_job *t = (struct test_job *)job;
	struct change *all = many_changes(CHANGE_PUT), *none = many_changes(CHANGE_DROP);
	assert_int_equal(store_synced(files->store, 4242), 0);
	assert_int_equal(store_apply(files->store, all), 0);
	memset(page, 'x', sizeof(page));
	int fd = open(in_dir("state.db"), O_WRONLY);
	for (int i = 2; i < 1000; i++)
		assert_int_equal(pwrite(fd, page, sizeof(page), i * 4096L), sizeof(page));
	close(fd);
	t->result = store_apply(files->store, none);
	change_free_all(all);
	change_free_all(none);
}

static void
run_look(struct spool_job *job, struct spool_files *files)
{
	struct test_job *t = (struct test_job *)job;
	int64_t store = 0, backlog = 0;
	t->had_store = files->store && store_is_synced(files->store, &store);
	t->had_backlog = files->backlog && backlog_is_synced(files->backlog, &backlog);
	t->result = store == 4242 && backlog == 0;
}

static void
test_a_corrupt_file_is_begun_anew_at_once(void **state)
{
	struct test_job damage = {.job.run = run_damage}, look = {.job.run = run_look},
			note = {.job.run = run_note};
	struct spool_health health;
	(void)state;
	struct spool *s = open_spool();
	assert_int_equal(spool_start(s), 0);
	spool_post(s, &damage.job);
	assert_ptr_equal(receive(), &damage);
	assert_true(damage.result < 0);
	spool_post(s, &look.job);
	assert_ptr_equal(receive(), &look);
	assert_true(look.had_store); /* the new one knows the clock */
	assert_true(look.result);
	spool_post(s, &note.job);
	assert_ptr_equal(receive(), &note);
	assert_int_equal(note.result, 0);
	spool_health(s, &health);
	assert_true(health.store_aside);
	assert_int_equal(health.store_losses, 1);
	assert_int_equal(health.backlog_losses, 0);
	assert_false(health.backlog_aside);
	assert_string_equal(health.store_error, "");
	assert_true(spool_stop(s, clock_mono_us() + 5000000));
	spool_destroy(s);
}

/* ---- stopping ----------------------------------------------------------------------------------
 */

static int gate;

static void
run_hang(struct spool_job *job, struct spool_files *files)
{
	eventfd_t n;
	(void)job;
	(void)files;
	eventfd_read(gate, &n);
}

static void
test_stop_runs_what_was_posted_and_does_not_wait_for_ever(void **state)
{
	struct test_job hang = {.job.run = run_hang}, after = {.job.run = run_note};
	(void)state;
	gate = eventfd(0, EFD_CLOEXEC);
	struct spool *s = open_spool();
	assert_int_equal(spool_start(s), 0);
	spool_post(s, &hang.job);
	spool_post(s, &after.job);
	assert_false(spool_stop(s, clock_mono_us() + 100000));
	eventfd_write(gate, 1);
	assert_true(spool_stop(s, clock_mono_us() + 5000000));
	assert_ptr_equal(receive(), &hang);
	assert_ptr_equal(receive(), &after);
	assert_int_equal(after.result, 0);
	spool_destroy(s);
	close(gate);
}

/* ---- the watchdog ------------------------------------------------------------------------------
 */

#define AHEAD_US (-1000000000LL) /* as if so much time had passed since any promise */

/* A child that shares nothing but makes its parent wait for its end, uninterruptibly: what
 * proc_pid_stat(5) shows as D, as while a disk does not answer. */
static void
run_sleep_deep(struct spool_job *job, struct spool_files *files)
{
	eventfd_t n;
	(void)job;
	(void)files;
	pid_t child = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
	if (child == 0) {
		while (read(gate, &n, sizeof(n)) < 0 && errno == EINTR) {
		}
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

/* Whether it comes to be late within so long. */
static bool
becomes_late(struct spool *s, bool late, int64_t within_us)
{
	int64_t until_us = clock_mono_us() + within_us;
	while (spool_is_late(s, AHEAD_US) != late) {
		if (clock_mono_us() > until_us)
			return false;
		poll(NULL, 0, 1);
	}
	return true;
}

static void
test_a_thread_that_hangs_is_late_and_a_disk_that_hangs_is_not(void **state)
{
	struct test_job hang = {.job.run = run_hang}, deep = {.job.run = run_sleep_deep};
	(void)state;
	gate = eventfd(0, EFD_CLOEXEC);
	struct spool *s = open_spool();
	assert_int_equal(spool_start(s), 0);
	assert_false(spool_is_late(s, 0));
	spool_post(s, &hang.job);
	assert_true(becomes_late(s, true, 5000000));
	eventfd_write(gate, 1);
	assert_ptr_equal(receive(), &hang);
	spool_post(s, &deep.job);
	assert_true(becomes_late(s, false, 20000000));
	for (int i = 0; i < 100; i++)
		assert_false(spool_is_late(s, AHEAD_US));
	eventfd_write(gate, 1);
	assert_ptr_equal(receive(), &deep);
	assert_true(spool_stop(s, clock_mono_us() + 5000000));
	spool_destroy(s);
	close(gate);
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
		cmocka_unit_test_setup_teardown(
			test_the_second_is_told_of_the_first, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_no_directory_is_no_reason_to_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_corrupt_file_is_begun_anew_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_stop_runs_what_was_posted_and_does_not_wait_for_ever, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_thread_that_hangs_is_late_and_a_disk_that_hangs_is_not, setup,
			teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
