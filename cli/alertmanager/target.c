/* SPDX-License-Identifier: MIT */
/* target.c -- one Alertmanager: what it is told next, and when again after it failed */
#include "cli/alertmanager/target.h"

char *
target_next(struct target *t, const struct alerts *a, int64_t mono_ms, int64_t now_ms,
	int64_t refresh_ms)
{
	if (t->batch || mono_ms < t->retry_ms)
		return NULL;
	if (mono_ms >= t->refresh_ms) {
		t->done = 0;
		t->refresh_ms = mono_ms + refresh_ms;
	}
	t->asked = t->done;
	return alerts_body(a, &t->asked, t->batch_max ? t->batch_max : TARGET_BATCH, now_ms,
		refresh_ms, &t->batch);
}

/* Some alert of the batch is not to its liking, and it does not say which: smaller batches, until
 * it is alone and left out. */
static enum target_news
refuse(struct target *t)
{
	size_t batch = t->batch;

	t->batch = 0;
	t->batch_max = batch / 2;
	if (batch > 1)
		return TARGET_SAME;
	t->batch_max = 1;
	t->done = t->asked;
	t->refused++;
	return TARGET_REFUSED;
}

static enum target_news
fail(struct target *t, int64_t mono_ms, double random)
{
	int64_t pause_ms = TARGET_RETRY_MIN_MS;

	for (unsigned i = 0; i < t->failures && pause_ms < TARGET_RETRY_MAX_MS; i++)
		pause_ms *= 2;
	if (pause_ms > TARGET_RETRY_MAX_MS)
		pause_ms = TARGET_RETRY_MAX_MS;
	t->batch = 0;
	t->retry_ms = mono_ms + pause_ms / 2 + (int64_t)((double)(pause_ms / 2) * random);
	return t->failures++ ? TARGET_SAME : TARGET_FAILED;
}

enum target_news
target_answer(struct target *t, long status, int64_t mono_ms, double random)
{
	bool healed = t->failures > 0;

	t->posts++;
	if (status < 200 || status > 299)
		t->failed++;
	if (status == 400 || status == 413 || status == 422)
		return refuse(t);
	if (status < 200 || status > 299)
		return fail(t, mono_ms, random);
	t->done = t->asked;
	t->batch = 0;
	if (t->batch_max)
		t->batch_max = t->batch_max < TARGET_BATCH / 2 ? t->batch_max * 2 : 0;
	if (!healed)
		return TARGET_SAME;
	t->failures = 0;
	t->done = 0; /* it may have been restarted and have forgotten all */
	return TARGET_HEALED;
}

bool
target_is_current(const struct target *t, const struct alerts *a)
{
	const struct alert *newest = (const struct alert *)a->all.last;

	return !newest || t->done >= newest->version;
}

int64_t
target_due_ms(const struct target *t, const struct alerts *a)
{
	if (t->batch)
		return INT64_MAX; /* its answer comes first */
	return target_is_current(t, a) && t->refresh_ms > t->retry_ms ? t->refresh_ms : t->retry_ms;
}
