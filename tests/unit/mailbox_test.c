/* SPDX-License-Identifier: MIT */
/* mailbox_test.c -- what is posted arrives once, in its poster's order, and wakes the receiver */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/mailbox.h"

enum { POSTERS = 4, ITEMS = 20000 };

struct item {
	struct mail mail;
	int poster, number;
};

static struct mailbox box;
static atomic_int wakes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;
static int pending;

static void
wake(void *arg)
{
	(void)arg;
	atomic_fetch_add(&wakes, 1);
	pthread_mutex_lock(&lock);
	pending = 1;
	pthread_cond_signal(&woken);
	pthread_mutex_unlock(&lock);
}

static void *
post_all(void *arg)
{
	struct item *items = arg;
	for (int i = 0; i < ITEMS; i++)
		mailbox_post(&box, &items[i].mail);
	return NULL;
}

static void
test_books_balance(void **state)
{
	static struct item items[POSTERS][ITEMS];
	pthread_t threads[POSTERS];
	int next[POSTERS] = {0}, taken = 0;
	(void)state;
	mailbox_init(&box, wake, NULL);
	for (int p = 0; p < POSTERS; p++) {
		for (int i = 0; i < ITEMS; i++)
			items[p][i] = (struct item){.poster = p, .number = i};
		assert_int_equal(pthread_create(&threads[p], NULL, post_all, items[p]), 0);
	}
	/* Sleeps until woken, like the loop: a lost wake-up would hang here. */
	while (taken < POSTERS * ITEMS) {
		pthread_mutex_lock(&lock);
		while (!pending)
			pthread_cond_wait(&woken, &lock);
		pending = 0;
		pthread_mutex_unlock(&lock);
		for (struct mail *m = mailbox_take(&box); m; m = m->next) {
			struct item *item = (struct item *)m;
			assert_int_equal(item->number, next[item->poster]++);
			taken++;
		}
	}
	for (int p = 0; p < POSTERS; p++) {
		pthread_join(threads[p], NULL);
		assert_int_equal(next[p], ITEMS);
	}
	assert_null(mailbox_take(&box));
	assert_true(atomic_load(&wakes) >= 1 && atomic_load(&wakes) <= POSTERS * ITEMS);
	mailbox_finish(&box);
}

static void
test_one_wake_up_for_many(void **state)
{
	struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
	(void)state;
	mailbox_init(&box, wake, NULL);
	atomic_store(&wakes, 0);
	for (int i = 0; i < 3; i++)
		mailbox_post(&box, &items[i].mail);
	assert_int_equal(atomic_load(&wakes), 1);
	struct mail *list = mailbox_take(&box);
	assert_ptr_equal(list, &items[0].mail);
	assert_ptr_equal(list->next, &items[1].mail);
	assert_ptr_equal(list->next->next, &items[2].mail);
	assert_null(list->next->next->next);
	mailbox_post(&box, &items[0].mail);
	assert_int_equal(atomic_load(&wakes), 2);
	mailbox_take(&box);
	mailbox_finish(&box);
}

static void
test_nobody_to_wake(void **state)
{
	struct mailbox quiet;
	struct mail m = {.kind = MAIL_JOB};
	(void)state;
	mailbox_init(&quiet, NULL, NULL);
	assert_null(mailbox_take(&quiet));
	mailbox_post(&quiet, &m);
	assert_ptr_equal(mailbox_take(&quiet), &m);
	mailbox_finish(&quiet);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_books_balance),
		cmocka_unit_test(test_one_wake_up_for_many),
		cmocka_unit_test(test_nobody_to_wake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
