/* SPDX-License-Identifier: MIT */
/* backlog_test.c -- each record comes out once, in order, or is told as lost */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "daemon/backlog.h"
#include "tests/unit/temp_dir.h"

enum { MIB = 1024 * 1024 };

static struct backlog *
open_backlog(const char *boot, int64_t max_bytes)
{
	struct opened how;
	struct backlog *b = backlog_open(dir, boot, max_bytes, &how);
	if (!b)
		print_error("%s\n", how.error);
	assert_non_null(b);
	assert_int_equal(how.aside, ASIDE_NOT);
	return b;
}

static void
store_rows(struct backlog *b, int topics, int from, int to)
{
	for (int seq = from; seq < to; seq++) {
		struct row rows[50];
		char topic[50][32], text[50][400];
		for (int i = 0; i < topics; i++) {
			snprintf(topic[i], sizeof(topic[i]), "machines/m%d/telemetry", i);
			int n = snprintf(text[i], sizeof(text[i]),
				"{\"ts\":%d,\"clock\":\"synced\",\"seq\":%d,\"source\":\"meter\","
				"\"values\":{\"power_w\":%d.%d,\"voltage_v\":%d.4,\"current_a\":1.%d,"
				"\"energy_import_wh\":%d}}",
				1000 * seq, seq, seq % 71 * 13, i % 10, 220 + seq % 17, seq % 97,
				seq * 3);
			rows[i] = (struct row){.id = (int64_t)(seq - 1) * topics + i + 1,
				.topic = topic[i],
				.epoch = "e1",
				.seq = (uint64_t)seq,
				.ts_ms = 1000 * seq,
				.text = text[i],
				.len = (size_t)n};
		}
		assert_int_equal(backlog_store(b, rows, (size_t)topics, NULL, 0), 0);
	}
}

static void
test_round_trip(void **state)
{
	(void)state;
	struct backlog *b = open_backlog("b1", 64 * MIB);
	uint64_t next[50] = {0};
	size_t n = 0, batches = 0;
	store_rows(b, 20, 1, 501);
	while (backlog_fold(b, INT64_MAX, NULL) == 1)
		;
	backlog_close(b);
	b = open_backlog("b1", 64 * MIB);
	struct backlog_stats stats;
	backlog_stats(b, &stats);
	assert_int_equal(stats.records, 20 * 500);
	assert_int_equal(stats.last_row, 20 * 500);
	assert_int_equal(stats.oldest_ts_ms, 1000);
	assert_int_equal(backlog_last_seq(b, "machines/m3/telemetry", "e1"), 500);
	for (;;) {
		struct unit *u;
		int machine;
		assert_int_equal(backlog_next(b, INT64_MAX, &u), 0);
		if (!u)
			break;
		assert_int_equal(sscanf(u->topic, "machines/m%d/telemetry", &machine), 1);
		for (size_t i = 0; i < u->n; i++) {
			assert_int_equal(u->records[i].seq, ++next[machine]);
			assert_int_equal(u->records[i].ts_ms, 1000 * u->records[i].seq);
		}
		n += u->n;
		batches += u->batch;
		assert_int_equal(backlog_drop(b, u), 0);
		unit_free(u);
	}
	assert_int_equal(n, 20 * 500);
	assert_true(batches > 20);
	backlog_stats(b, &stats);
	assert_int_equal(stats.records, 0);
	assert_int_equal(stats.bytes, 0);
	backlog_close(b);
}

/* ---- against a model ------------------------------------------------------------------------- */

enum { TOPICS = 12, SEQS = 4000, ROWS = TOPICS * SEQS };
enum fate { NEVER, WAITS, DELIVERED, ACKED_LIVE, LOST };

static struct {
	struct backlog *b;
	unsigned seed;
	int64_t max_bytes, other_bytes;
	int boot;
	int64_t boot_offset[64]; /* true wall time - time since boot */
	bool boot_synced[64];
	int64_t now; /* since boot */
	struct record {
		enum fate fate;
		int64_t id, boot_ms;
		int boot;
		bool unsynced;
		size_t len;
	} records[TOPICS][SEQS];
	unsigned next_seq[TOPICS];
	int64_t last_id, floor;
	struct {
		int topic;
		unsigned seq;
	} of_id[ROWS + 1];
	struct unit *busy;
	int64_t waits, bytes;
	bool away; /* the broker */
	int delivered, lost, mended, batches, folds, evictions, split;
	int64_t largest;
} m;

static unsigned
dice(unsigned n)
{
	m.seed = m.seed * 1664525u + 1013904223u;
	return (m.seed >> 8) % n;
}

static const char *
topic_name(int topic)
{
	static const char *const names[TOPICS] = {
		"m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m8", "m9", "m9"};
	return names[topic];
}

static const char *
epoch_name(int topic)
{
	return topic == 9 || topic == 11 ? "e2" : "e1";
}

static int
topic_of(const char *topic, const char *epoch)
{
	for (int i = 0; i < TOPICS; i++)
		if (strcmp(topic_name(i), topic) == 0 && strcmp(epoch_name(i), epoch) == 0)
			return i;
	fail_msg("no such topic: %s %s", topic, epoch);
	return 0;
}

static const char *
boot_name(void)
{
	static char name[16];
	snprintf(name, sizeof(name), "boot%d", m.boot);
	return name;
}

/* What a clock that was never set says, and jitter of two reads. */
static int64_t
wrong_offset(int64_t id)
{
	return 1000000 + id % 3;
}

static size_t
make_text(char *out, size_t size, unsigned seq, int64_t ts, bool unsynced)
{
	int n = snprintf(out, size,
		"{\"ts\":%lld,\"clock\":\"%s\",\"seq\":%u,\"source\":\"s\",\"values\":{\"a\":%u,\"pad\":\"",
		(long long)ts, unsynced ? "unsynced" : "synced", seq, seq * 7919);
	size_t pad = seq * 2654435761u % 5 == 0 ? seq * 7919 % 3000 : seq * 7919 % 300;
	unsigned noise = seq;
	for (size_t i = 0; i < pad; i++) {
		noise = noise * 1664525u + 1013904223u;
		out[(size_t)n++] = (char)('a' + (noise >> 16) % 26);
	}
	return (size_t)n + (size_t)snprintf(out + n, size - (size_t)n, "\"}}");
}

static void
change_fate(struct record *r, enum fate fate)
{
	if (r->fate == WAITS) {
		m.waits--;
		m.bytes -= (int64_t)r->len;
	}
	r->fate = fate;
}

static struct record *
record_of_id(int64_t id)
{
	return &m.records[m.of_id[id].topic][m.of_id[id].seq];
}

static void
note_size(void)
{
	int64_t size = temp_bytes("spool.db");
	m.largest = size > m.largest ? size : m.largest;
	if (size + m.other_bytes > m.max_bytes)
		fail_msg("%lld bytes and %lld of others, but %lld allowed", (long long)size,
			(long long)m.other_bytes, (long long)m.max_bytes);
}

static void
do_store(void)
{
	static char text[40][4096];
	struct row rows[40];
	int64_t gone[40];
	size_t n_gone = 0, made = 0, n = dice(30);
	int64_t before = m.last_id;
	for (size_t k = 0; k < n && m.last_id < ROWS; k++) {
		int topic = dice(3) ? (int)dice(4) : (int)dice(TOPICS);
		if (m.next_seq[topic] + 2 >= SEQS)
			continue;
		unsigned seq = ++m.next_seq[topic];
		struct record *r = &m.records[topic][seq];
		*r = (struct record){.fate = WAITS,
			.id = ++m.last_id,
			.boot = m.boot,
			.boot_ms = m.now,
			.unsynced = !m.boot_synced[m.boot]};
		m.of_id[r->id].topic = topic;
		m.of_id[r->id].seq = seq;
		int64_t offset = r->unsynced ? wrong_offset(r->id) : m.boot_offset[m.boot];
		r->len =
			make_text(text[made], sizeof(text[made]), seq, m.now + offset, r->unsynced);
		rows[made] = (struct row){.id = r->id,
			.topic = topic_name(topic),
			.epoch = epoch_name(topic),
			.seq = seq,
			.ts_ms = m.now + offset,
			.stamp = {.unsynced = r->unsynced, .offset_ms = offset},
			.text = text[made],
			.len = r->len};
		m.waits++;
		m.bytes += (int64_t)r->len;
		made++;
	}
	for (int64_t id = m.floor; id <= m.last_id && n_gone < 20; id++)
		if (dice(4) == 0 && record_of_id(id)->fate == WAITS && id <= before) {
			gone[n_gone++] = id;
			change_fate(record_of_id(id), ACKED_LIVE);
		}
	gone[n_gone++] = m.last_id + 1000; /* no row */
	m.now += 1000;
	assert_int_equal(backlog_store(m.b, rows, made, gone, n_gone), 0);
}

static int64_t
oldest_id(void)
{
	for (int64_t id = 1; id < m.floor && id <= m.last_id; id++)
		if (record_of_id(id)->fate == WAITS)
			return id;
	return 0;
}

/* Mended, if that boot's clock was set. */
static int64_t
known_ts(const struct record *r)
{
	bool mended = r->unsynced && m.boot_synced[r->boot];
	return r->boot_ms + (r->unsynced && !mended ? wrong_offset(r->id) : m.boot_offset[r->boot]);
}

static void
check_record(const struct record *r, unsigned seq, const struct unit_record *u)
{
	static char text[4096];
	bool mended = r->unsynced && m.boot_synced[r->boot];
	size_t len = make_text(text, sizeof(text), seq, known_ts(r), r->unsynced && !mended);
	m.mended += mended;
	assert_int_equal(u->ts_ms, known_ts(r));
	assert_int_equal(u->len, len);
	assert_memory_equal(u->text, text, len);
}

static void
do_next(void)
{
	if (m.busy)
		return;
	int64_t oldest = oldest_id();
	size_t bytes = 0;
	assert_int_equal(backlog_next(m.b, m.floor, &m.busy), 0);
	struct unit *u = m.busy;
	if (!u) {
		assert_int_equal(oldest, 0);
		return;
	}
	int topic = topic_of(u->topic, u->epoch);
	assert_int_equal(m.records[topic][u->records[0].seq].id, oldest);
	assert_true(u->n >= 1 && u->n <= BACKLOG_RECORDS_MAX);
	for (size_t i = 0; i < u->n; i++) {
		unsigned seq = (unsigned)u->records[i].seq;
		struct record *r = &m.records[topic][seq];
		assert_int_equal(r->fate, WAITS);
		assert_true(r->id < m.floor);
		if (i > 0)
			for (unsigned k = (unsigned)u->records[i - 1].seq + 1; k < seq; k++)
				assert_int_not_equal(m.records[topic][k].fate, WAITS);
		check_record(r, seq, &u->records[i]);
		bytes += r->len;
	}
	assert_true(bytes <= BACKLOG_BYTES_MAX || u->n == 1);
	m.batches += u->batch;
}

static void
do_answer(bool acked)
{
	struct unit *u = m.busy;
	if (!u)
		return;
	int topic = topic_of(u->topic, u->epoch);
	for (size_t i = 0; acked && i < u->n; i++) {
		change_fate(&m.records[topic][u->records[i].seq], DELIVERED);
		m.delivered++;
	}
	if (acked)
		assert_int_equal(backlog_drop(m.b, u), 0);
	unit_free(u);
	m.busy = NULL;
}

static bool
is_busy(int topic, uint64_t seq)
{
	for (size_t i = 0; m.busy && i < m.busy->n; i++)
		if (m.busy->records[i].seq == seq &&
			topic_of(m.busy->topic, m.busy->epoch) == topic)
			return true;
	return false;
}

static void
lose(const struct lost *l)
{
	int topic = topic_of(l->topic, l->epoch);
	int64_t n = 0;
	for (uint64_t seq = l->from_seq; seq <= l->to_seq; seq++, n++) {
		struct record *r = &m.records[topic][seq];
		assert_int_equal(r->fate, WAITS);
		assert_true(r->id < m.floor && !is_busy(topic, seq));
		change_fate(r, LOST);
		m.lost++;
	}
	assert_int_equal(n, l->count);
	assert_int_equal(l->from_ts_ms, known_ts(&m.records[topic][l->from_seq]));
	assert_int_equal(l->to_ts_ms, known_ts(&m.records[topic][l->to_seq]));
}

/* In between anything may happen. */
static void
do_evict(void)
{
	struct eviction *e;
	assert_int_equal(backlog_plan(m.b, m.floor, m.busy, m.other_bytes, &e), 0);
	if (!e)
		return;
	assert_false(e->corrupt);
	if (dice(4) == 0) {
		eviction_free(e);
		return;
	}
	for (size_t i = 0; i < e->n; i++)
		lose(&e->lost[i]);
	assert_int_equal(backlog_evict(m.b, e), 0);
	m.evictions++;
	m.split += e->n > TOPICS;
	eviction_free(e);
}

static void
do_reopen(void)
{
	do_answer(false);
	backlog_close(m.b);
	m.floor = m.last_id + 1;
	if (dice(2) && m.boot + 1 < 64) {
		m.boot++;
		m.now = dice(100000);
		m.boot_offset[m.boot] = 1700000000000 + m.boot * 10000000;
	}
	m.b = open_backlog(boot_name(), m.max_bytes);
}

static void
check_stats(void)
{
	struct backlog_stats stats;
	backlog_stats(m.b, &stats);
	assert_int_equal(stats.records, m.waits);
	assert_int_equal(stats.bytes, m.bytes);
	assert_int_equal(stats.last_row, m.last_id);
	assert_int_equal(stats.disk_bytes, temp_bytes("spool.db"));
	assert_true((stats.oldest_ts_ms != 0) == (m.waits != 0));
	int topic = (int)dice(TOPICS);
	uint64_t last = backlog_last_seq(m.b, topic_name(topic), epoch_name(topic));
	unsigned waits = m.next_seq[topic];
	while (waits && m.records[topic][waits].fate != WAITS)
		waits--;
	assert_true(last >= waits && last <= m.next_seq[topic]);
}

static bool
export_one(void *arg, const char *topic, const char *epoch, const struct unit_record *u)
{
	unsigned char *seen = arg;
	int t = topic_of(topic, epoch);
	struct record *r = &m.records[t][u->seq];
	assert_int_equal(r->fate, WAITS);
	assert_int_equal(seen[r->id], 0);
	seen[r->id] = 1;
	check_record(r, (unsigned)u->seq, u);
	return dice(20) != 0;
}

static void
check_export(void)
{
	static unsigned char seen[ROWS + 1];
	int64_t at = 0, before, n = 0;
	memset(seen, 0, sizeof(seen));
	do {
		before = at;
		assert_int_equal(backlog_export(m.b, before, &at, export_one, seen), 0);
	} while (at != before);
	for (int64_t id = 1; id <= m.last_id; id++)
		n += seen[id];
	assert_int_equal(n, m.waits);
}

static void
do_something(void)
{
	unsigned what = dice(100);
	if (what < 40) {
		do_store();
		do_evict(); /* as the daemon: after each store */
	} else if (what < 52) {
		m.floor += dice((unsigned)(m.last_id + 2 - m.floor));
	} else if (what < 62) {
		if (!m.away)
			do_next();
	} else if (what < 70) {
		do_answer(dice(4) != 0);
	} else if (what < 94) {
		int rc = backlog_fold(m.b, m.floor, m.busy);
		assert_true(rc == 0 || rc == 1);
		m.folds += rc;
	} else if (what < 96) {
		m.boot_synced[m.boot] = true;
		assert_int_equal(backlog_synced(m.b, m.boot_offset[m.boot]), 0);
	} else if (what == 96) {
		do_reopen();
	} else if (what == 97) {
		m.away = dice(5) != 0;
		check_export();
	} else {
		check_stats();
	}
	note_size();
}

static void
run_model(unsigned seed, int64_t max_bytes, int steps)
{
	int mended = m.mended, lost = m.lost, delivered = m.delivered, batches = m.batches;
	memset(&m, 0, sizeof(m));
	m.mended = mended;
	m.lost = lost;
	m.delivered = delivered;
	m.batches = batches;
	m.seed = seed * 2654435761u;
	m.max_bytes = max_bytes;
	m.other_bytes = 100 * 1024;
	m.floor = 1;
	m.boot_offset[0] = 1700000000000;
	m.b = open_backlog(boot_name(), max_bytes);
	for (int i = 0; i < steps; i++)
		do_something();
	m.floor = m.last_id + 1;
	do_answer(true);
	for (do_next(); m.busy; do_next())
		do_answer(true);
	check_stats();
	assert_int_equal(m.waits, 0);
	backlog_close(m.b);
	unlink(in_dir("spool.db"));
}

static void
test_model(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	for (unsigned seed = 1; seed <= 6; seed++)
		run_model(seed, seed % 2 ? MIB : 4 * MIB, 1200);
	print_message("delivered %d, lost %d, mended %d, batches %d\n", m.delivered, m.lost,
		m.mended, m.batches);
	assert_true(m.delivered > 1000 && m.lost > 1000 && m.mended > 1000 && m.batches > 50);
}

/* ---- bounds ---------------------------------------------------------------------------------- */

/* Texts that do not compress, so that the file fills. */
static void
store_noise(struct backlog *b, int topics, int64_t *id, size_t len)
{
	static char text[50][8000];
	struct row rows[50];
	char topic[50][16];
	static unsigned noise;
	for (int i = 0; i < topics; i++) {
		snprintf(topic[i], sizeof(topic[i]), "n%d", i);
		for (size_t k = 0; k < len; k++) {
			noise = noise * 1664525u + 1013904223u;
			text[i][k] = (char)(noise >> 24);
		}
		rows[i] = (struct row){.id = ++*id,
			.topic = topic[i],
			.epoch = "e",
			.seq = (uint64_t)(*id + topics - 1) / (uint64_t)topics,
			.ts_ms = *id,
			.text = text[i],
			.len = len};
	}
	assert_int_equal(backlog_store(b, rows, (size_t)topics, NULL, 0), 0);
}

static void
check_bound(int64_t max)
{
	int64_t wal = temp_bytes("spool.db-wal"), all = temp_bytes("spool.db");
	if (all > max)
		fail_msg("%lld bytes, %lld of them WAL, of %lld", (long long)all, (long long)wal,
			(long long)max);
}

static void
test_stays_within_its_bound(void **state)
{
	static const struct {
		int64_t max_bytes, other_bytes;
		int topics;
		size_t len;
	} cases[] = {{MIB, 50000, 20, 350}, {MIB, 300000, 1, 7000}, {4 * MIB, 0, 50, 350},
		{4 * MIB, 2 * MIB, 10, 2000}, {8 * MIB, 0, 50, 1200}};
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		int64_t max = cases[c].max_bytes, stored = 0, id = 0, lost = 0, evictions = 0;
		struct backlog *b = open_backlog("b1", max);
		while (stored < 2 * max) {
			struct eviction *e;
			store_noise(b, cases[c].topics, &id, cases[c].len);
			stored += cases[c].topics * (int64_t)cases[c].len;
			check_bound(max - cases[c].other_bytes);
			assert_int_equal(
				backlog_plan(b, id + 1, NULL, cases[c].other_bytes, &e), 0);
			for (size_t i = 0; e && i < e->n; i++)
				lost += e->lost[i].count;
			evictions += e != NULL;
			if (e)
				assert_int_equal(backlog_evict(b, e), 0);
			eviction_free(e);
			check_bound(max - cases[c].other_bytes);
			assert_true(backlog_fold(b, id + 1, NULL) >= 0);
			check_bound(max - cases[c].other_bytes);
		}
		struct backlog_stats stats;
		backlog_stats(b, &stats);
		assert_int_equal(stats.records + lost, id);
		/* Most of the room is used, and a piece at a time goes. */
		assert_true(stats.bytes > (max - cases[c].other_bytes) * 30 / 100);
		assert_true(evictions < 3 * max / 65536 + 40);
		backlog_close(b);
		unlink(in_dir("spool.db"));
	}
}

static void
test_space_is_given_back(void **state)
{
	int64_t id = 0;
	(void)state;
	struct backlog *b = open_backlog("b1", 64 * MIB);
	for (int i = 0; i < 100; i++)
		store_noise(b, 50, &id, 2000);
	while (backlog_fold(b, id + 1, NULL) == 1)
		;
	assert_true(temp_bytes("spool.db") > 9 * MIB);
	for (;;) {
		struct unit *u;
		assert_int_equal(backlog_next(b, id + 1, &u), 0);
		if (!u)
			break;
		assert_int_equal(backlog_drop(b, u), 0);
		unit_free(u);
	}
	assert_true(temp_bytes("spool.db") < 100 * 1024);
	backlog_close(b);
}

static void
test_what_others_take_is_left(void **state)
{
	int64_t id = 0;
	struct eviction *e;
	(void)state;
	struct backlog *b = open_backlog("b1", 4 * MIB);
	for (int i = 0; i < 25; i++)
		store_noise(b, 50, &id, 2000);
	assert_int_equal(backlog_plan(b, id + 1, NULL, 0, &e), 0);
	assert_null(e);
	for (int i = 0; i < 100; i++) { /* state.db grows */
		assert_int_equal(backlog_plan(b, id + 1, NULL, 3 * MIB, &e), 0);
		if (!e)
			break;
		assert_int_equal(backlog_evict(b, e), 0);
		eviction_free(e);
	}
	assert_null(e);
	assert_true(temp_bytes("spool.db") <= MIB);
	/* Nothing of what is still in memory, or on its way, may go. */
	assert_int_equal(backlog_plan(b, 1, NULL, 4 * MIB, &e), 0);
	assert_null(e);
	backlog_close(b);
}

/* What is on its way is neither folded nor evicted. */
static void
check_busy(struct backlog *b, int64_t id, bool batch)
{
	struct unit *busy, *again;
	struct eviction *e;
	assert_int_equal(backlog_next(b, id + 1, &busy), 0);
	assert_int_equal(busy->batch, batch);
	for (int i = 0; i < 40; i++)
		assert_true(backlog_fold(b, id + 1, busy) >= 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(backlog_plan(b, id + 1, busy, 8 * MIB, &e), 0);
		if (!e)
			break;
		assert_int_equal(backlog_evict(b, e), 0);
		eviction_free(e);
	}
	assert_null(e);
	assert_int_equal(backlog_next(b, id + 1, &again), 0);
	assert_int_equal(again->batch, batch);
	assert_int_equal(again->n, busy->n);
	assert_int_equal(again->records[0].seq, busy->records[0].seq);
	assert_int_equal(backlog_drop(b, busy), 0);
	unit_free(busy);
	unit_free(again);
	assert_int_equal(backlog_next(b, id + 1, &again), 0);
	assert_null(again);
}

static void
test_what_is_on_its_way_stays(void **state)
{
	int64_t id = 0;
	(void)state;
	struct backlog *b = open_backlog("b1", 8 * MIB);
	for (int i = 0; i < 20; i++)
		store_noise(b, 20, &id, 1500);
	check_busy(b, id, false);
	struct eviction *e; /* there is room again */
	assert_int_equal(backlog_plan(b, id + 1, NULL, 0, &e), 0);
	assert_null(e);
	for (int i = 0; i < 40; i++)
		store_noise(b, 20, &id, 1500);
	assert_true(backlog_fold(b, id + 1, NULL) >= 0);
	check_busy(b, id, true);
	backlog_close(b);
}

static void
test_a_full_disk(void **state)
{
	int status;
	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit limit = {.rlim_cur = 300000, .rlim_max = 1 << 30};
		struct backlog *b = open_backlog("b1", 64 * MIB);
		struct backlog_stats before, after;
		char text[3000];
		int rc = 0;
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		memset(text, 'x', sizeof(text));
		for (int64_t i = 1; rc == 0 && i < 1000; i++) {
			struct row r = {.id = i,
				.topic = "t",
				.epoch = "e",
				.seq = (uint64_t)i,
				.ts_ms = i,
				.text = text,
				.len = sizeof(text)};
			backlog_stats(b, &before);
			rc = backlog_store(b, &r, 1, NULL, 0);
		}
		if (rc != -ENOSPC || !backlog_error(b)[0])
			_exit(2);
		struct unit *u = NULL; /* what is there can still be read */
		if (backlog_next(b, INT64_MAX, &u) != 0 || !u || u->records[0].seq != 1)
			_exit(3);
		unit_free(u);
		backlog_stats(b, &after);
		_exit(after.records == before.records && after.bytes == before.bytes ? 0 : 4);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	backlog_close(open_backlog("b1", 64 * MIB));
}

/* ---- killed ---------------------------------------------------------------------------------- */

enum { KILL_TOPICS = 5 };

/* Stores, folds, sends and drops; tells the last seq stored and the first not yet dropped. */
static void
work_for_ever(int out)
{
	struct opened how;
	struct backlog *b = backlog_open(dir, "b1", 2 * MIB, &how);
	struct backlog_stats stats;
	if (!b)
		_exit(1);
	backlog_stats(b, &stats);
	int64_t told[2] = {stats.last_row, 0};
	for (int64_t i = 0;; i++) {
		static char text[KILL_TOPICS][2000];
		struct row rows[KILL_TOPICS];
		char topic[KILL_TOPICS][8];
		for (int k = 0; k < KILL_TOPICS; k++) {
			snprintf(topic[k], sizeof(topic[k]), "t%d", k);
			memset(text[k], 'a' + (int)(i % 26), sizeof(text[k]));
			rows[k] = (struct row){.id = ++told[0],
				.topic = topic[k],
				.epoch = "e",
				.seq = (uint64_t)(told[0] + KILL_TOPICS - 1) / KILL_TOPICS,
				.ts_ms = told[0],
				.text = text[k],
				.len = sizeof(text[k])};
		}
		if (backlog_store(b, rows, KILL_TOPICS, NULL, 0) < 0 ||
			backlog_fold(b, told[0] + 1, NULL) < 0 ||
			write(out, told, sizeof(told)) != sizeof(told))
			_exit(2);
		struct unit *u = NULL;
		if (i % 15 == 14 && backlog_next(b, told[0] + 1, &u) == 0 && u) {
			told[1] += (int64_t)u->n;
			if (backlog_drop(b, u) < 0)
				_exit(3);
			unit_free(u);
		}
	}
}

static int64_t kill_seen[KILL_TOPICS], kill_n;

static bool
see_ascending(void *arg, const char *topic, const char *epoch, const struct unit_record *r)
{
	int k = topic[1] - '0';
	(void)arg;
	(void)epoch;
	assert_true(kill_seen[k] == 0 || (int64_t)r->seq == kill_seen[k] + 1);
	assert_int_equal(r->len, 2000);
	kill_seen[k] = (int64_t)r->seq;
	kill_n++;
	return true;
}

static void
test_killed_at_any_time(void **state)
{
	int64_t told[2] = {0};
	(void)state;
	for (int round = 0; round < 25; round++) {
		int out[2];
		assert_int_equal(pipe(out), 0);
		pid_t pid = fork();
		if (pid == 0)
			work_for_ever(out[1]);
		close(out[1]);
		for (int i = 0; i < 20 + round * 37 % 60; i++)
			assert_int_equal(read(out[0], told, sizeof(told)), sizeof(told));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (read(out[0], told, sizeof(told)) == sizeof(told))
			;
		close(out[0]);
		struct backlog *b = open_backlog("b1", 2 * MIB);
		struct backlog_stats stats;
		int64_t at;
		memset(kill_seen, 0, sizeof(kill_seen));
		kill_n = 0;
		assert_int_equal(backlog_export(b, 0, &at, see_ascending, NULL), 0);
		backlog_stats(b, &stats);
		assert_int_equal(stats.records, kill_n);
		assert_int_equal(stats.bytes, 2000 * kill_n);
		assert_true(stats.last_row == told[0] || stats.last_row == told[0] + KILL_TOPICS);
		for (int k = 0; k < KILL_TOPICS; k++)
			assert_int_equal(kill_seen[k], stats.last_row / KILL_TOPICS);
		backlog_close(b);
	}
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void
damage(const char *name)
{
	struct stat st;
	int fd = open(in_dir(name), O_RDWR);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0)
		return;
	for (unsigned i = 0, n = 1 + dice(60); i < n; i++) {
		unsigned char bytes[256];
		size_t len = 1 + dice(sizeof(bytes));
		for (size_t k = 0; k < len; k++)
			bytes[k] = (unsigned char)(dice(3) ? dice(256) : 0xff * dice(2));
		assert_true(pwrite(fd, bytes, len, dice((unsigned)st.st_size)) > 0);
	}
	close(fd);
}

static bool
count_one(void *arg, const char *topic, const char *epoch, const struct unit_record *r)
{
	size_t *n = arg;
	*n += strlen(topic) + strlen(epoch) + r->len;
	return true;
}

/* Whatever is asked of it; true: it is well. */
static bool
work(struct backlog **b, int64_t *id)
{
	struct unit *u = NULL;
	struct eviction *e = NULL;
	struct backlog_stats stats;
	int64_t at, gone[] = {*id - 3, *id - 700};
	size_t n = 0;
	struct row r = {.id = ++*id, .topic = "n1", .epoch = "e", .seq = 1, .text = "{}", .len = 2};
	int rc = backlog_store(*b, &r, 1, gone, 2);
	backlog_next(*b, *id, &u);
	backlog_fold(*b, *id, u);
	backlog_plan(*b, *id, u, dice(3) ? 0 : 3 * MIB, &e);
	if (e)
		backlog_evict(*b, e);
	if (u && dice(2))
		backlog_drop(*b, u);
	backlog_export(*b, 0, &at, count_one, &n);
	backlog_stats(*b, &stats);
	backlog_last_seq(*b, "n1", "e");
	eviction_free(e);
	unit_free(u);
	if (backlog_is_corrupt(*b)) {
		struct opened how;
		backlog_close(*b);
		*b = backlog_open(dir, "b1", 4 * MIB, &how);
		assert_non_null(*b);
		return false;
	}
	return rc == 0;
}

static void
test_any_damage(void **state)
{
	int aside = 0;
	(void)state;
	for (unsigned round = 1; round <= 60; round++) {
		struct opened how;
		int64_t id = 0;
		m.seed = round * 2654435761u;
		struct backlog *b = backlog_open(dir, "b1", 4 * MIB, &how);
		assert_non_null(b);
		for (int i = 0; i < 25; i++)
			store_noise(b, 30, &id, 600);
		backlog_fold(b, id + 1, NULL);
		store_noise(b, 30, &id, 600);
		if (dice(2)) {
			backlog_close(b);
			damage("spool.db");
			b = backlog_open(dir, "b1", 4 * MIB, &how);
			aside += how.aside == ASIDE_CORRUPT;
			assert_non_null(b);
		} else {
			damage("spool.db"); /* under its feet */
		}
		for (int i = 0; i < 20; i++)
			work(&b, &id);
		assert_true(work(&b, &id) || work(&b, &id));
		backlog_close(b);
		assert_true(temp_count("spool.db.corrupt-") <= 2);
		unlink(in_dir("spool.db"));
	}
	assert_true(aside > 5);
}

/* A bad block in a batch: what is in it is lost, and told; the rest goes on. */
static void
test_a_batch_that_cannot_be_read(void **state)
{
	struct unit *u;
	struct eviction *e;
	struct opened how;
	static const struct database_plan plan = {.name = "spool.db", .version = 1};
	(void)state;
	struct backlog *b = open_backlog("b1", 4 * MIB);
	store_rows(b, 3, 1, 401);
	assert_true(backlog_fold(b, INT64_MAX, NULL) >= 0);
	assert_int_equal(backlog_next(b, INT64_MAX, &u), 0);
	assert_true(u->batch && u->records[0].seq == 1);
	uint64_t last = u->records[u->n - 1].seq;
	unit_free(u);
	backlog_close(b);
	struct database *d = database_open(dir, &plan, &how);
	assert_int_equal(
		database_run(d, "UPDATE batch SET z = zeroblob(length(z)) WHERE id = 1", ""), 0);
	database_close(d);
	b = open_backlog("b1", 4 * MIB);
	assert_int_equal(backlog_next(b, INT64_MAX, &u), 0);
	assert_string_equal(u->topic, "machines/m1/telemetry");
	assert_int_equal(backlog_drop(b, u), 0);
	unit_free(u);
	assert_int_equal(backlog_plan(b, INT64_MAX, NULL, 0, &e), 0);
	assert_non_null(e);
	assert_true(e->corrupt);
	assert_int_equal(e->n, 1);
	assert_string_equal(e->lost[0].topic, "machines/m0/telemetry");
	assert_int_equal(e->lost[0].from_seq, 1);
	assert_int_equal(e->lost[0].to_seq, last);
	assert_int_equal(e->lost[0].count, last);
	assert_int_equal(backlog_evict(b, e), 0);
	eviction_free(e);
	assert_int_equal(backlog_plan(b, INT64_MAX, NULL, 0, &e), 0);
	assert_null(e);
	backlog_close(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_setup, temp_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),
		TEST(test_model),
		TEST(test_stays_within_its_bound),
		TEST(test_space_is_given_back),
		TEST(test_what_others_take_is_left),
		TEST(test_what_is_on_its_way_stays),
		TEST(test_a_full_disk),
		TEST(test_killed_at_any_time),
		TEST(test_any_damage),
		TEST(test_a_batch_that_cannot_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
