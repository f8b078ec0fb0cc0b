/* SPDX-License-Identifier: MIT */
/* fuzz_spool.c -- whatever a disk may give back for state.db and spool.db
 *
 * Two good files are made; the input is patches to them: a byte (which file, and what: overwrite,
 * or cut), three bytes of place, a length, the bytes. Then both are opened and everything that the
 * spool's thread does is done. It ends in an answer, an error, or a file set aside, which then is
 * whole again; and nothing is written outside the folder's known names.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>

#include "daemon/backlog.h"
#include "daemon/store.h"
#include "tests/fuzz/folder.h"

enum { ROWS = 64, PATCHES_MAX = 32, TURNS_MAX = 200, MAX_BYTES = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"state.db", "spool.db"};
static char *good[2];
static size_t good_len[2];

static const char *
path_of(int which)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, names[which]);
	return path;
}

static void
fill_store(void)
{
	struct opened how;
	struct store *s = store_open(folder, "boot-1", &how);
	const struct change put = {.what = CHANGE_PUT,
		.kind = "usage",
		.key = "A1",
		.text = "{\"whole\":true}",
		.len = 14};

	assert(s && store_apply(s, &put) == 0);
	for (int i = 1; i <= ROWS; i++) {
		const struct change c = {.what = i % 8 ? CHANGE_RECORD : CHANGE_REJECT,
			.record = i % 8 ? i : 0,
			.topic = "parks/p/machines/m1/event",
			.epoch = "7f3a91c2",
			.seq = (uint64_t)i,
			.ts_ms = 1767225600000 + i,
			.stamp = {.unsynced = i % 2, .offset_ms = 1000},
			.text = "{\"v\":1,\"ts\":1767225600000,\"clock\":\"unsynced\",\"gw\":\"gw1\"}",
			.len = 56};
		assert(store_apply(s, &c) == 0);
	}
	store_close(s);
}

static void
fill_backlog(void)
{
	static const char record[] =
		"{\"ts\":1767225600123,\"clock\":\"unsynced\",\"seq\":1,\"source\":\"meter\","
		"\"values\":{\"power_w\":143.2}}";
	struct opened how;
	struct backlog *b = backlog_open(folder, "boot-1", MAX_BYTES, &how);

	assert(b);
	for (int id = 1; id <= 8 * ROWS; id += ROWS) {
		struct row rows[ROWS];

		for (int i = 0; i < ROWS; i++)
			rows[i] = (struct row){.id = id + i,
				.topic = i % 2 ? "parks/p/machines/m1/telemetry"
					       : "parks/p/machines/m2/telemetry",
				.epoch = "7f3a91c2",
				.seq = (uint64_t)(id + i),
				.ts_ms = 1767225600000 + id + i,
				.stamp = {.unsynced = i % 3 == 0, .offset_ms = 1000},
				.text = record,
				.len = sizeof(record) - 1};
		assert(backlog_store(b, rows, ROWS, NULL, 0) == 0);
	}
	for (int i = 0; i < 30 && backlog_fold(b, INT64_MAX, NULL) > 0; i++)
		;
	backlog_close(b);
}

static void
make_good_files(void)
{
	folder_empty();
	fill_store();
	fill_backlog();
	for (int i = 0; i < 2; i++) {
		FILE *f = fopen(path_of(i), "rb");

		assert(f && fseek(f, 0, SEEK_END) == 0);
		good_len[i] = (size_t)ftell(f);
		rewind(f);
		good[i] = malloc(good_len[i]);
		assert(good[i] && fread(good[i], 1, good_len[i], f) == good_len[i]);
		fclose(f);
	}
}

/* Both files as they were, with the patches. */
static void
write_patched(const uint8_t *data, size_t size)
{
	int fd[2];

	folder_empty();
	for (int i = 0; i < 2; i++) {
		fd[i] = open(path_of(i), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		assert(fd[i] >= 0);
		assert(write(fd[i], good[i], good_len[i]) == (ssize_t)good_len[i]);
	}
	for (int n = 0; n < PATCHES_MAX && size >= 5; n++) {
		int which = data[0] & 1;
		size_t at =
			((size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3]) % good_len[which];
		size_t len = data[4] < size - 5 ? data[4] : size - 5;

		if ((data[0] & 0xFE) == 0xFE)
			assert(ftruncate(fd[which], (off_t)at) == 0);
		else
			assert(pwrite(fd[which], data + 5, len, (off_t)at) == (ssize_t)len);
		data += 5 + len;
		size -= 5 + len;
	}
	close(fd[0]);
	close(fd[1]);
}

static bool
look_at_record(void *arg, const struct store_record *r)
{
	assert(r->topic && r->epoch && r->payload && strlen(r->topic) < SIZE_MAX);
	*(size_t *)arg += r->len;
	return true;
}

static void
look_at_text(void *arg, const char *kind, const char *key, const char *text)
{
	*(size_t *)arg += strlen(kind) + strlen(key) + strlen(text);
}

static void
use_store(struct store *s)
{
	struct store_stats stats;
	const struct change c = {.what = CHANGE_RECORD,
		.record = 1000000,
		.topic = "t",
		.epoch = "e",
		.seq = 1,
		.text = "{}",
		.len = 2};
	size_t seen = 0;

	store_each(s, look_at_text, &seen);
	store_synced(s, 1767225600000);
	store_records(s, 0, look_at_record, &seen);
	store_dead_letters(s, 0, look_at_record, &seen);
	store_forget_upto(s, "parks/p/machines/m1/event", "7f3a91c2", 10);
	store_apply(s, &c);
	store_evict(s, 1000, "t", look_at_record, &seen);
	store_stats(s, &stats);
}

static bool
look_at_backlog(void *arg, const char *topic, const char *epoch, const struct unit_record *r)
{
	assert(topic && epoch && r->text);
	*(size_t *)arg += r->len;
	return true;
}

/* What would be sent as history, until nothing is left or it cannot be read. */
static void
drain(struct backlog *b)
{
	struct unit *u = NULL;
	int turns = 0;

	while (turns++ < TURNS_MAX && backlog_next(b, INT64_MAX, &u) == 0 && u) {
		assert(u->n > 0 && u->n <= BACKLOG_RECORDS_MAX);
		for (size_t i = 0; i < u->n; i++)
			assert(u->records[i].text && u->records[i].len < MAX_BYTES);
		int rc = backlog_drop(b, u);
		unit_free(u);
		u = NULL;
		if (rc < 0)
			break;
	}
	unit_free(u);
}

static void
use_backlog(struct backlog *b)
{
	struct eviction *e = NULL;
	size_t seen = 0;
	int64_t at;

	backlog_synced(b, 1767225600000);
	backlog_last_seq(b, "parks/p/machines/m1/telemetry", "7f3a91c2");
	backlog_export(b, 0, &at, look_at_backlog, &seen);
	for (int i = 0; i < TURNS_MAX && backlog_fold(b, INT64_MAX, NULL) > 0; i++)
		;
	if (backlog_plan(b, INT64_MAX, NULL, MAX_BYTES, &e) == 0 && e)
		backlog_evict(b, e);
	eviction_free(e);
	drain(b);
}

/* The databases, what SQLite keeps beside them, and what was set aside. */
static void
check_names(void)
{
	DIR *dir = opendir(folder);

	for (struct dirent *e; dir && (e = readdir(dir));)
		assert(e->d_name[0] == '.' || strncmp(e->d_name, names[0], 8) == 0 ||
			strncmp(e->d_name, names[1], 8) == 0);
	closedir(dir);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct opened one, other;

	if (!good[0])
		make_good_files();
	write_patched(data, size);
	for (int turn = 0; turn < 2; turn++) { /* once more as it was left */
		struct store *s = store_open(folder, "boot-1", &one);
		struct backlog *b = backlog_open(folder, "boot-1", MAX_BYTES, &other);

		if (!s || !b)
			fprintf(stderr, "%s%s\n", one.error, other.error);
		assert(s && b); /* nothing but the files is wrong */
		use_store(s);
		use_backlog(b);
		store_close(s);
		backlog_close(b);
		check_names();
	}
	return 0;
}
