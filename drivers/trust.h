/* SPDX-License-Identifier: MIT */
/* trust.h -- which answers on an RTU line may be believed, and when a unit may be asked again
 *
 * An RTU answer says neither which request it answers nor which register it holds. So a unit that
 * owes an answer is left alone until that answer can no longer come, and a frame that is a copy of
 * a recent one is suspect. Arithmetic only: no clock, no I/O.
 */
#ifndef DRIVERS_TRUST_H
#define DRIVERS_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRUST_UNITS = 256, TRUST_RECENT = 256 };

struct trust {
	struct trust_unit {
		int64_t free_us;   /* not asked before */
		int64_t strict_us; /* until then copies are refused */
		int64_t spaced_us; /* until then asked once per max_latency only */
		bool owes;         /* timed out; its answer may still come */
	} unit[TRUST_UNITS];
	int64_t strict_us; /* the same for all units: some frame came twice on this line */
	struct trust_recent {
		int64_t until_us; /* a copy may come until then */
		uint32_t hash;
		uint8_t unit;
	} recent[TRUST_RECENT];
	unsigned next;
};

int64_t trust_free_us(const struct trust *t, uint8_t unit);
bool trust_is_strict(const struct trust *t, uint8_t unit, int64_t now_us);
/* Is this frame byte for byte one that was accepted from the unit so recently that it may be a
 * delayed copy? */
bool trust_is_copy(
	const struct trust *t, uint8_t unit, const uint8_t *frame, size_t n, int64_t now_us);

/* What happened. `late_us` is when the last copy of the answer to this request can arrive. */
void trust_accepted(struct trust *t, uint8_t unit, const uint8_t *frame, size_t n, int64_t now_us,
	int64_t late_us);
void trust_timed_out(struct trust *t, uint8_t unit, int64_t late_us);
void trust_broken(struct trust *t, uint8_t unit, int64_t now_us, int64_t late_us);
/* Refused only because it might have been a copy. */
void trust_refused(struct trust *t, uint8_t unit, int64_t now_us, int64_t late_us);
/* A frame of the unit that nobody waited for. */
void trust_stray(struct trust *t, uint8_t unit, int64_t now_us);

#endif
