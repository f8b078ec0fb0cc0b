/* SPDX-License-Identifier: MIT */
/* transcripts_test.c -- drivers against recorded and composed dialogues
 *
 * Each file of tests/drivers/transcripts/ is run as it is, and serial ones three times more with
 * the device's bytes arriving in chunks of 1 to 7. A file is a list of steps, one a line:
 *
 *   # text                   where it comes from, for the reader
 *   driver marlin            first
 *   resets no                opening the port does not restart the board (default: it does)
 *   on M105\n                the following < lines answer this query from now on; none: silence.
 *                            \n, \r, \xNN are understood; x07300401 is hex
 *   say                      the device says the following < lines now, unasked
 *   < ok T:21.3 /0.0         a line; <| text: without its end; <x 1A30: a report or bytes, in hex
 *   after 500                the < lines that follow come so many ms after the question (or now)
 *   open -5                  opening and using the port fails with this errno; open 0: works again
 *   poll [GROUP]             polls the group (default: the first one)
 *   wait MS                  time passes, the driver listens; a poll follows if it wants one
 *   is KEY VALUE             of the last poll: a point's id and its value as published ("!timeout":
 *                            why it has none), or rc (0 or the errors word), activity, result,
 *                            progress, faults (ids, or -), identity, job_name (- for none), news
 *                            (yes, no: the last wait)
 *   sent N QUERY             so many of this query have been sent so far
 *
 * Whatever a driver sends must stand in its table of queries; the link sees to that, and here it is
 * counted that nothing else came.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "drivers/device.h"
#include "drivers/registry.h"
#include "replay.h"

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>

enum { LINE_SIZE = 1200, PATH_SIZE = 600 };

struct run {
	const char *path;
	int line;
	const struct driver *driver;
	struct replay *replay;
	struct device *dev;
	struct reading *reading;
	struct replay_answer *answer; /* < lines go there; NULL: they are said */
	int64_t after_ms;
	uint32_t seed;
	bool resets, news;
	unsigned checks;
};

#define CHECK(run, ok, ...)                                                                        \
	do {                                                                                       \
		if (!(ok)) {                                                                       \
			print_error("%s:%d (seed %u): ", (run)->path, (run)->line, (run)->seed);   \
			print_error(__VA_ARGS__);                                                  \
			print_error("\n");                                                         \
			fail();                                                                    \
		}                                                                                  \
	} while (0)

static void
create(struct run *r)
{
	if (r->dev)
		return;
	struct device_spec spec = {.driver = r->driver};
	CHECK(r, r->driver, "a transcript begins with `driver`");
	r->replay = replay_create(r->driver, r->resets);
	r->replay->chunk_seed = r->seed;
	r->dev = device_create(&spec, &r->replay->link);
	r->reading = reading_create(r->dev);
	assert_non_null(r->reading);
}

static int
hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static size_t
unhex(struct run *r, const char *text, uint8_t *out, size_t size)
{
	size_t n = 0;

	for (; *text; text++) {
		if (*text == ' ')
			continue;
		int high = hex(text[0]), low = text[1] ? hex(text[1]) : -1;
		CHECK(r, high >= 0 && low >= 0 && n < size, "not hex: %s", text);
		out[n++] = (uint8_t)(high << 4 | low);
		text++;
	}
	return n;
}

static size_t
unescape(struct run *r, const char *text, uint8_t *out, size_t size)
{
	size_t n = 0;

	for (; *text; text++) {
		CHECK(r, n < size, "too long");
		if (*text != '\\') {
			out[n++] = (uint8_t)*text;
			continue;
		}
		text++;
		if (*text == 'x') {
			CHECK(r, hex(text[1]) >= 0 && hex(text[2]) >= 0, "not \\xNN: %s", text);
			out[n++] = (uint8_t)(hex(text[1]) << 4 | hex(text[2]));
			text += 2;
		} else {
			out[n++] = *text == 'n' ? '\n' : *text == 'r' ? '\r' : (uint8_t)*text;
		}
	}
	return n;
}

static size_t
query_bytes(struct run *r, const char *text, uint8_t *out, size_t size)
{
	return text[0] == 'x' ? unhex(r, text + 1, out, size) : unescape(r, text, out, size);
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void
step_driver(struct run *r, char *arg)
{
	r->driver = registry_find(arg);
	CHECK(r, r->driver && r->driver->poll, "no driver %s", arg);
}

static void
step_resets(struct run *r, char *arg)
{
	r->resets = strcmp(arg, "no") != 0;
}

static void
step_on(struct run *r, char *arg)
{
	uint8_t query[80];

	create(r);
	size_t n = query_bytes(r, arg, query, sizeof(query));
	bool known = false;
	for (size_t i = 0; i < r->driver->n_queries; i++)
		known |= r->driver->queries[i].len == n &&
			 !memcmp(r->driver->queries[i].bytes, query, n);
	CHECK(r, known, "the driver has no query %s", arg);
	r->answer = replay_answer(r->replay, (const char *)query, n);
	r->after_ms = 1;
	CHECK(r, r->answer, "too many queries");
}

static void
step_say(struct run *r, char *arg)
{
	(void)arg;
	create(r);
	r->answer = NULL;
	r->after_ms = 0;
}

static void
step_after(struct run *r, char *arg)
{
	r->after_ms = atoll(arg);
}

static void
step_open(struct run *r, char *arg)
{
	create(r);
	r->replay->dead = atoi(arg);
}

static void
device_says(struct run *r, const char *text)
{
	uint8_t bytes[LINE_SIZE];
	size_t n;

	create(r);
	if (text[0] == 'x')
		n = unhex(r, text + 1, bytes, sizeof(bytes));
	else
		n = unescape(r, text + (text[0] == '|' ? 2 : 1), bytes, sizeof(bytes) - 1);
	if (text[0] == ' ' || text[0] == '\0')
		bytes[n++] = '\n';
	if (r->answer)
		replay_answer_part(r->answer, bytes, n, r->after_ms);
	else
		replay_say(r->replay, bytes, n, r->after_ms);
}

static unsigned
find_group(struct run *r, const char *id)
{
	for (unsigned i = 0; i < r->driver->n_groups; i++)
		if (!strcmp(r->driver->groups[i].id, id))
			return i;
	CHECK(r, !*id, "no group %s", id);
	return 0;
}

static void
step_poll(struct run *r, char *arg)
{
	create(r);
	device_poll(r->dev, find_group(r, arg), r->reading);
}

static void
step_wait(struct run *r, char *arg)
{
	struct link *link = &r->replay->link;
	int64_t until_us = r->replay->now_us + atoll(arg) * 1000;

	r->news = false;
	while (link_await(link, until_us) > 0) {
		int rc = device_listen(r->dev);
		CHECK(r, rc >= 0 || rc == -EAGAIN, "nothing can be heard: poll first");
		r->news |= rc > 0;
	}
	if (r->news)
		device_poll(r->dev, 0, r->reading);
}

static const char *
list_faults(struct run *r, char *buf, size_t size)
{
	size_t len = 0;

	snprintf(buf, size, "-");
	for (size_t i = 0; i < r->driver->n_faults; i++)
		if (r->reading->status.faults >> i & 1)
			len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? " " : "",
				r->driver->faults[i].id);
	return buf;
}

static bool
known_to_reading(struct run *r, const char *key, char *buf, size_t size)
{
	static const char *const activities[] = {"unknown", "off", "idle", "busy", "paused"};
	static const char *const results[] = {"none", "finished", "stopped", "fault"};
	const struct status *s = &r->reading->status;

	if (!strcmp(key, "rc"))
		snprintf(buf, size, "%s", r->reading->rc ? fail_name(r->reading->fail) : "0");
	else if (!strcmp(key, "activity"))
		snprintf(buf, size, "%s", activities[s->activity]);
	else if (!strcmp(key, "result"))
		snprintf(buf, size, "%s", results[s->result]);
	else if (!strcmp(key, "progress"))
		snprintf(buf, size, "%.3g", s->progress);
	else if (!strcmp(key, "faults"))
		list_faults(r, buf, size);
	else if (!strcmp(key, "identity"))
		snprintf(buf, size, "%s", device_identity(r->dev));
	else if (!strcmp(key, "job_name"))
		snprintf(buf, size, "%s", r->reading->job_name[0] ? r->reading->job_name : "-");
	else if (!strcmp(key, "news"))
		snprintf(buf, size, "%s", r->news ? "yes" : "no");
	else
		return false;
	return true;
}

static void
print_point(struct run *r, const char *id, char *buf, size_t size)
{
	size_t n;
	const uint16_t *points = device_group_points(r->dev, r->reading->group, &n);

	for (size_t i = 0; i < n; i++) {
		const struct value *v = &r->reading->values[i];
		if (strcmp(r->driver->points[points[i]].id, id))
			continue;
		if (v->kind == VALUE_NONE)
			snprintf(buf, size, "!%s", fail_name(v->fail));
		else if (v->kind == VALUE_ENUM || v->kind == VALUE_STRING)
			snprintf(buf, size, "%s", v->u.s);
		else
			buf[value_print(v, buf, size)] = '\0';
		return;
	}
	CHECK(r, false, "no point %s in this group", id);
}

static void
step_is(struct run *r, char *arg)
{
	char got[600], *value = strchr(arg, ' ');

	CHECK(r, value, "is KEY VALUE");
	*value++ = '\0';
	if (!known_to_reading(r, arg, got, sizeof(got)))
		print_point(r, arg, got, sizeof(got));
	CHECK(r, !strcmp(got, value), "%s is \"%s\", not \"%s\"", arg, got, value);
	r->checks++;
}

static void
step_sent(struct run *r, char *arg)
{
	uint8_t query[80];
	char *text;
	long wanted = strtol(arg, &text, 10), count = 0;
	size_t n = query_bytes(r, text + 1, query, sizeof(query));

	for (size_t i = 0; i < r->replay->sent_len;) {
		size_t len = (unsigned char)r->replay->sent[i++];
		count += len == n && !memcmp(r->replay->sent + i, query, n);
		i += len;
	}
	CHECK(r, count == wanted, "%s was sent %ld times, not %ld", text + 1, count, wanted);
	r->checks++;
}

static const struct {
	const char *word;
	void (*run)(struct run *r, char *arg);
} steps[] = {
	{"driver", step_driver},
	{"resets", step_resets},
	{"on", step_on},
	{"say", step_say},
	{"after", step_after},
	{"open", step_open},
	{"poll", step_poll},
	{"wait", step_wait},
	{"is", step_is},
	{"sent", step_sent},
};

static void
run_line(struct run *r, char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (line[0] == '#' || line[0] == '\0')
		return;
	if (line[0] == '<') {
		device_says(r, line + 1);
		return;
	}
	char *arg = line + strcspn(line, " ");
	if (*arg)
		*arg++ = '\0';
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strcmp(steps[i].word, line) == 0) {
			steps[i].run(r, arg);
			return;
		}
	}
	CHECK(r, false, "unknown step %s", line);
}

static void
check_sent(struct run *r)
{
	for (size_t i = 0; r->replay && i < r->replay->sent_len;) {
		size_t len = (unsigned char)r->replay->sent[i++];
		bool known = false;
		for (size_t k = 0; k < r->driver->n_queries; k++)
			known |= r->driver->queries[k].len == len &&
				 !memcmp(r->driver->queries[k].bytes, r->replay->sent + i, len);
		CHECK(r, known, "sent what is not in its table: %.*s", (int)len,
			r->replay->sent + i);
		i += len;
	}
}

static void
run_file(const char *path, uint32_t seed)
{
	struct run r = {.path = path, .seed = seed, .resets = true};
	char line[LINE_SIZE];
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		r.line++;
		run_line(&r, line);
	}
	fclose(f);
	check_sent(&r);
	CHECK(&r, r.checks > 0, "nothing is checked");
	reading_destroy(r.reading);
	device_destroy(r.dev);
	link_destroy(r.replay ? &r.replay->link : NULL);
}

static void
run_transcript(void **state)
{
	for (uint32_t seed = 0; seed < 4; seed++)
		run_file(*state, seed * 7919);
}

static int
is_transcript(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 4 && !strcmp(e->d_name + n - 4, ".txt");
}

int
main(void)
{
	static struct CMUnitTest tests[256];
	struct dirent **list;
	int n = scandir("tests/drivers/transcripts", &list, is_transcript, alphasort);

	if (n <= 0 || n > 256) {
		fprintf(stderr, "no transcripts in tests/drivers/transcripts\n");
		return 1;
	}
	for (int i = 0; i < n; i++) {
		char *path = malloc(PATH_SIZE);
		snprintf(path, PATH_SIZE, "tests/drivers/transcripts/%s", list[i]->d_name);
		tests[i] = (struct CMUnitTest){
			.name = path, .test_func = run_transcript, .initial_state = path};
		free(list[i]);
	}
	free(list);
	return _cmocka_run_group_tests("transcripts", tests, (size_t)n, NULL, NULL);
}
