/* SPDX-License-Identifier: MIT */
/* kept_test.c -- what the disk does not know yet is offered until it has taken it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/kept.h"

static struct kept *kept;

static int
set_up(void **state)
{
	(void)state;
	kept = kept_create();
	return kept ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	kept_destroy(kept);
	return 0;
}

/* "+kind/key=text" or "-kind/key" for each change, in order. */
static const char *
taken(void)
{
	static char out[512];
	size_t len = 0;
	struct change *all = kept_take(kept, NULL);
	out[0] = '\0';
	for (const struct change *c = all; c; c = c->next)
		len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%s/%s%s%s ",
			c->what == CHANGE_PUT ? "+" : "-", c->kind, c->key,
			c->what == CHANGE_PUT ? "=" : "", c->what == CHANGE_PUT ? c->text : "");
	change_free_all(all);
	return out;
}

static void
test_only_news_are_written(void **state)
{
	(void)state;
	kept_load(kept, "usage", "a", "1");
	assert_false(kept_is_dirty(kept));
	kept_put(kept, "usage", "a", "1");
	assert_false(kept_is_dirty(kept));
	kept_put(kept, "usage", "a", "2");
	kept_put(kept, "home", "a", "m1");
	assert_true(kept_is_dirty(kept));
	assert_string_equal(taken(), "+home/a=m1 +usage/a=2 ");
	kept_written(kept, true);
	assert_false(kept_is_dirty(kept));
	assert_string_equal(taken(), "");
	kept_drop(kept, "home", "a");
	kept_drop(kept, "home", "nobody");
	assert_null(kept_get(kept, "home", "a"));
	assert_string_equal(taken(), "-home/a ");
}

static void
test_what_was_refused_is_offered_again(void **state)
{
	(void)state;
	kept_put(kept, "usage", "a", "1");
	kept_put(kept, "usage", "b", "1");
	taken();
	kept_put(kept, "usage", "b", "2"); /* meanwhile */
	kept_written(kept, false);
	assert_string_equal(taken(), "+usage/b=2 +usage/a=1 ");
	kept_drop(kept, "usage", "b");
	kept_written(kept, true);
	assert_string_equal(taken(), "-usage/b ");
	kept_written(kept, false);
	assert_string_equal(taken(), "-usage/b ");
}

static void
test_a_new_file_gets_everything(void **state)
{
	(void)state;
	kept_load(kept, "usage", "a", "1");
	kept_load(kept, "usage", "b", "2");
	kept_drop(kept, "usage", "a");
	taken();
	kept_written(kept, true);
	kept_all_dirty(kept);
	assert_string_equal(taken(), "+usage/b=2 ");
}

struct walk {
	int n;
	char keys[16];
};

static void
change_others(void *arg, const char *key, const char *text)
{
	struct walk *w = arg;
	char other[8];
	w->keys[w->n++] = key[0];
	snprintf(other, sizeof(other), "new%d", w->n);
	kept_put(kept, "other", other, text);
	kept_put(kept, "usage", key, "seen");
}

static void
test_each_may_change(void **state)
{
	struct walk w = {.n = 0};
	char key[8];
	(void)state;
	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof(key), "%c", 'a' + i);
		kept_load(kept, "usage", key, "1");
	}
	kept_drop(kept, "usage", "c");
	kept_each(kept, "usage", change_others, &w);
	assert_int_equal(w.n, 9);
	assert_memory_equal(w.keys, "abdefghij", 9);
	assert_string_equal(kept_get(kept, "usage", "j"), "seen");
}

static void
test_thousands(void **state)
{
	char key[16];
	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "asset-%d", i);
		kept_put(kept, i % 2 ? "usage" : "home", key, key);
	}
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "asset-%d", i);
		assert_string_equal(kept_get(kept, i % 2 ? "usage" : "home", key), key);
		assert_null(kept_get(kept, i % 2 ? "home" : "usage", key));
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_only_news_are_written),
		TEST(test_what_was_refused_is_offered_again),
		TEST(test_a_new_file_gets_everything),
		TEST(test_each_may_change),
		TEST(test_thousands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
