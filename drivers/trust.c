/* SPDX-License-Identifier: MIT */
/* trust.c -- which answers on an RTU line may be believed, and when a unit may be asked again
 *
 * Constant values make identical answers all the time, so a copy is refused only on a line where
 * frames were seen to come twice (strict). A unit whose answers had to be refused is then spaced:
 * asked only once in its maximal latency, when no copy can be under way any more.
 */
#include "drivers/trust.h"

static const int64_t strict_for_us = 600 * 1000000LL;
static const int64_t spaced_for_us = 60 * 1000000LL;
/* After a broken frame: its rest, or its repetition by the unit, has passed by then. */
static const int64_t broken_pause_us = 50 * 1000;

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t
trust_free_us(const struct trust *t, uint8_t unit)
{
	return t->unit[unit].free_us;
}

bool
trust_is_strict(const struct trust *t, uint8_t unit, int64_t now_us)
{
	return now_us < t->strict_us || now_us < t->unit[unit].strict_us;
}

/* FNV-1a: equal frames have equal hashes, and an accidental equality only costs a delay. */
static uint32_t
hash_of(const uint8_t *frame, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ frame[i]) * 16777619u;
	return h;
}

bool
trust_is_copy(const struct trust *t, uint8_t unit, const uint8_t *frame, size_t n, int64_t now_us)
{
	uint32_t hash = hash_of(frame, n);

	for (unsigned i = 1; i <= TRUST_RECENT; i++) {
		const struct trust_recent *r = &t->recent[(t->next - i) % TRUST_RECENT];

		if (r->until_us == 0)
			break;
		if (r->unit == unit && r->hash == hash && now_us < r->until_us)
			return true;
	}
	return false;
}

void
trust_accepted(struct trust *t, uint8_t unit, const uint8_t *frame, size_t n, int64_t now_us,
	int64_t late_us)
{
	struct trust_unit *u = &t->unit[unit];

	t->recent[t->next++ % TRUST_RECENT] =
		(struct trust_recent){.until_us = late_us, .hash = hash_of(frame, n), .unit = unit};
	u->owes = false;
	if (now_us < u->spaced_us)
		u->free_us = later(u->free_us, late_us);
}

void
trust_timed_out(struct trust *t, uint8_t unit, int64_t late_us)
{
	t->unit[unit].owes = true;
	t->unit[unit].free_us = later(t->unit[unit].free_us, late_us);
}

void
trust_broken(struct trust *t, uint8_t unit, int64_t now_us, int64_t late_us)
{
	struct trust_unit *u = &t->unit[unit];
	int64_t free_us = now_us + broken_pause_us;

	if (trust_is_strict(t, unit, now_us))
		free_us = later(free_us, late_us);
	u->free_us = later(u->free_us, free_us);
}

void
trust_refused(struct trust *t, uint8_t unit, int64_t now_us, int64_t late_us)
{
	t->unit[unit].spaced_us = now_us + spaced_for_us;
	trust_timed_out(t, unit, late_us);
}

void
trust_stray(struct trust *t, uint8_t unit, int64_t now_us)
{
	struct trust_unit *u = &t->unit[unit];

	if (u->owes) { /* late, but once */
		u->owes = false;
		return;
	}
	u->strict_us = t->strict_us = now_us + strict_for_us;
}
