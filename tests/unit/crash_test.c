/* SPDX-License-Identifier: MIT */
/* crash_test.c -- a machine, state.db and a broker in memory, with crashes anywhere
 *
 * Random traces: the machine works and stops, alarms come and go, a person acknowledges and
 * maintains, the broker goes away, acknowledges late or not at all, and the daemon dies before or
 * after a commit, before or after the broker has what was sent. Whatever happens: each job that
 * started ends once, each alarm that was raised clears once, counters never go back, and what a
 * new subscriber reads is what the daemon holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "daemon/gateway.h"
#include "daemon/log.h"
#include "tests/unit/small_lab.h"

/* ---- the clocks, in place of daemon/clock.c ---------------------------------------------------
 */

static int64_t mono_us, wall_ms;

int64_t
clock_mono_us(void)
{
	return mono_us;
}

int64_t
clock_wall_ms(void)
{
	return wall_ms;
}

struct moment
clock_now(void)
{
	return (struct moment){.us = mono_us, .wall_ms = wall_ms};
}

enum clock_state
clock_update(enum clock_source source)
{
	(void)source;
	return CLOCK_SYNCED;
}

enum clock_state
clock_state(void)
{
	return CLOCK_SYNCED;
}

double
clock_offset_ms(void)
{
	return 0;
}

int64_t
clock_boot_ms(void)
{
	return mono_us / 1000;
}

int64_t
clock_lead_ms(void)
{
	return wall_ms - mono_us / 1000;
}

struct stamp
clock_stamp(void)
{
	return (struct stamp){.offset_ms = clock_lead_ms()};
}

int64_t
clock_step(int64_t *lead_ms, int64_t lead_now_ms)
{
	(void)lead_ms;
	(void)lead_now_ms;
	return 0;
}

int
clock_alarm_open(void)
{
	return -1;
}

bool
clock_is_hidden(enum clock_source source)
{
	(void)source;
	return false;
}

void
clock_alarm_read(int fd)
{
	(void)fd;
}

const char *
clock_state_name(enum clock_state s)
{
	(void)s;
	return "synced";
}

static void
pass(int64_t ms)
{
	mono_us += ms * 1000;
	wall_ms += ms;
}

static uint32_t seed;

static bool
chance(unsigned percent)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % 100 < percent;
}

/* In place of the C library's: the same traces each time. */
ssize_t getrandom(void *buf, size_t len, unsigned flags);

ssize_t
getrandom(void *buf, size_t len, unsigned flags)
{
	(void)flags;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] =
			(uint8_t)(chance(50) + 2 * chance(50) + 4 * chance(50) + 8 * chance(50)) *
			17;
	return (ssize_t)len;
}

/* ---- the broker ------------------------------------------------------------------------------ */

enum { TOPICS_MAX = 64, SEEN_MAX = 200000, FLYING_MAX = 64 };

static struct {
	struct {
		char topic[128], payload[2048];
	} retained[TOPICS_MAX];
	struct message *flying[FLYING_MAX];
	size_t n_flying;
	bool up;
} broker;

static struct record { /* each event once, in the order in which it came for the first time */
	char topic[64], epoch[12], word[12], name[32];
	json_int_t seq;
} * seen;
static size_t n_seen;

/* Telemetry by its number: how it came to the broker, or that it never will. */
enum { NUMBERS_MAX = 400000, CAME = 1, GIVEN_UP = 2, MAY_BE_MISSING = 4 };
static unsigned char *numbers; /* of the one telemetry topic and epoch */
static char numbers_epoch[12];
static json_int_t highest, events_given_up;

static const char *
text_of(const json_t *root, const char *key)
{
	const char *text = json_string_value(json_object_get(root, key));
	return text ? text : "";
}

/* QoS 1: what came twice is one record, by its name. */
static void
take_event(const char *topic, const json_t *root)
{
	struct record r = {.seq = json_integer_value(json_object_get(root, "seq"))};
	bool job = strstr(topic, "/job") != NULL;
	snprintf(r.topic, sizeof(r.topic), "%s", topic);
	snprintf(r.epoch, sizeof(r.epoch), "%s", text_of(root, "epoch"));
	snprintf(r.word, sizeof(r.word), "%s", text_of(root, job ? "type" : "transition"));
	snprintf(r.name, sizeof(r.name), "%s", text_of(root, job ? "job" : "code"));
	json_int_t last = 0;
	for (size_t i = 0; i < n_seen; i++) {
		if (strcmp(seen[i].epoch, r.epoch) != 0 || strcmp(seen[i].topic, r.topic) != 0)
			continue;
		if (seen[i].seq == r.seq)
			return;
		last = seen[i].seq;
	}
	assert_true(last < r.seq); /* in order, however late */
	assert_true(n_seen < SEEN_MAX);
	seen[n_seen++] = r;
}

static void
note_number(json_int_t seq, int what)
{
	assert_in_range(seq, 1, NUMBERS_MAX - 1);
	numbers[seq] |= (unsigned char)what;
	if (seq > highest)
		highest = seq;
}

static void
take_telemetry(const json_t *root, const json_t *record)
{
	const char *epoch = text_of(root, "epoch");
	if (!numbers_epoch[0])
		snprintf(numbers_epoch, sizeof(numbers_epoch), "%s", epoch);
	assert_string_equal(epoch, numbers_epoch);
	note_number(json_integer_value(json_object_get(record, "seq")), CAME);
	assert_non_null(json_object_get(json_object_get(record, "values"), "power_w"));
}

static void
take_gap(const json_t *root)
{
	json_int_t from = json_integer_value(json_object_get(root, "from_seq"));
	json_int_t to = json_integer_value(json_object_get(root, "to_seq"));
	bool restart = strcmp(text_of(root, "reason"), "restart") == 0;
	if (strstr(text_of(root, "topic"), "/event")) {
		assert_string_equal(text_of(root, "reason"), "spool-full");
		assert_int_equal(json_integer_value(json_object_get(root, "count")), to - from + 1);
		if (strncmp(text_of(root, "topic"), "machines", 8) == 0)
			events_given_up += to - from + 1;
		return;
	}
	assert_string_equal(text_of(root, "topic"), "machines/laser-1/telemetry");
	assert_true(from <= to);
	for (json_int_t i = from; i <= to; i++)
		note_number(i, restart ? MAY_BE_MISSING : GIVEN_UP);
}

/* True: it was one of those. */
static bool
take_numbered(const char *topic, const json_t *root)
{
	size_t i;
	json_t *record;
	if (strstr(topic, "/telemetry"))
		take_telemetry(root, root);
	else if (strstr(topic, "/gap"))
		take_gap(root);
	else if (!strstr(topic, "/history"))
		return false;
	json_array_foreach(json_object_get(root, "records"), i, record)
		take_telemetry(root, record);
	return true;
}

/* Everything came, or is known not to come; what is said to be lost did not come. */
static unsigned
check_numbers(void)
{
	unsigned missing = 0;
	for (json_int_t i = 1; i <= highest; i++) {
		if (numbers[i] == 0)
			fail_msg("%lld of %lld: neither came nor was given up", (long long)i,
				(long long)highest);
		assert_true(numbers[i] != (CAME | GIVEN_UP));
		missing += !(numbers[i] & CAME);
	}
	return missing;
}

static void
check_counters(const char *before, const json_t *now)
{
	json_t *was = *before ? json_loads(before, 0, NULL) : NULL;
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)now, key, value)
	{
		const json_t *old = json_object_get(was, key);
		size_t len = strlen(key);
		bool counts = (len > 2 && strcmp(key + len - 2, "_s") == 0) ||
			      strncmp(key, "jobs_", 5) == 0 || strcmp(key, "alarms_raised") == 0;
		if (old && counts && json_integer_value(value) < json_integer_value(old))
			fail_msg("%s went back from %lld to %lld", key,
				(long long)json_integer_value(old),
				(long long)json_integer_value(value));
	}
	json_decref(was);
}

static void
take_retained(const struct message *m, const json_t *root)
{
	size_t i = 0, empty = TOPICS_MAX;
	for (; i < TOPICS_MAX && strcmp(broker.retained[i].topic, m->topic) != 0; i++)
		if (!broker.retained[i].topic[0] && empty == TOPICS_MAX)
			empty = i;
	if (i == TOPICS_MAX)
		i = empty;
	assert_true(i < TOPICS_MAX);
	if (strstr(m->topic, "/usage") && m->len)
		check_counters(broker.retained[i].payload, root);
	snprintf(broker.retained[i].topic, sizeof(broker.retained[i].topic), "%s",
		m->len ? m->topic : "");
	snprintf(broker.retained[i].payload, sizeof(broker.retained[i].payload), "%.*s",
		(int)m->len, m->payload);
}

static void
arrive(const struct message *m)
{
	json_t *root =
		m->json ? json_loadb(m->payload, m->len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	assert_true(!m->json || root);
	if (m->retain)
		take_retained(m, root);
	else if (!take_numbered(m->topic, root))
		take_event(m->topic, root);
	json_decref(root);
}

static const char *
retained_at(const char *topic)
{
	for (size_t i = 0; i < TOPICS_MAX; i++)
		if (strcmp(broker.retained[i].topic, topic) == 0)
			return broker.retained[i].payload;
	return NULL;
}

/* ---- the disk: spool.c without its thread ----------------------------------------------------
 */

enum { JOBS_MAX = 16 };

static struct gateway *g;
static char directory[64];

static struct spool {
	struct spool_files files;
	struct spool_job *jobs[JOBS_MAX];
	size_t n, ran;
} disk;

struct spool *
spool_open(const struct spool_config *c, struct mailbox *inbox, int *holder)
{
	struct opened how;
	(void)inbox;
	(void)holder;
	disk.files.store = store_open(c->directory, c->boot, &how);
	disk.files.backlog = backlog_open(c->directory, c->boot, c->max_bytes, &how);
	assert_true(disk.files.store && disk.files.backlog);
	disk.n = disk.ran = 0;
	return &disk;
}

struct spool_files *
spool_files(struct spool *s)
{
	return &s->files;
}

int
spool_start(struct spool *s)
{
	(void)s;
	return 0;
}

void
spool_post(struct spool *s, struct spool_job *job)
{
	assert_true(s->n < JOBS_MAX);
	s->jobs[s->n++] = job;
}

bool
spool_stop(struct spool *s, int64_t deadline_us)
{
	(void)s;
	(void)deadline_us;
	return true;
}

void
spool_destroy(struct spool *s)
{
	(void)s;
}

bool
spool_is_late(struct spool *s, int64_t by_us)
{
	(void)s;
	(void)by_us;
	return false;
}

void
spool_health(struct spool *s, struct spool_health *out)
{
	(void)s;
	memset(out, 0, sizeof(*out));
}

/* The thread runs some of its jobs; the loop hears of some of those. */
static void
turn(unsigned runs, unsigned heard)
{
	while (disk.ran < disk.n && chance(runs))
		disk.jobs[disk.ran]->run(disk.jobs[disk.ran], &disk.files), disk.ran++;
	while (disk.ran > 0 && chance(heard)) {
		struct spool_job *job = disk.jobs[0];
		disk.ran--;
		disk.n--;
		memmove(disk.jobs, disk.jobs + 1, disk.n * sizeof(job));
		job->done(g, job);
	}
}

/* ---- the daemon, without its threads ----------------------------------------------------------
 */

static void
send_message(void *arg, struct message *m)
{
	(void)arg;
	assert_true(broker.n_flying < FLYING_MAX);
	broker.flying[broker.n_flying++] = m;
}

static void
on_ended(void *arg, const struct message *m, enum message_end how)
{
	if (m->lane == LANE_EVENT)
		journal_ended(arg, m, how);
	else
		replay_ended(arg, m, how);
}

static void
on_listed(void *arg, const char *topic, bool listed)
{
	remember_topic(arg, topic, listed);
}

static void
on_trouble(void *arg, const char *topic, int reason, const char *what)
{
	(void)arg;
	(void)reason;
	fail_msg("%s: %s", topic, what);
}

static void
boot(bool computer_too)
{
	int holder = 0;
	g = calloc(1, sizeof(*g));
	struct outbox_ops ops = {.send = send_message,
		.trouble = on_trouble,
		.ended = on_ended,
		.listed = on_listed,
		.arg = g};
	if (computer_too)
		mono_us = 1000000;
	static unsigned computer;
	computer += computer_too;
	snprintf(g->boot, sizeof(g->boot), "boot-%u", computer);
	g->config = &lab_config;
	lab_machine.n_alarms = chance(20) ? 1 : 2; /* a person took `hot` out, or put it back */
	g->scratch = malloc(GATEWAY_SCRATCH);
	g->outbox = outbox_create(&ops, 1 << 20, 4 << 20);
	g->spool = spool_open(
		&(struct spool_config){
			.directory = directory, .boot = g->boot, .max_bytes = 1 << 30},
		NULL, &holder);
	assert_int_equal(journal_start(g), 0);
	assert_int_equal(replay_start(g), 0);
	g->event_topic = gateway_topic(g, "gateways/gw1/event");
	g->gap_topic = gateway_topic(g, "gateways/gw1/gap");
	numbers_start(g);
	g->machines = calloc(1, sizeof(struct machine *));
	g->machines[g->n_machines++] = machine_create(&lab_machine, &lab_config, clock_now());
	assert_int_equal(announce_machine(g, g->machines[0]), 0);
	remember_recall_all(g);
	g->machines[0]->usage.kept.whole = true; /* this broker held nothing before */
	trouble_recall(g);
	remember_orphans(g);
}

static void
new_disk(void)
{
	const char *top = getenv("TMPDIR");
	snprintf(directory, sizeof(directory), "%.40s/crash_test.XXXXXX", top ? top : "/tmp");
	assert_non_null(mkdtemp(directory));
}

static void
remove_disk(void)
{
	static const char *const names[] = {"state.db", "state.db-wal", "spool.db", "spool.db-wal"};
	char path[96];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		unlink(path);
	}
	rmdir(directory);
}

/* What was in memory is gone, and what was not committed, too. */
static void
crash(void)
{
	store_close(disk.files.store);
	backlog_close(disk.files.backlog);
	for (size_t i = 0; i < disk.n; i++) /* for their memory only: nobody looks at it any more */
		disk.jobs[i]->done(g, disk.jobs[i]);
	disk.n = 0;
	for (size_t i = 0; i < broker.n_flying; i++)
		free(broker.flying[i]);
	broker.n_flying = 0;
	broker.up = false;
	journal_free(g);
	replay_free(g);
	trouble_free(g);
	alarm_topics_free(g->machines[0]);
	machine_destroy(g->machines[0]);
	free(g->machines);
	outbox_destroy(g->outbox);
	while (g->topics) {
		struct topic *next = g->topics->next;
		free(g->topics);
		g->topics = next;
	}
	free(g->scratch);
	free(g);
}

static void
pump(void)
{
	replay_pump(g, mono_us);
	journal_commit(g);
	outbox_pump(g->outbox, mono_us);
}

/* Some of what flies arrives; some of that is acknowledged. */
static void
fly(unsigned arrives, unsigned acknowledged)
{
	size_t n = broker.n_flying;
	struct message *all[FLYING_MAX];
	memcpy(all, broker.flying, sizeof(all));
	broker.n_flying = 0;
	for (size_t i = 0; i < n; i++) {
		struct message *m = all[i];
		bool here = chance(arrives);
		if (here)
			arrive(m);
		if (!here || !chance(acknowledged)) {
			broker.flying[broker.n_flying++] = m;
			while (++i < n) /* TCP keeps the order */
				broker.flying[broker.n_flying++] = all[i];
			break;
		}
		m->result = RESULT_ANSWERED;
		m->reason = 0;
		outbox_done(g->outbox, m, mono_us);
	}
}

static void
cut(void)
{
	broker.up = g->mqtt.up = false;
	outbox_disconnected(g->outbox);
	for (size_t i = 0; i < broker.n_flying; i++) {
		broker.flying[i]->result = RESULT_UNSENT;
		outbox_done(g->outbox, broker.flying[i], mono_us);
	}
	broker.n_flying = 0;
}

static void
reach(void)
{
	if (!broker.up) {
		replay_connected(g, mono_us);
		outbox_connected(g->outbox, 16);
	}
	broker.up = g->mqtt.up = true;
}

/* ---- the machine's life ---------------------------------------------------------------------- */

static struct operand limits[] = {
	{.kind = OPERAND_NUMBER, .number = 120}, {.kind = OPERAND_WORD, .word = "cool"}};
static struct usage_rule rules[] = {
	{.activity = ACTIVITY_BUSY,
		.for_ms = 2000,
		.when = {.kind = CONDITION_POINT,
			.point = "meter.power_w",
			.test = TEST_ABOVE,
			.operands = &limits[0],
			.n_operands = 1}},
	{.activity = ACTIVITY_IDLE, .always = true},
};
static struct alarm_rule alarms[] = {
	{.code = "stuck",
		.when = {.kind = CONDITION_POINT,
			.point = "meter.mode",
			.test = TEST_EQUALS,
			.operands = &limits[1],
			.n_operands = 1},
		.hits = 2,
		.latch = true,
		.severity = SEVERITY_CRITICAL,
		.text = {.ru = "Застрял", .en = "Stuck"}},
	{.code = "hot",
		.when = {.kind = CONDITION_POINT,
			.point = "meter.count",
			.test = TEST_ABOVE,
			.operands = &limits[0],
			.n_operands = 1},
		.hits = 1,
		.for_ms = 1000,
		.clear_for_ms = 2000,
		.severity = SEVERITY_ERROR,
		.text = {.ru = "Горячо", .en = "Hot"}},
};

static struct {
	bool busy, hot, cool, dead;
} life;

static void
one_second(void)
{
	static struct lab_reading l;
	struct machine *m = g->machines[0];
	pass(1000);
	life.busy ^= chance(4);
	life.hot ^= chance(4);
	life.cool ^= chance(2);
	life.dead ^= chance(life.dead ? 10 : 1);
	double at = (double)mono_us / LAB_S;
	struct reading *r = life.dead ? lab_failure(&l, at, FAIL_TIMEOUT)
				      : lab_answer(&l, at, life.busy ? 300 : 20, life.hot ? 150 : 7,
						life.cool ? "cool" : "heat");
	r->ts_ms = wall_ms;
	unsigned outcome = source_take(m->sources[0], r, lab_fast, mono_us);
	if (outcome & OUTCOME_TELEMETRY) {
		struct envelope e = gateway_numbered(g, wall_ms, m->telemetry_topic);
		replay_telemetry(g, m->telemetry_topic, &e,
			payload_telemetry(
				g->scratch, GATEWAY_SCRATCH, &e, m->sources[0], r, lab_fast));
	}
	follow_machine(g, m, outcome & OUTCOME_STATE);
	if (chance(1))
		care_maintain(g, m, chance(50) ? 20000 : 0, "belt");
	if (chance(3))
		care_ack(g, m, "stuck");
	follow_tick(g, m, mono_us);
	remember_tick(g, mono_us);
	replay_tick(g, mono_us);
	numbers_tick(g, mono_us);
	trouble_tick(g);
}

/* ---- what must be so ---------------------------------------------------------------------------
 */

static void
settle(void)
{
	reach();
	bool quiet = false;
	for (int i = 0; i < 1000 && !quiet; i++) {
		pump();
		turn(100, 100);
		fly(100, 100);
		quiet = outbox_idle(g->outbox) && journal_is_idle(g) && disk.n == 0;
	}
	assert_true(quiet);
}

static void
settle_disk(void)
{
	for (int i = 0; i < 10; i++) {
		pump();
		turn(100, 100);
	}
}

/* The backlog goes out as well. */
static void
drain(void)
{
	struct backlog_stats left = {.records = 1};
	for (int i = 0; i < 20000 && left.records > 0; i++) {
		pass(100);
		settle();
		replay_stats(g, &left);
	}
	assert_int_equal(left.records, 0);
}

static void
check_alarm(const struct alarm *a)
{
	char topic[128];
	snprintf(topic, sizeof(topic), "parks/p1/machines/laser-1/alarm/%s", a->spec.code);
	const char *payload = retained_at(topic);
	bool shown = a->life.active || (a->life.count && !alarm_is_past(a, clock_now()));
	if (!shown) {
		assert_null(payload);
		return;
	}
	assert_non_null(payload);
	json_t *root = json_loads(payload, 0, NULL);
	assert_int_equal(json_is_true(json_object_get(root, "active")), a->life.active);
	assert_int_equal(json_integer_value(json_object_get(root, "count")), a->life.count);
	assert_int_equal(json_integer_value(json_object_get(root, "raised")), a->life.raised_ms);
	assert_int_equal(json_is_true(json_object_get(root, "stale")), a->life.stale);
	assert_int_equal(json_is_true(json_object_get(root, "acked")), a->life.acked);
	assert_string_equal(text_of(root, "suppressed_by"), a->life.suppressed_by);
	json_decref(root);
}

static void
check_totals(void)
{
	static const char *const names[] = {
		"off_s", "idle_s", "busy_s", "paused_s", "unknown_s", "offline_s"};
	const char *payload = retained_at("parks/p1/machines/laser-1/usage");
	json_t *root = payload ? json_loads(payload, 0, NULL) : NULL;
	json_int_t sum = 0;
	for (size_t i = 0; root && i < sizeof(names) / sizeof(names[0]); i++)
		sum += json_integer_value(json_object_get(root, names[i]));
	json_int_t elapsed = (json_integer_value(json_object_get(root, "ts")) -
				     json_integer_value(json_object_get(root, "since"))) /
			     1000;
	if (root) /* six roundings */
		assert_in_range(elapsed - sum, 0, 6);
	json_decref(root);
}

static void
check_truth(void)
{
	settle();
	for (size_t i = 0; i < lab_machine.n_alarms; i++)
		check_alarm(alarmset_find(g->machines[0]->alarms, alarms[i].code));
	check_alarm(alarmset_find(g->machines[0]->alarms, "meter-silent"));
	if (lab_machine.n_alarms < 2)
		assert_null(retained_at("parks/p1/machines/laser-1/alarm/hot"));
	check_totals();
}

/* How often that was told of that job or alarm, up to the n-th record. */
static int
count(const char *word, const char *name, size_t n)
{
	int times = 0;
	for (size_t i = 0; i < n; i++)
		times += strcmp(seen[i].word, word) == 0 && strcmp(seen[i].name, name) == 0;
	return times;
}

static int
check_jobs(void)
{
	int jobs = 0;
	for (size_t i = 0; i < n_seen; i++) {
		if (strcmp(seen[i].word, "started") == 0) {
			jobs++;
			assert_int_equal(count("started", seen[i].name, n_seen), 1);
			assert_int_equal(count("ended", seen[i].name, n_seen), 1);
		}
		if (strcmp(seen[i].word, "ended") == 0)
			assert_int_equal(count("started", seen[i].name, i), 1);
	}
	return jobs;
}

/* Each activation is told before its end, and ends once. */
static int
check_transitions(void)
{
	static const char *const codes[] = {"hot", "stuck", "meter-silent"};
	int raised = 0;
	for (size_t c = 0; c < 3; c++) {
		bool on = false, visible = false;
		for (size_t i = 0; i < n_seen; i++) {
			if (strcmp(seen[i].name, codes[c]) != 0)
				continue;
			if (strcmp(seen[i].word, "raised") == 0) {
				assert_false(visible);
				raised++;
				on = visible = true;
			} else if (strcmp(seen[i].word, "suppressed") == 0) {
				on = true;
			} else if (strcmp(seen[i].word, "cleared") == 0) {
				assert_true(on);
				on = visible = false;
			}
		}
	}
	return raised;
}

static void
die_and_return(void)
{
	crash();
	pass(chance(50) ? 500 : 40000);
	boot(chance(30));
	one_second();
	check_truth();
}

static void
live_for(int seconds)
{
	for (int i = 0; i < seconds; i++) {
		if (chance(3))
			broker.up ? cut() : reach();
		one_second();
		if (chance(1)) { /* before it is even posted */
			die_and_return();
			continue;
		}
		pump();
		turn(i % 3 ? 80 : 100, i % 3 ? 80 : 100); /* the disk may be slow */
		pump();
		if (broker.up && chance(1)) { /* written, and perhaps sent */
			fly(50, 0);
			die_and_return();
			continue;
		}
		if (broker.up)
			fly(95, 90);
		if (i % 100 == 99)
			check_truth();
	}
}

static void
test_crashes_anywhere(void **state)
{
	(void)state;
	int jobs = 0, raised = 0;
	unsigned missing = 0;
	numbers = malloc(NUMBERS_MAX);
	const char *more = getenv("SEEDS");
	for (uint32_t s = 1; s <= (more ? (uint32_t)atoi(more) : 8); s++) {
		seed = s * 2654435761u;
		memset(numbers, 0, NUMBERS_MAX);
		numbers_epoch[0] = '\0';
		highest = 0;
		new_disk();
		memset(&broker, 0, sizeof(broker));
		memset(&life, 0, sizeof(life));
		n_seen = 0;
		mono_us = 1000000;
		wall_ms = 1767225600000;
		boot(true);
		live_for(2500);
		memset(&life, 0, sizeof(life));
		while (g->machines[0]->usage.kept.job.id[0] || life.busy || life.dead) {
			one_second();
			life.busy = life.dead = false;
		}
		check_truth();
		drain();
		jobs += check_jobs();
		raised += check_transitions();
		missing += check_numbers();
		crash();
		remove_disk();
	}
	free(numbers);
	print_message("%d jobs, %d alarms, %u numbers without telemetry\n", jobs, raised, missing);
	assert_true(jobs > 50 && raised > 100); /* or nothing was tried */
}

static void
long_event(int number)
{
	const char *topic = g->machines[0]->event_topic;
	struct envelope e = gateway_numbered(g, wall_ms, topic);
	char note[300] = "";
	memset(note, 'x', sizeof(note) - 1);
	journal_event(g, topic, &e,
		payload_counters_event(g->scratch, GATEWAY_SCRATCH, &e, "busy_s", 0, number, note));
}

/* An outage in which more happens than the memory holds, and a restart in it. */
static void
test_a_long_outage(void **state)
{
	enum { EVENTS = 12000 };
	struct outbox_stats stats;
	(void)state;
	new_disk();
	memset(&broker, 0, sizeof(broker));
	n_seen = 0;
	boot(true);
	for (int i = 0; i < EVENTS; i++) {
		long_event(i);
		pump();
		if (i % 7 == 0)
			turn(100, 100);
		if (i == EVENTS / 2) {
			settle_disk();
			crash();
			boot(false);
		}
	}
	settle_disk();
	outbox_stats(g->outbox, &stats);
	assert_in_range(stats.lanes[LANE_EVENT].bytes, 0, 4 << 20); /* bounded */
	reach();
	for (int i = 0; i < EVENTS && n_seen < EVENTS; i++) {
		pump();
		turn(100, 100);
		fly(100, 100);
	}
	assert_int_equal(n_seen, EVENTS);
	crash();
	remove_disk();
}

/* Events alone are more than there is room for: the oldest go, and each of them is accounted for.
 */
static void
test_too_many_events(void **state)
{
	enum { EVENTS = 12000 };
	struct store_stats stats;
	(void)state;
	new_disk();
	memset(&broker, 0, sizeof(broker));
	n_seen = 0;
	events_given_up = 0;
	lab_config.spool_max_bytes = 2 << 20;
	boot(true);
	for (int i = 0; i < EVENTS; i++) {
		long_event(i);
		pump();
		if (i % 50)
			continue;
		settle_disk();
		journal_tick(g, mono_us);
		settle_disk();
		numbers_tick(g, mono_us);
	}
	settle_disk();
	journal_stats(g, &stats);
	assert_in_range(stats.disk_bytes, 1 << 20, 2 << 20);
	settle();
	for (int i = 0; i < 1000; i++)
		settle();
	assert_true(events_given_up > EVENTS / 4);
	json_int_t came = 0;
	for (size_t i = 0; i < n_seen; i++)
		came += strstr(seen[i].topic, "machines/") != NULL;
	assert_int_equal(came + events_given_up, EVENTS);
	lab_config.spool_max_bytes = INT64_C(1) << 31;
	crash();
	remove_disk();
}

int
main(void)
{
	const struct usage_rule *usage = rules;
	lab_machine.usage = (struct usage_rule *)(uintptr_t)usage;
	lab_machine.n_usage = 2;
	lab_machine.alarms = alarms;
	lab_machine.n_alarms = 2;
	lab_machine.n_sources = 1;
	lab_machine.job_min_ms = 5000;
	lab_machine.job_end_after_ms = 8000;
	lab_config.mqtt.topic_root = "parks";
	seen = calloc(SEEN_MAX, sizeof(*seen));
	log_set_level(LOG_LEVEL_ERROR);
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_crashes_anywhere),
		cmocka_unit_test(test_a_long_outage), cmocka_unit_test(test_too_many_events)};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	free(seen);
	return rc;
}
