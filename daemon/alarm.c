/* SPDX-License-Identifier: MIT */
/* alarm.c -- one alarm's life: delays, hysteresis, latch, flapping, suppression
 *
 * The outside knows what was announced, and after a crash so do we, because every change of
 * struct alarm_life returns a transition, with which it is kept. Timers are not kept: a restart
 * may make an alarm late, but never tells the same thing twice.
 */
#include "daemon/alarm.h"

#include <stdio.h>
#include <string.h>

#define SECOND_US 1000000LL
#define FLAP_WINDOW_US (60 * SECOND_US)
#define FLAP_QUIET_US (300 * SECOND_US)
#define PAST_AFTER_MS (15 * 60 * 1000LL)

enum { FLAP_ACTIVATIONS = 3 };

/* ---- the flood guard ----------------------------------------------------------------------- */

bool
flood_take(struct flood *f, enum severity severity, int64_t now_us)
{
	if (severity == SEVERITY_CRITICAL)
		return true;
	if (!f->open)
		*f = (struct flood){.tokens = FLOOD_BURST, .at_us = now_us, .open = true};
	f->tokens += (double)(now_us - f->at_us) / FLOOD_EVERY_US;
	if (f->tokens > FLOOD_BURST)
		f->tokens = FLOOD_BURST;
	f->at_us = now_us;
	if (f->tokens < 1)
		return false;
	f->tokens -= 1;
	return true;
}

/* ---- active or not ------------------------------------------------------------------------- */

static void
note_condition(struct alarm *a, bool left, struct moment now)
{
	if (a->left != left)
		a->toggled_us = now.us;
	a->left = left;
}

/* `for` and `hits` are met. */
static bool
has_begun(struct alarm *a, const struct alarm_input *in, struct moment now)
{
	if (a->pending_us == 0)
		a->pending_us = now.us;
	if (a->hits == 0 || in->sampled_us != a->hit_us)
		a->hits++;
	a->hit_us = in->sampled_us;
	return now.us - a->pending_us >= a->spec.for_ms * 1000 && a->hits >= a->spec.hits;
}

static void
forget_pending(struct alarm *a)
{
	a->pending_us = 0;
	a->hits = 0;
}

/* True when this activation makes it flap. */
static bool
note_activation(struct alarm *a, struct moment now)
{
	memmove(a->recent_us, a->recent_us + 1, sizeof a->recent_us - sizeof a->recent_us[0]);
	a->recent_us[FLAP_ACTIVATIONS - 1] = now.us;
	return a->recent_us[0] != 0 && now.us - a->recent_us[0] <= FLAP_WINDOW_US;
}

static unsigned
activate(struct alarm *a, const struct alarm_input *in, struct moment now)
{
	forget_pending(a);
	a->life.count++;
	if (a->life.active) { /* latch or flapping held it: only counted */
		a->over = false;
		return ALARM_PICTURE;
	}
	a->life = (struct alarm_life){.active = true,
		.raised_ms = now.wall_ms,
		.count = a->life.count,
		.has_value = in->has_value,
		.value = in->value,
		.has_limit = in->has_limit,
		.limit = in->limit};
	a->life.flapping = note_activation(a, now);
	return a->life.flapping ? ALARM_CHANGED : 0;
}

static unsigned
condition_true(struct alarm *a, const struct alarm_input *in, struct moment now)
{
	note_condition(a, false, now);
	a->clearing_us = 0;
	if (a->life.active && !a->over)
		return 0;
	return has_begun(a, in, now) ? activate(a, in, now) : 0;
}

static void
condition_false(struct alarm *a, struct moment now)
{
	note_condition(a, true, now);
	forget_pending(a);
	if (a->clearing_us == 0)
		a->clearing_us = now.us;
	a->over = a->life.active &&
		  (a->over || now.us - a->clearing_us >= a->spec.clear_for_ms * 1000);
}

/* What nobody saw is neither holding nor quiet: all that is timed begins anew when it is known. */
static void
condition_unknown(struct alarm *a, struct moment now)
{
	forget_pending(a);
	a->clearing_us = 0;
	a->toggled_us = now.us;
}

static unsigned
end_flapping(struct alarm *a, struct moment now)
{
	if (!a->life.flapping || now.us - a->toggled_us < FLAP_QUIET_US)
		return 0;
	a->life.flapping = false;
	return ALARM_CHANGED;
}

static bool
may_clear(const struct alarm *a)
{
	bool latched = a->spec.latch && !a->life.acked;

	return a->over && a->condition == TRUTH_FALSE && !latched && !a->life.flapping;
}

static unsigned
clear(struct alarm *a, struct moment now)
{
	a->life.active = false;
	a->life.cleared_ms = now.wall_ms;
	a->life.stale = false;
	a->life.flapping = false;
	a->life.told = false;
	a->life.suppressed_by[0] = '\0';
	a->over = false;
	a->past_us = now.us + PAST_AFTER_MS * 1000;
	return ALARM_CLEARED;
}

/* ---- what is announced --------------------------------------------------------------------- */

static const char *
find_suppressor(
	const struct alarm *a, const struct alarm_input *in, struct flood *flood, struct moment now)
{
	bool critical = a->spec.severity == SEVERITY_CRITICAL;

	if (in->suppressor && !(critical && strcmp(in->suppressor, "maintenance") == 0))
		return in->suppressor;
	if (!a->life.told && flood && !flood_take(flood, a->spec.severity, now.us))
		return "flood";
	return NULL;
}

static unsigned
suppress(struct alarm *a, const char *by)
{
	char was[sizeof a->life.suppressed_by];

	memcpy(was, a->life.suppressed_by, sizeof was);
	snprintf(a->life.suppressed_by, sizeof a->life.suppressed_by, "%s", by);
	if (strcmp(was, a->life.suppressed_by) == 0)
		return 0;
	return was[0] ? ALARM_CHANGED : ALARM_SUPPRESSED;
}

static unsigned
announce(struct alarm *a, const struct alarm_input *in, struct flood *flood, struct moment now)
{
	const char *by = find_suppressor(a, in, flood, now);

	if (by)
		return suppress(a, by);
	bool was = a->life.suppressed_by[0] != '\0', told = a->life.told;
	a->life.suppressed_by[0] = '\0';
	a->life.told = true;
	return !told ? ALARM_RAISED : was ? ALARM_CHANGED : 0;
}

static unsigned
announce_severity(struct alarm *a)
{
	enum severity was = a->life.severity;

	a->life.severity = a->spec.severity;
	return was != SEVERITY_NONE && was != a->spec.severity ? ALARM_CHANGED : 0;
}

static unsigned
set_stale(struct alarm *a, bool stale)
{
	bool was = a->life.stale;

	a->life.stale = stale;
	return was != stale ? ALARM_PICTURE : 0;
}

/* ---- all together -------------------------------------------------------------------------- */

/* The wall clock may be anywhere after a restart; so what it says counts only within reason, and is
 * asked once. */
void
alarm_restore(struct alarm *a, const struct alarm_life *life, struct moment now)
{
	int64_t rest_ms = life->cleared_ms + PAST_AFTER_MS - now.wall_ms;

	if (rest_ms > PAST_AFTER_MS)
		rest_ms = PAST_AFTER_MS;
	a->life = *life;
	a->past_us = now.us + (rest_ms > 0 ? rest_ms * 1000 : 0);
}

void
alarm_clock_moved(struct alarm *a, const struct shift *by)
{
	shift_time(by, &a->life.raised_ms);
	shift_time(by, &a->life.cleared_ms);
}

static unsigned
resume(struct alarm *a, struct moment now)
{
	a->toggled_us = now.us;
	return a->life.active ? ALARM_PICTURE : 0; /* texts may be others than before */
}

unsigned
alarm_update(struct alarm *a, const struct alarm_input *in, struct flood *flood, struct moment now)
{
	unsigned t = a->toggled_us == 0 ? resume(a, now) : 0;

	a->condition = in->condition;
	if (in->condition == TRUTH_TRUE)
		t |= condition_true(a, in, now);
	else if (in->condition == TRUTH_FALSE)
		condition_false(a, now);
	else
		condition_unknown(a, now);
	t |= end_flapping(a, now);
	if (may_clear(a))
		t |= clear(a, now);
	if (a->life.active)
		t |= announce(a, in, flood, now) | announce_severity(a) |
		     set_stale(a, in->condition == TRUTH_UNKNOWN);
	return t & ~(unsigned)ALARM_PICTURE ? t & ~(unsigned)ALARM_PICTURE : t;
}

unsigned
alarm_ack(struct alarm *a, struct moment now)
{
	if (!a->life.active || a->life.acked)
		return 0;
	a->life.acked = true;
	return ALARM_ACKED | (may_clear(a) ? clear(a, now) : 0);
}

unsigned
alarm_withdraw(struct alarm *a, struct moment now)
{
	return a->life.active ? clear(a, now) : 0;
}

bool
alarm_is_held(const struct alarm *a)
{
	return a->life.active && !a->left && !a->over;
}

bool
alarm_counts(const struct alarm *a)
{
	return a->life.active && a->life.suppressed_by[0] == '\0';
}

bool
alarm_is_past(const struct alarm *a, struct moment now)
{
	if (a->life.active || a->life.cleared_ms == 0)
		return false;
	return now.us >= a->past_us;
}
