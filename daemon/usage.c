/* SPDX-License-Identifier: MIT */
/* usage.c -- jobs and running hours of an asset
 *
 * Seconds go to what the machine was seen to do at the update before. A job is more exact: what it
 * does began earlier than it could be known, so with each change the time since then moves from
 * what was to what is.
 */
#include "daemon/usage.h"

#include "daemon/job.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND_US 1000000LL
#define UNKNOWN_MAX_US (300 * SECOND_US)
#define SECONDS_MAX 1e11

static enum bucket
bucket_of(const struct usage_input *in)
{
	static const enum bucket buckets[] = {[ACTIVITY_UNKNOWN] = IN_UNKNOWN,
		[ACTIVITY_OFF] = IN_OFF,
		[ACTIVITY_IDLE] = IN_IDLE,
		[ACTIVITY_BUSY] = IN_BUSY,
		[ACTIVITY_PAUSED] = IN_PAUSED};

	return in->online ? buckets[in->activity] : IN_OFFLINE;
}

static bool
is_known(enum bucket b)
{
	return b != IN_UNKNOWN && b != IN_OFFLINE;
}

static bool
is_active(enum bucket b)
{
	return b == IN_BUSY || b == IN_PAUSED;
}

static bool
is_open(const struct usage *u)
{
	return u->kept.job.id[0] != '\0';
}

/* ---- time ----------------------------------------------------------------------------------- */

/* Adds to the time that the job spent so; nothing for what is neither busy nor paused. */
static void
add_to_job(struct usage *u, enum bucket b, int64_t us)
{
	if (!is_open(u) || u->resumed)
		return;
	if (b == IN_BUSY)
		u->kept.job.busy_us += us;
	else if (b == IN_PAUSED)
		u->kept.job.paused_us += us;
}

static void
pass_time(struct usage *u, struct moment now)
{
	int64_t us = now.us > u->last_us ? now.us - u->last_us : 0;

	u->kept.in_us[u->last_bucket] += us;
	if (u->last_fault)
		u->kept.fault_us += us;
	add_to_job(u, u->last_bucket, us);
	if (is_open(u) && !u->resumed && is_active(u->last_bucket))
		u->kept.job.span_us = now.us - u->start_us;
	u->last_us += us;
}

/* When what it does now really began: not before what it did until then, nor, without a job,
 * before the last one's end. Of what nobody saw the last moment that was seen is the end, and the
 * first one that is seen again the beginning. */
static int64_t
beginning_us(const struct usage *u, const struct usage_input *in, struct moment now)
{
	int64_t floor_us = is_open(u) ? u->phase_us : u->from_us, us = in->since_us;

	if (!is_known(bucket_of(in)) && (us < floor_us || in->activity != ACTIVITY_UNKNOWN))
		us = u->last_us;
	else if (!is_known(u->last_bucket) && us < u->phase_us)
		us = now.us;
	if (us < floor_us)
		us = floor_us;
	return us < now.us ? us : now.us;
}

static void
change_phase(struct usage *u, enum bucket b, int64_t since_us, struct moment now)
{
	if (b == u->last_bucket)
		return;
	add_to_job(u, u->last_bucket, since_us - now.us);
	add_to_job(u, b, now.us - since_us);
	u->phase_us = since_us;
}

/* ---- a job ---------------------------------------------------------------------------------- */

static void
begin(struct usage *u, const struct usage_input *in, int64_t since_us, struct moment now,
	struct usage_news *news)
{
	struct job *j = &u->kept.job;
	uint8_t random[10] = {0};

	u->rules.entropy(random);
	*j = (struct job){.started_ms = moment_wall_ms(&now, since_us),
		.busy_us = now.us - since_us,
		.accuracy_s = in->accuracy_s};
	job_make_id(j->id, j->started_ms, random);
	snprintf(j->evidence, sizeof(j->evidence), "%s", in->evidence ? in->evidence : "");
	for (size_t q = 0; q < QUANTITY_COUNT; q++)
		j->base[q] = u->kept.totals[q] > 0 ? u->kept.totals[q] : 0;
	u->start_us = u->phase_us = since_us;
	u->quiet_us = u->unknown_us = 0;
	u->word = JOB_NONE;
	news->changed = true;
}

static void
forget(struct usage *u)
{
	u->from_us = u->start_us + u->kept.job.span_us;
	u->kept.job = (struct job){.id = ""};
	u->resumed = false;
	u->quiet_us = u->unknown_us = 0;
}

/* At its last busy or paused moment. False: nobody knew of it. */
static bool
end(struct usage *u, enum job_end result, struct job *ended)
{
	struct job *j = &u->kept.job;
	bool told = j->announced;

	if (told) {
		j->result = result;
		j->ended_ms = j->started_ms + j->span_us / 1000;
		u->kept.jobs_finished += result == END_FINISHED;
		u->kept.jobs_failed += result == END_FAULT || result == END_POWER_LOSS;
		*ended = *j;
	}
	forget(u);
	return told;
}

static void
end_in(struct usage *u, enum job_end result, struct usage_news *news)
{
	news->ended = end(u, result, &news->end);
	news->changed = true;
}

/* What it used; a machine that rests uses nothing for the job. */
static void
measure(struct usage *u, const struct usage_input *in)
{
	struct job *j = &u->kept.job;

	for (size_t q = 0; q < QUANTITY_COUNT; q++)
		j->used[q] = u->kept.totals[q] >= 0 ? u->kept.totals[q] - j->base[q] : -1;
	if (in->name && *in->name)
		snprintf(j->name, sizeof(j->name), "%s", in->name);
}

static void
announce(struct usage *u, struct usage_news *news)
{
	struct job *j = &u->kept.job;

	if (j->announced || j->span_us < u->rules.min_ms * 1000)
		return;
	j->announced = true;
	u->kept.jobs_started++;
	news->started = news->changed = true;
	news->start = *j;
}

/* The driver of a machine that lost its power finds it stopped, or started anew. */
static enum job_end
result_of(const struct usage *u)
{
	if (u->quiet_power && u->word != JOB_FINISHED)
		return END_POWER_LOSS;
	if (u->word != JOB_NONE)
		return job_end_of(u->word);
	if (u->quiet_off)
		return END_POWER_LOSS;
	return u->quiet_fault ? END_FAULT : END_FINISHED;
}

static void
become_quiet(struct usage *u, const struct usage_input *in, int64_t since_us)
{
	u->quiet_us = since_us;
	u->quiet_seen = false;
	u->quiet_fault = u->last_fault || in->fault;
	u->quiet_power = u->quiet_off = false;
	u->kept.job.span_us = since_us - u->start_us;
	measure(u, in);
}

static void
run_quiet(struct usage *u, const struct usage_input *in, int64_t since_us, struct moment now,
	struct usage_news *news)
{
	bool known = is_known(bucket_of(in));

	if (!u->quiet_us)
		become_quiet(u, in, since_us);
	u->quiet_power |= in->lost_power;
	if (known && !u->quiet_seen) {
		u->quiet_seen = true;
		u->quiet_off = in->activity == ACTIVITY_OFF && in->tells_idle;
	}
	if (known)
		u->unknown_us = 0;
	else if (!u->unknown_us)
		u->unknown_us = since_us;
	if (u->word != JOB_NONE || (known && now.us - u->quiet_us >= u->rules.end_after_ms * 1000))
		end_in(u, result_of(u), news);
	else if (!known && now.us - u->unknown_us >= UNKNOWN_MAX_US)
		end_in(u, END_COMM_LOST, news);
}

static void
run_active(
	struct usage *u, const struct usage_input *in, struct moment now, struct usage_news *news)
{
	u->quiet_us = u->unknown_us = 0;
	u->kept.job.span_us = now.us - u->start_us;
	measure(u, in);
	if (u->word != JOB_NONE && in->result == JOB_NONE) { /* the driver speaks of the next one */
		end_in(u, result_of(u), news);
		begin(u, in, now.us, now, news);
		measure(u, in);
	}
	announce(u, news);
}

/* ---- after a restart ------------------------------------------------------------------------ */

/* Since the last checkpoint nobody looked. */
static void
add_hole(struct usage *u, struct moment now)
{
	int64_t us = now.us - u->hole_us;

	u->kept.job.accuracy_s += (int)((us + SECOND_US - 1) / SECOND_US);
}

static void
resume(struct usage *u, const struct usage_input *in, struct moment now, struct usage_news *news)
{
	enum bucket b = bucket_of(in);

	if (in->decided && is_active(b)) {
		add_hole(u, now);
		u->resumed = false;
		u->phase_us = now.us;
		u->word = JOB_NONE;
		run_active(u, in, now, news);
	} else if (in->decided && is_known(b)) {
		end_in(u, END_GATEWAY_RESTART, news);
	} else if (now.us - u->unknown_us >= UNKNOWN_MAX_US) {
		end_in(u, END_COMM_LOST, news);
	}
}

/* ---- the public part ------------------------------------------------------------------------ */

const struct usage_kept usage_nothing = {.totals = {-1, -1, -1}, .energy_wh = -1};

void
usage_init(struct usage *u, const struct usage_rules *rules, struct moment now)
{
	*u = (struct usage){.rules = *rules,
		.kept = usage_nothing,
		.last_us = now.us,
		.last_bucket = IN_UNKNOWN,
		.from_us = now.us};
	u->kept.since_ms = u->kept.at_ms = now.wall_ms;
}

void
usage_restore(struct usage *u, const struct usage_kept *kept, int64_t gap_us, struct moment now)
{
	int64_t stopped_us = now.us - gap_us;

	u->kept = *kept;
	u->kept.in_us[IN_UNKNOWN] += gap_us;
	u->last_us = u->from_us = now.us;
	u->phase_us = 0;
	u->last_bucket = IN_UNKNOWN;
	u->last_fault = false;
	u->resumed = is_open(u);
	if (!u->resumed)
		return;
	u->start_us = stopped_us - (kept->at_ms - kept->job.last_ms) * 1000 - kept->job.span_us;
	u->hole_us = stopped_us;
	u->unknown_us = now.us;
}

/* What the driver says of the job at hand is what it did not say before. */
static void
hear(struct usage *u, const struct usage_input *in)
{
	if (is_open(u) && in->driver_says && in->result != JOB_NONE && in->result != u->last_result)
		u->word = in->result;
	u->last_result = in->result;
}

void
usage_update(
	struct usage *u, const struct usage_input *in, struct moment now, struct usage_news *news)
{
	enum bucket b = bucket_of(in);
	int64_t since_us = beginning_us(u, in, now);

	*news = (struct usage_news){.ended = false};
	pass_time(u, now);
	change_phase(u, b, since_us, now);
	hear(u, in);
	if (!is_open(u) && b == IN_BUSY && in->decided)
		begin(u, in, since_us, now, news);
	if (u->resumed)
		resume(u, in, now, news);
	else if (is_open(u) && is_active(b))
		run_active(u, in, now, news);
	else if (is_open(u))
		run_quiet(u, in, u->phase_us, now, news);
	u->last_bucket = b;
	u->last_fault = in->fault;
}

/* The meter of that point; else a free one; else the one that was silent for longest. */
static struct meter *
find_meter(struct usage *u, const char *name)
{
	struct meter *best = &u->kept.meters[0];
	size_t len = strcspn(name, " ");

	for (size_t i = 0; i < METERS_MAX; i++) {
		struct meter *m = &u->kept.meters[i];
		if (strncmp(m->name, name, len) == 0 && (m->name[len] == ' ' || !m->name[len]))
			return m;
		if (best->name[0] && (!m->name[0] || m->tally.last_ms < best->tally.last_ms))
			best = m;
	}
	return best;
}

void
usage_count(struct usage *u, enum quantity q, const char *meter, const struct tally_rules *rules,
	double reading, struct moment now)
{
	struct meter *m = find_meter(u, meter);
	double *total = &u->kept.totals[q];

	if (strncmp(m->name, meter, sizeof(m->name) - 1) != 0) {
		snprintf(m->name, sizeof(m->name), "%s", meter);
		tally_rebase(&m->tally);
	}
	double added = tally_take(&m->tally, rules, reading, now.wall_ms);
	if (!m->tally.known)
		return;
	*total = (*total < 0 ? 0 : *total) + added;
	if (q == QUANTITY_ENERGY_WH)
		u->kept.energy_wh = (u->kept.energy_wh < 0 ? 0 : u->kept.energy_wh) + added;
}

bool
usage_leave(struct usage *u, enum job_end why, struct moment now, struct job *ended)
{
	pass_time(u, now);
	return is_open(u) && end(u, why, ended);
}

void
usage_keep(struct usage *u, struct moment now, struct usage_kept *out)
{
	struct usage at = *u;

	pass_time(&at, now);
	if (at.resumed)
		add_hole(&at, now);
	at.kept.at_ms = now.wall_ms;
	if (is_open(&at))
		at.kept.job.last_ms = moment_wall_ms(&now, at.start_us + at.kept.job.span_us);
	*out = at.kept;
}

/* ---- the wall clock is set ------------------------------------------------------------------ */

static int64_t
counted_ms(const struct usage_kept *k)
{
	int64_t us = 0;

	for (size_t b = 0; b < BUCKET_COUNT; b++)
		us += k->in_us[b];
	return us / 1000;
}

void
usage_clock_moved(struct usage *u, const struct shift *by, struct moment now)
{
	pass_time(u, now);
	shift_time(by, &u->kept.job.started_ms);
	for (size_t i = 0; i < METERS_MAX; i++)
		shift_time(by, &u->kept.meters[i].tally.last_ms);
	if (shift_time(by, &u->kept.since_ms))
		return;
	int64_t missing_ms = now.wall_ms - u->kept.since_ms - counted_ms(&u->kept);
	if (missing_ms > 0)
		u->kept.in_us[IN_UNKNOWN] += missing_ms * 1000;
	else
		u->kept.since_ms += missing_ms;
}

void
usage_clock_stepped(struct usage *u, int64_t step_ms)
{
	u->kept.since_ms += step_ms;
	for (size_t i = 0; i < METERS_MAX; i++)
		u->kept.meters[i].tally.last_ms += step_ms;
}

/* ---- usage set ------------------------------------------------------------------------------ */

enum field_kind { SECONDS, OVERLAP, NUMBER, ENERGY };

static const struct field {
	const char *name;
	enum field_kind kind;
	size_t offset;
} fields[] = {
	{"off_s", SECONDS, offsetof(struct usage_kept, in_us[IN_OFF])},
	{"idle_s", SECONDS, offsetof(struct usage_kept, in_us[IN_IDLE])},
	{"busy_s", SECONDS, offsetof(struct usage_kept, in_us[IN_BUSY])},
	{"paused_s", SECONDS, offsetof(struct usage_kept, in_us[IN_PAUSED])},
	{"unknown_s", SECONDS, offsetof(struct usage_kept, in_us[IN_UNKNOWN])},
	{"offline_s", SECONDS, offsetof(struct usage_kept, in_us[IN_OFFLINE])},
	{"fault_s", OVERLAP, offsetof(struct usage_kept, fault_us)},
	{"jobs_started", NUMBER, offsetof(struct usage_kept, jobs_started)},
	{"jobs_finished", NUMBER, offsetof(struct usage_kept, jobs_finished)},
	{"jobs_failed", NUMBER, offsetof(struct usage_kept, jobs_failed)},
	{"alarms_raised", NUMBER, offsetof(struct usage_kept, alarms_raised)},
	{"energy_wh", ENERGY, offsetof(struct usage_kept, energy_wh)},
};

static void
set_seconds(struct usage_kept *kept, const struct field *f, double now, double *was)
{
	int64_t *us = (int64_t *)((char *)kept + f->offset), next_us = llround(now * SECOND_US);

	*was = (double)*us / SECOND_US;
	if (f->kind == SECONDS)
		kept->since_ms -= (next_us - *us) / 1000;
	*us = next_us;
}

int
usage_set(struct usage *u, const char *field, double now, double *was)
{
	size_t i = 0;

	while (i < COUNT(fields) && strcmp(fields[i].name, field) != 0)
		i++;
	if (i == COUNT(fields))
		return -ENOENT;
	if (!isfinite(now) || now < 0 || now > SECONDS_MAX)
		return -EINVAL;
	void *at = (char *)&u->kept + fields[i].offset;
	if (fields[i].kind == NUMBER) {
		*was = (double)*(uint64_t *)at;
		*(uint64_t *)at = (uint64_t)llround(now);
	} else if (fields[i].kind == ENERGY) {
		*was = *(double *)at;
		*(double *)at = now;
	} else {
		set_seconds(&u->kept, &fields[i], now, was);
	}
	return 0;
}
