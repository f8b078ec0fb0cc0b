/* SPDX-License-Identifier: MIT */
/* job.c -- names and numbers of jobs */
#include "daemon/job.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *const quantity_names[QUANTITY_COUNT] = {
	[QUANTITY_ENERGY_WH] = "energy_wh",
	[QUANTITY_FILAMENT_MM] = "filament_mm",
	[QUANTITY_CHARGE_MAH] = "charge_mah",
};

const char *
job_end_name(enum job_end e)
{
	static const char *const names[] = {
		[END_NONE] = "none",
		[END_FINISHED] = "finished",
		[END_STOPPED] = "stopped",
		[END_FAULT] = "fault",
		[END_POWER_LOSS] = "power-loss",
		[END_COMM_LOST] = "comm-lost",
		[END_GATEWAY_RESTART] = "gateway-restart",
		[END_UNKNOWN] = "unknown",
	};

	return (unsigned)e < COUNT(names) ? names[e] : "unknown";
}

enum job_end
job_end_of(enum job_result word)
{
	static const enum job_end ends[] = {[JOB_NONE] = END_NONE,
		[JOB_FINISHED] = END_FINISHED,
		[JOB_STOPPED] = END_STOPPED,
		[JOB_FAULT] = END_FAULT};

	return ends[word];
}

/* 16 bytes are 128 bits, 26 digits 130: the first digit has only three of them. */
void
job_make_id(char id[27], int64_t wall_ms, const uint8_t random[10])
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	uint8_t bytes[16];

	for (int i = 0; i < 6; i++)
		bytes[i] = (uint8_t)((uint64_t)wall_ms >> (40 - 8 * i));
	for (int i = 0; i < 10; i++)
		bytes[6 + i] = random[i];
	for (int k = 0; k < 26; k++) {
		unsigned digit = 0;
		for (int bit = 5 * k - 2; bit < 5 * k + 3; bit++)
			digit = digit << 1 | (bit < 0 ? 0U : bytes[bit / 8] >> (7 - bit % 8) & 1U);
		id[k] = digits[digit];
	}
	id[26] = '\0';
}
