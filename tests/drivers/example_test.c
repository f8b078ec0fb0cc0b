/* SPDX-License-Identifier: MIT */
/* example_test.c -- the driver that docs/adding-a-driver.md walks through does what it says
 *
 * Its transcripts, its tables and its fuzz target are run as those of real drivers are. Run from
 * the top of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "drivers/registry.h"

/* A registry with one driver in it. */
extern const struct driver driver_dryer;

static const struct driver *
example_at(size_t i)
{
	return i == 0 ? &driver_dryer : NULL;
}

static const struct driver *
example_find(const char *name)
{
	const struct driver *d = example_at(0);

	for (const char *a = name, *b = d->name; *a || *b; a++, b++)
		if (*a != *b)
			return NULL;
	return d;
}

int transcripts_main(void);
int tables_main(void);
#define registry_find example_find
#define registry_at example_at
#define main transcripts_main
#include "tests/drivers/transcripts_test.c"
#undef main
#undef CHECK
#define main tables_main
#include "tests/unit/registry_test.c"
#undef main

#include "tests/drivers/example/fuzz_dryer.c"

#include "tests/drivers/example/dryer.c"
#include "tests/drivers/example/sim_dryer.c"

/* ---- the simulated one, without a wire ------------------------------------------------------ */

struct plug {
	struct machine m;
	char said[200];
};

void *
plug_state(struct plug *p)
{
	return &p->m;
}

void
plug_say(struct plug *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(p->said, sizeof(p->said), fmt, args);
	va_end(args);
	p->said[strcspn(p->said, "\n")] = '\0';
}

static void
hears(struct plug *p, const struct driver_query *q)
{
	p->said[0] = '\0';
	plug_kind_dryer.heard(p, (const uint8_t *)q->bytes, q->len);
}

static void
simulated_dryer_says_what_the_driver_takes(void **state)
{
	char dry[] = "dry", fan[] = "fan", forbidden[] = "forbidden", *word;
	struct dryer d = {.state = STATE_IDLE};
	struct plug p = {.said = ""};

	(void)state;
	plug_kind_dryer.start(&p);
	assert_int_equal(take_line(&d, p.said), SAID_READY);
	hears(&p, &driver_dryer.queries[ASK_ID]);
	assert_int_equal(take_line(&d, p.said), SAID_ID);
	word = dry;
	assert_int_equal(plug_kind_dryer.act(&p, &word, 1), 0);
	hears(&p, &driver_dryer.queries[ASK_STATUS]);
	assert_int_equal(take_line(&d, p.said), SAID_STATUS);
	assert_int_equal(d.state, STATE_DRYING);
	word = fan;
	assert_int_equal(plug_kind_dryer.act(&p, &word, 1), 0);
	assert_int_equal(take_line(&d, p.said), SAID_ALARM);
	assert_true(d.faults >> FAULT_FAN & 1);
	word = forbidden;
	assert_int_equal(plug_kind_dryer.act(&p, &word, 1), 0);
	plug_kind_dryer.heard(&p, (const uint8_t *)"START\n", 6);
	assert_int_equal(plug_kind_dryer.act(&p, &word, 1), -EINVAL);
}

/* ---- as for real drivers -------------------------------------------------------------------- */

static void
fuzz_target_runs(void **state)
{
	static const char *const seeds[] = {"TEMP=41.5 SET=45 STATE=drying\n",
		"ALARM=fan\n\x1eTEMP=nan SET=1e999 STATE=\n\x1e\xff\r\rALARM=",
		"READY\nTEMP=20 SET=0 STATE=idle\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
		LLVMFuzzerTestOneInput((const uint8_t *)seeds[i], strlen(seeds[i]));
}

int
main(void)
{
	static char drying[] = "tests/drivers/example/dryer-drying.txt",
		    other[] = "tests/drivers/example/dryer-other.txt";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(run_transcript, drying),
		cmocka_unit_test_prestate(run_transcript, other),
		cmocka_unit_test(test_points),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(simulated_dryer_says_what_the_driver_takes),
		cmocka_unit_test(fuzz_target_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
