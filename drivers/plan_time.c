/* SPDX-License-Identifier: MIT */
/* plan_time.c -- how long a request takes on its line */
#include "drivers/plan.h"

int64_t
plan_char_ns(int baud, const char *format)
{
	int bits = 1 + (format[0] - '0') + (format[1] != 'N') + (format[2] - '0');

	return baud > 0 ? (int64_t)bits * 1000000000 / baud : 0;
}

int64_t
plan_t35_us(int baud, const char *format)
{
	return baud > 19200 ? 1750 : (plan_char_ns(baud, format) * 7 / 2 + 999) / 1000;
}

int64_t
plan_rtu_us(const struct request *req, int baud, const char *format)
{
	int64_t data = req->table == TABLE_HOLDING || req->table == TABLE_INPUT
			       ? 2 * req->count
			       : (req->count + 7) / 8;
	int64_t chars =
		8 + 5 + data; /* unit, function, address, count, CRC; unit, function, length, CRC */

	return chars * plan_char_ns(baud, format) / 1000 + 2 * plan_t35_us(baud, format);
}
