/* SPDX-License-Identifier: MIT */
/* payload_usage.c -- jobs and running hours */
#include "daemon/payload_impl.h"

static int64_t
seconds(int64_t us)
{
	return (us + 500000) / 1000000;
}

static void
put_quantities(struct json *j, const struct job *job)
{
	static const int decimals[QUANTITY_COUNT] = {[QUANTITY_ENERGY_WH] = 1};
	for (int q = 0; q < QUANTITY_COUNT; q++)
		if (job->used[q] >= 0)
			json_put_real(j, quantity_names[q], job->used[q], decimals[q]);
}

static void
put_end(struct json *j, const struct job *job)
{
	json_put_int(j, "ended", job->ended_ms);
	json_put_int(j, "duration_s", seconds(job->span_us));
	json_put_int(j, "busy_s", seconds(job->busy_us));
	json_put_int(j, "paused_s", seconds(job->paused_us));
	json_put_string(j, "result", job_end_name(job->result));
}

size_t
payload_job(
	char *buf, size_t size, const struct envelope *e, const struct job *job, const char *asset)
{
	struct json j;
	bool ended = job->result != END_NONE;
	payload_begin(&j, buf, size, e);
	json_put_string(&j, "type", ended ? "ended" : "started");
	json_put_string(&j, "job", job->id);
	json_put_string(&j, "asset", asset);
	json_put_int(&j, "started", job->started_ms);
	if (ended)
		put_end(&j, job);
	json_put_int(&j, "accuracy_s", job->accuracy_s);
	json_put_string(&j, "evidence", job->evidence);
	if (ended)
		put_quantities(&j, job);
	if (job->name[0])
		json_put_string(&j, "name", job->name);
	return payload_finish(&j);
}

void
payload_put_usage(struct json *j, const struct usage_kept *u, const char *asset)
{
	static const char *const names[BUCKET_COUNT] = {
		"off_s", "idle_s", "busy_s", "paused_s", "unknown_s", "offline_s"};
	json_put_string(j, "asset", asset);
	json_put_int(j, "since", u->since_ms);
	for (int i = 0; i < BUCKET_COUNT; i++)
		json_put_int(j, names[i], u->in_us[i] / 1000000);
	json_put_int(j, "fault_s", u->fault_us / 1000000);
	json_put_uint(j, "jobs_started", u->jobs_started);
	json_put_uint(j, "jobs_finished", u->jobs_finished);
	json_put_uint(j, "jobs_failed", u->jobs_failed);
	json_put_uint(j, "alarms_raised", u->alarms_raised);
	if (u->energy_wh >= 0)
		json_put_real(j, "energy_wh", u->energy_wh, 1);
}

size_t
payload_usage(char *buf, size_t size, const struct envelope *e, const struct usage_kept *u,
	const char *asset)
{
	struct json j;
	payload_begin(&j, buf, size, e);
	payload_put_usage(&j, u, asset);
	return payload_finish(&j);
}

size_t
payload_counters_event(char *buf, size_t size, const struct envelope *e, const char *field,
	double was, double now, const char *note)
{
	struct json j;
	const struct value before = {.kind = VALUE_DOUBLE, .u.num = was};
	const struct value after = {.kind = VALUE_DOUBLE, .u.num = now};
	payload_begin(&j, buf, size, e);
	json_put_string(&j, "type", "counters");
	json_put_string(&j, "field", field);
	json_put_value(&j, "was", &before);
	json_put_value(&j, "now", &after);
	json_put_string(&j, "note", note);
	return payload_finish(&j);
}
