/* SPDX-License-Identifier: MIT */
/* profiles_test.c -- every shipped profile: loads clean, decodes its golden frames, keeps limits
 *
 * The golden files (tests/drivers/golden, written by make_golden.py or taken from public documents)
 * hold whole frames. Their registers are put behind a link that answers as the device would, and
 * the real device, plan and decoder read them. Run from the top of the source tree.
 */
#include "config/profile.h"
#include "drivers/device.h"
#include "drivers/frame.h"
#include "drivers/link_impl.h"
#include "drivers/registry.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PROFILES "config/profiles"
#define GOLDEN "tests/drivers/golden"
#define DEVICES "docs/devices.md"

enum {
	TABLES = 4,
	ADDRESSES = 65536,
	POLLS = 16,      /* enough for a plan to learn what a partial case does not hold */
	FILLER = 0xDEAD, /* what a hole reads as */
};

/* ---- a device made of golden frames -------------------------------------------------------- */

struct golden_link {
	struct link base;
	const struct profile *profile;
	uint16_t words[TABLES][ADDRESSES];
	uint8_t known[TABLES][ADDRESSES];
	bool fill; /* answers also what the golden frames do not hold */
	uint8_t unit;
	unsigned requests;
	uint8_t last[8];
	size_t last_len;
	char broken[128]; /* the first request that the device's limits forbid */
};

static int
golden_open(struct link *link)
{
	(void)link;
	return 0;
}

static void
golden_close(struct link *link)
{
	(void)link;
}

static void
golden_destroy(struct link *link)
{
	free(link);
}

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static bool
table_of(uint8_t function, enum table *table)
{
	static const enum table of[] = {TABLE_COIL, TABLE_DISCRETE, TABLE_HOLDING, TABLE_INPUT};

	if (function < 1 || function > 4)
		return false;
	*table = of[function - 1];
	return true;
}

static bool
is_bits(enum table table)
{
	return table == TABLE_COIL || table == TABLE_DISCRETE;
}

static void
check_limits(
	struct golden_link *g, const uint8_t *req, enum table table, unsigned start, unsigned count)
{
	const struct profile_limits *limits = &g->profile->limits;
	unsigned said = (unsigned)(is_bits(table) ? limits->max_bits : limits->max_regs);
	unsigned most = said > 0 ? said : is_bits(table) ? 2000 : 125; /* else the protocol's */
	unsigned align = limits->align > 0 && !is_bits(table) ? (unsigned)limits->align : 1;

	if (g->broken[0] != '\0')
		return;
	if (count == 0 || count > most || start % align != 0 || count % align != 0)
		snprintf(g->broken, sizeof(g->broken),
			"function %u, address 0x%X, count %u: at most %u, in steps of %u", req[0],
			start, count, most, align);
}

static int
refuse(struct exchange *ex, uint8_t code)
{
	ex->rsp[0] = (uint8_t)(ex->req[0] | FRAME_EXCEPTION);
	ex->rsp[1] = code;
	return 2;
}

static int
golden_transact(struct link *link, struct exchange *ex)
{
	struct golden_link *g = (struct golden_link *)link;
	unsigned start, count, bytes;
	enum table table = TABLE_COIL;

	ex->latency_us = 1000;
	ex->arrived_ms = link_real_ms();
	g->requests++;
	if (ex->unit != g->unit)
		return -ETIMEDOUT;
	if (ex->req_len != 5 || !table_of(ex->req[0], &table))
		return refuse(ex, 1);
	memcpy(g->last, ex->req, ex->req_len);
	g->last_len = ex->req_len;
	start = get16(ex->req + 1);
	count = get16(ex->req + 3);
	check_limits(g, ex->req, table, start, count);
	if (start + count > ADDRESSES)
		return refuse(ex, 2);
	for (unsigned i = 0; i < count && !g->fill; i++) {
		bool edge = i == 0 || i == count - 1;

		if (!g->known[table][start + i] && (edge || !g->profile->limits.holes))
			return refuse(ex, 2);
	}
	bytes = is_bits(table) ? (count + 7) / 8 : count * 2;
	if (bytes > FRAME_PDU_MAX - 2)
		return refuse(ex, 3);
	memset(ex->rsp, 0, bytes + 2);
	ex->rsp[0] = ex->req[0];
	ex->rsp[1] = (uint8_t)bytes;
	for (unsigned i = 0; i < count; i++) {
		uint16_t word = g->known[table][start + i] ? g->words[table][start + i]
				: g->fill                  ? 0
							   : FILLER;

		if (is_bits(table)) {
			ex->rsp[2 + i / 8] |= (uint8_t)((word & 1) << i % 8);
		} else {
			ex->rsp[2 + 2 * i] = (uint8_t)(word >> 8);
			ex->rsp[3 + 2 * i] = (uint8_t)word;
		}
	}
	return (int)bytes + 2;
}

static const struct link_ops golden_ops = {
	.open = golden_open,
	.transact = golden_transact,
	.close = golden_close,
	.destroy = golden_destroy,
};

static struct golden_link *
golden_create(const struct profile *profile, uint8_t unit)
{
	struct golden_link *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	g->base.ops = &golden_ops;
	atomic_init(&g->base.cancelled, false);
	g->profile = profile;
	g->unit = unit;
	return g;
}

/* "01 04 …" with a right CRC. Returns the length. */
static size_t
parse_frame(const char *hex, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (const char *p = hex; *p != '\0';) {
		char *end;
		unsigned long byte = strtoul(p, &end, 16);

		assert_true(end == p + 2 && byte <= 255 && n < cap);
		out[n++] = (uint8_t)byte;
		p = *end == ' ' ? end + 1 : end;
	}
	assert_true(n >= 5);
	assert_int_equal(frame_crc16(out, n - 2), out[n - 2] | out[n - 1] << 8);
	return n;
}

/* Puts the registers of one exchange behind the link. */
static void
load_exchange(struct golden_link *g, const json_t *exchange)
{
	uint8_t req[FRAME_RTU_MAX], rsp[FRAME_RTU_MAX];
	size_t req_len = parse_frame(
		json_string_value(json_object_get(exchange, "request")), req, sizeof(req));
	size_t rsp_len = parse_frame(
		json_string_value(json_object_get(exchange, "response")), rsp, sizeof(rsp));
	unsigned start, count;
	enum table table = TABLE_COIL;

	assert_int_equal(req_len, 8);
	assert_int_equal(req[0], g->unit);
	assert_int_equal(rsp[0], g->unit);
	assert_int_equal(rsp[1], req[1]);
	assert_true(table_of(req[1], &table));
	start = get16(req + 2);
	count = get16(req + 4);
	assert_int_equal(rsp[2], is_bits(table) ? (count + 7) / 8 : count * 2);
	assert_int_equal(rsp_len, 5 + rsp[2]);
	for (unsigned i = 0; i < count; i++) {
		uint16_t word = is_bits(table) ? rsp[3 + i / 8] >> i % 8 & 1
					       : (uint16_t)get16(rsp + 3 + 2 * i);

		g->words[table][start + i] = word;
		g->known[table][start + i] = 1;
	}
}

/* ---- profiles and their golden files --------------------------------------------------------- */

typedef void (*each_fn)(struct profile_file *file, json_t *golden);

static int
is_profile(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 5 && strcmp(e->d_name + n - 5, ".yaml") == 0;
}

static struct profile_file *
load_clean(const char *path)
{
	struct problems problems = {0};
	struct profile_file *file = profile_load(path, &problems);

	if (problems.n > 0)
		problems_print(&problems, stdout);
	if (!file || problems.n > 0)
		fail_msg("%s does not load clean", path);
	problems_free(&problems);
	return file;
}

static json_t *
load_golden(const char *id)
{
	char path[512];
	json_error_t error;
	json_t *golden;

	snprintf(path, sizeof(path), GOLDEN "/%s.json", id);
	golden = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!golden)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	assert_string_equal(json_string_value(json_object_get(golden, "profile")), id);
	return golden;
}

static void
for_each_profile(each_fn fn)
{
	struct dirent **list;
	int n = scandir(PROFILES, &list, is_profile, alphasort);

	if (n <= 0)
		fail_msg("no profiles in " PROFILES ": run from the top of the source tree");
	for (int i = 0; i < n; i++) {
		char path[512], name[256];
		struct profile_file *file;
		json_t *golden;

		snprintf(path, sizeof(path), PROFILES "/%s", list[i]->d_name);
		snprintf(name, sizeof(name), "%.*s", (int)(strlen(list[i]->d_name) - 5),
			list[i]->d_name);
		file = load_clean(path);
		assert_string_equal(file->regs.id, name);
		golden = load_golden(name);
		fn(file, golden);
		json_decref(golden);
		profile_free(file);
		free(list[i]);
	}
	free(list);
}

static size_t
point_index(const struct profile *profile, const char *id)
{
	for (size_t i = 0; i < profile->n_points; i++)
		if (strcmp(profile->points[i].point.id, id) == 0)
			return i;
	fail_msg("%s: a golden case names the unknown point %s", profile->id, id);
	return 0;
}

static struct device *
make_device(const struct profile *profile, const uint8_t *wanted, struct golden_link *g)
{
	struct device_spec spec = {
		.driver = registry_find("modbus"),
		.profile = profile,
		.wanted = wanted,
		.unit = g->unit,
		.replan_hourly_off = true,
	};
	struct device *dev;

	assert_non_null(spec.driver);
	dev = device_create(&spec, &g->base);
	assert_non_null(dev);
	return dev;
}

/* ---- golden cases ------------------------------------------------------------------------------
 */

static void
check_point(const struct profile *profile, const char *name, size_t index,
	const struct value *value, const json_t *golden_case)
{
	const char *id = profile->points[index].point.id;
	const json_t *expect = json_object_get(json_object_get(golden_case, "expect"), id);
	const json_t *error = json_object_get(json_object_get(golden_case, "errors"), id);
	char got[128] = "";

	if (value->kind == VALUE_NONE)
		fail_text((enum fail)value->fail, value->exception, got, sizeof(got));
	else
		value_print(value, got, sizeof(got));
	if (error && value->kind != VALUE_NONE)
		fail_msg("%s, %s: %s is %s, not the error %s", profile->id, name, id, got,
			json_string_value(error));
	if (error && strcmp(got, json_string_value(error)) != 0)
		fail_msg("%s, %s: %s has the error %s, not %s", profile->id, name, id, got,
			json_string_value(error));
	if (expect && (value->kind == VALUE_NONE || strcmp(got, json_string_value(expect)) != 0))
		fail_msg("%s, %s: %s is %s, not %s", profile->id, name, id, got,
			json_string_value(expect));
}

static void
run_case(struct profile_file *file, const json_t *golden_case)
{
	const struct profile *profile = &file->regs;
	const char *name = json_string_value(json_object_get(golden_case, "name"));
	const json_t *exchanges = json_object_get(golden_case, "exchanges");
	uint8_t unit = (uint8_t)json_integer_value(json_object_get(golden_case, "unit"));
	struct golden_link *g = golden_create(profile, unit);
	uint8_t *wanted = calloc(profile->n_points, 1);
	struct device *dev;
	struct reading *reading;
	const char *key;
	json_t *item;
	size_t i, seen = 0, named;

	assert_non_null(name);
	assert_non_null(json_object_get(golden_case, "source"));
	assert_non_null(wanted);
	json_array_foreach(exchanges, i, item) load_exchange(g, item);
	json_object_foreach(json_object_get(golden_case, "expect"), key, item)
		wanted[point_index(profile, key)] = 1;
	json_object_foreach(json_object_get(golden_case, "errors"), key, item)
		wanted[point_index(profile, key)] = 1;
	named = json_object_size(json_object_get(golden_case, "expect")) +
		json_object_size(json_object_get(golden_case, "errors"));

	dev = make_device(profile, wanted, g);
	reading = reading_create(dev);
	assert_non_null(reading);
	for (unsigned group = 0; group < device_groups(dev); group++) {
		size_t n;
		const uint16_t *points = device_group_points(dev, group, &n);

		if (n == 0)
			continue;
		for (int poll = 0; poll < POLLS; poll++)
			if (device_poll(dev, group, reading) != 0)
				fail_msg("%s, %s: group %u was not answered", profile->id, name,
					group);
		assert_int_equal(reading->n, n);
		for (size_t k = 0; k < n; k++)
			check_point(profile, name, points[k], &reading->values[k], golden_case);
		seen += n;
	}
	assert_int_equal(seen, named);
	if (g->broken[0] != '\0')
		fail_msg("%s, %s: %s", profile->id, name, g->broken);
	if (json_is_true(json_object_get(golden_case, "same_request"))) {
		uint8_t req[FRAME_RTU_MAX];
		const json_t *first = json_array_get(exchanges, 0);
		size_t n = parse_frame(
			json_string_value(json_object_get(first, "request")), req, sizeof(req));

		assert_int_equal(g->last_len, n - 3);
		assert_memory_equal(g->last, req + 1, n - 3);
	}
	reading_destroy(reading);
	device_destroy(dev);
	link_destroy(&g->base);
	free(wanted);
}

static void
run_golden(struct profile_file *file, json_t *golden)
{
	const json_t *cases = json_object_get(golden, "cases");
	json_t *golden_case;
	size_t i;

	json_array_foreach(cases, i, golden_case) run_case(file, golden_case);
}

static void
test_golden_frames(void **state)
{
	(void)state;
	for_each_profile(run_golden);
}

static void
every_point_is_named(struct profile_file *file, json_t *golden)
{
	const json_t *cases = json_object_get(golden, "cases");

	assert_true(json_array_size(cases) > 0);
	for (size_t p = 0; p < file->regs.n_points; p++) {
		const struct reg_point *point = &file->regs.points[p];
		bool named = !point->enabled;
		json_t *golden_case;
		size_t i;

		json_array_foreach(cases, i, golden_case) named =
			named ||
			json_object_get(json_object_get(golden_case, "expect"), point->point.id);
		if (!named)
			fail_msg("%s: no golden case gives a value of %s", file->regs.id,
				point->point.id);
	}
}

static void
test_golden_covers_every_point(void **state)
{
	(void)state;
	for_each_profile(every_point_is_named);
}

/* ---- limits
 * --------------------------------------------------------------------------------------- */

static void
keeps_limits(struct profile_file *file, json_t *golden)
{
	const struct profile *profile = &file->regs;
	const json_t *golden_case = json_array_get(json_object_get(golden, "cases"), 0);
	uint8_t unit = (uint8_t)json_integer_value(json_object_get(golden_case, "unit"));

	/* What is published by default, then with the points that are off. */
	for (int all = 0; all < 2; all++) {
		struct golden_link *g = golden_create(profile, unit);
		uint8_t *wanted = calloc(profile->n_points, 1);
		struct device *dev;
		struct reading *reading;
		json_t *exchange;
		size_t i, planned = 0;

		assert_non_null(wanted);
		memset(wanted, 1, profile->n_points);
		json_array_foreach(json_object_get(golden_case, "exchanges"), i, exchange)
			load_exchange(g, exchange); /* what identifies the device */
		g->fill = true;
		dev = make_device(profile, all ? wanted : NULL, g);
		reading = reading_create(dev);
		assert_non_null(reading);
		for (unsigned group = 0; group < device_groups(dev); group++) {
			size_t n;

			device_group_points(dev, group, &n);
			for (int poll = 0; poll < 3 && n > 0; poll++)
				assert_int_equal(device_poll(dev, group, reading), 0);
			planned += device_requests(dev, group);
		}
		if (g->broken[0] != '\0')
			fail_msg("%s: %s", profile->id, g->broken);
		assert_true(planned > 0 && g->requests >= planned);
		reading_destroy(reading);
		device_destroy(dev);
		link_destroy(&g->base);
		free(wanted);
	}
}

static void
test_requests_keep_the_limits(void **state)
{
	(void)state;
	for_each_profile(keeps_limits);
}

/* ---- identity ---------------------------------------------------------------------------------
 */

static void
refuses_another_model(struct profile_file *file, json_t *golden)
{
	const struct profile *profile = &file->regs;
	const json_t *golden_case = json_array_get(json_object_get(golden, "cases"), 0);
	uint8_t unit = (uint8_t)json_integer_value(json_object_get(golden_case, "unit"));
	struct golden_link *g;
	struct device *dev;
	struct reading *reading;
	json_t *exchange;
	size_t i;

	if (profile->n_identify == 0 || profile->identify[0].kind != IDENTIFY_REGISTER)
		return;
	g = golden_create(profile, unit);
	json_array_foreach(json_object_get(golden_case, "exchanges"), i, exchange)
		load_exchange(g, exchange);
	g->words[profile->identify[0].reg.table][profile->identify[0].reg.address] ^= 0x4000;
	dev = make_device(profile, NULL, g);
	reading = reading_create(dev);
	assert_non_null(reading);
	assert_int_equal(device_poll(dev, 0, reading), -ESTALE);
	for (i = 0; i < reading->n; i++) {
		assert_int_equal(reading->values[i].kind, VALUE_NONE);
		assert_int_equal(reading->values[i].fail, FAIL_IDENTITY);
	}
	reading_destroy(reading);
	device_destroy(dev);
	link_destroy(&g->base);
}

static void
test_another_model_is_refused(void **state)
{
	(void)state;
	for_each_profile(refuses_another_model);
}

/* ---- texts and the table of devices
 * ------------------------------------------------------------------ */

static void
assert_text(const char *profile, const char *what, const struct text *text)
{
	if (!text->ru || text->ru[0] == '\0' || !text->en || text->en[0] == '\0')
		fail_msg("%s: %s has no text in both languages", profile, what);
}

static void
has_texts(struct profile_file *file, json_t *golden)
{
	(void)golden;
	assert_text(file->regs.id, "title", &file->title);
	for (size_t i = 0; i < file->regs.n_points; i++)
		assert_text(file->regs.id, file->regs.points[i].point.id,
			&file->regs.points[i].point.title);
	for (size_t i = 0; i < file->n_faults; i++) {
		assert_text(file->regs.id, file->faults[i].code, &file->faults[i].text);
		assert_text(file->regs.id, file->faults[i].code, &file->faults[i].hint);
	}
}

static void
test_texts_in_both_languages(void **state)
{
	(void)state;
	for_each_profile(has_texts);
}

static char *
read_whole(const char *path)
{
	FILE *f = fopen(path, "r");
	char *all;
	long size;

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	size = ftell(f);
	assert_true(size > 0);
	rewind(f);
	all = calloc((size_t)size + 1, 1);
	assert_non_null(all);
	assert_int_equal(fread(all, 1, (size_t)size, f), size);
	fclose(f);
	return all;
}

static char *devices;
static size_t n_profiles;

static void
is_in_table(struct profile_file *file, json_t *golden)
{
	char row[160];

	(void)golden;
	snprintf(row, sizeof(row), "\n| `%s` | %zu | %s |", file->regs.id, file->regs.n_points,
		file->status);
	if (!strstr(devices, row))
		fail_msg(DEVICES " has no row \"%s\": run tests/drivers/devices_table.py", row + 1);
	n_profiles++;
}

static void
test_table_of_devices_is_complete(void **state)
{
	size_t rows = 0;

	(void)state;
	devices = read_whole(DEVICES);
	n_profiles = 0;
	for_each_profile(is_in_table);
	for (const char *p = strstr(devices, "\n| `"); p; p = strstr(p + 1, "\n| `")) {
		const char *points = strstr(p, "` | ");

		if (points && points[4] >= '0' && points[4] <= '9')
			rows++;
	}
	free(devices);
	assert_int_equal(rows, n_profiles);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_frames),
		cmocka_unit_test(test_golden_covers_every_point),
		cmocka_unit_test(test_requests_keep_the_limits),
		cmocka_unit_test(test_another_model_is_refused),
		cmocka_unit_test(test_texts_in_both_languages),
		cmocka_unit_test(test_table_of_devices_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
