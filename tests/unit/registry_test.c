/* SPDX-License-Identifier: MIT */
/* registry_test.c -- what every driver owes to those who read its points and alarms */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "config/unit.h"
#include "drivers/registry.h"

#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define CHECK(ok, what, driver, id)                                                                \
	do {                                                                                       \
		if (!(ok))                                                                         \
			fail_msg("driver %s: %s: %s", (driver)->name, id, what);                   \
	} while (0)

static bool
is_id(const char *id, size_t max)
{
	size_t n = strlen(id);

	return n > 0 && n <= max && (islower((unsigned char)*id) || isdigit((unsigned char)*id)) &&
	       strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

static bool
has_both(const struct text *t)
{
	return t->ru && *t->ru && t->en && *t->en && strcmp(t->ru, t->en) != 0;
}

static void
check_unit(const struct driver *d, const struct point *p)
{
	const struct unit *by_id = unit_of_id(p->id), *unit = unit_find(p->unit ? p->unit : "");
	const struct point_class *class = p->class ? class_find(p->class) : NULL;

	if (by_id)
		CHECK(p->unit && !strcmp(p->unit, by_id->published), "its id names another unit", d,
			p->id);
	else
		CHECK(!unit || !unit->suffix[0], "its id does not end in its unit", d, p->id);
	CHECK(!p->class || class, "its class is not known", d, p->id);
	if (class && strcmp(class->unit, UNIT_ANY) != 0)
		CHECK(!strcmp(class->unit, p->unit ? p->unit : ""), "class and unit do not fit", d,
			p->id);
}

static void
test_points(void **state)
{
	const struct driver *d;

	(void)state;
	for (size_t i = 0; (d = registry_at(i)); i++) {
		assert_non_null(d->poll);
		assert_true(d->needs_profile == (d->link == LINK_MODBUS));
		CHECK(d->needs_profile || (d->n_points > 0 && d->n_groups > 0), "has no points", d,
			"-");
		for (size_t k = 0; k < d->n_points; k++) {
			const struct point *p = &d->points[k];
			CHECK(is_id(p->id, 63), "is no id", d, p->id);
			CHECK(has_both(&p->title), "needs a title in two languages", d, p->id);
			CHECK(p->group < d->n_groups, "is in no group", d, p->id);
			CHECK((p->kind == VALUE_ENUM) == (p->words != NULL), "words without enum",
				d, p->id);
			check_unit(d, p);
			for (size_t m = 0; m < k; m++)
				CHECK(strcmp(d->points[m].id, p->id) != 0, "is there twice", d,
					p->id);
		}
	}
}

static void
test_groups(void **state)
{
	const struct driver *d;

	(void)state;
	for (size_t i = 0; (d = registry_at(i)); i++) {
		for (size_t k = 0; k < d->n_groups; k++)
			CHECK(is_id(d->groups[k].id, 31), "is no id", d, d->groups[k].id);
		if (d->n_groups) /* news and probes poll it */
			CHECK(d->groups[0].period_ms > 0, "group 0 must be periodic", d,
				d->groups[0].id);
	}
}

static void
test_faults(void **state)
{
	const struct driver *d;

	(void)state;
	for (size_t i = 0; (d = registry_at(i)); i++) {
		assert_true(d->n_faults <= FAULTS_MAX);
		for (size_t k = 0; k < d->n_faults; k++) {
			const struct driver_fault *f = &d->faults[k];
			CHECK(is_id(f->id, 31), "is no id", d, f->id);
			CHECK(has_both(&f->text) && has_both(&f->hint), "needs both languages", d,
				f->id);
			CHECK(f->severity > SEVERITY_NONE && f->severity <= SEVERITY_CRITICAL,
				"has no severity", d, f->id);
			for (size_t m = 0; m < k; m++)
				CHECK(strcmp(d->faults[m].id, f->id) != 0, "is there twice", d,
					f->id);
		}
	}
}

/* What may be sent at all, as the project's promise has it: reading, and nothing else. A query
 * added to a driver must be added here by somebody who has read what it does. */
static void
test_queries(void **state)
{
	static const char *const text[] = {
		"M115\n", "M105\n", "M27\n", "M27 P\n", "M31\n", "M78\n", "M408 S0\n", "?"};
	const struct driver *d;

	(void)state;
	for (size_t i = 0; (d = registry_at(i)); i++) {
		assert_true((d->n_queries > 0) == (d->link != LINK_MODBUS));
		for (size_t k = 0; k < d->n_queries; k++) {
			const struct driver_query *q = &d->queries[k];
			const unsigned char *b = (const unsigned char *)q->bytes;
			bool known = false;
			for (size_t m = 0;
				d->link == LINK_SERIAL && m < sizeof(text) / sizeof(text[0]); m++)
				known |= strlen(text[m]) == q->len && !memcmp(text[m], b, q->len);
			if (!strcmp(d->name, "icharger")) /* Modbus function 3 or 4 */
				known = q->len == 7 && b[0] == 7 && b[1] == 0x30 &&
					(b[2] == 3 || b[2] == 4);
			if (!strcmp(d->name, "skyrc")) /* info, settings, charge, program */
				known = b[0] == 0x0F && q->len >= 5 &&
					(b[2] == 0x57 || b[2] == 0x5A || b[2] == 0x55 ||
						b[2] == 0x5F);
			CHECK(known, "is not on the list of what may be sent", d, q->bytes);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_points),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_queries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
