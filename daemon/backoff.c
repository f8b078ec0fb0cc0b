/* SPDX-License-Identifier: MIT */
/* backoff.c -- one table of codes, one formula */
#include "daemon/backoff.h"

#include <stddef.h>

enum wait {
	WAIT_NORMAL,
	WAIT_SPREAD, /* all its clients come back at once */
	WAIT_LONG,   /* it is busy, or a person has to do something */
	WAIT_LONGER  /* each of us throws the other out */
};

static const struct {
	int reason;
	enum wait wait;
	const char *text;
} reasons[] = {
	{0x80, WAIT_NORMAL, "unspecified error"},
	{0x81, WAIT_LONG, "malformed packet"},
	{0x82, WAIT_LONG, "protocol error"},
	{0x84, WAIT_NORMAL, "protocol version not supported"},
	{0x85, WAIT_LONG, "client identifier not valid"},
	{0x86, WAIT_LONG, "bad user name or password"},
	{0x87, WAIT_LONG, "not authorized"},
	{0x88, WAIT_LONG, "server unavailable"},
	{0x89, WAIT_LONG, "server busy"},
	{0x8A, WAIT_LONG, "banned"},
	{0x8B, WAIT_SPREAD, "server shutting down"},
	{0x8D, WAIT_NORMAL, "keep alive time-out"},
	{0x8E, WAIT_LONGER, "session taken over: a second client uses our client id"},
	{0x93, WAIT_NORMAL, "receive maximum exceeded"},
	{0x95, WAIT_NORMAL, "packet too large"},
	{0x96, WAIT_LONG, "message rate too high"},
	{0x97, WAIT_LONG, "quota exceeded"},
	{0x98, WAIT_LONG, "administrative action"},
	{0x9C, WAIT_NORMAL, "use another server"},
	{0x9D, WAIT_NORMAL, "server moved"},
	{0x9F, WAIT_LONG, "connection rate exceeded"},
};

static enum wait
reason_wait(int reason)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].reason == reason)
			return reasons[i].wait;
	return WAIT_NORMAL;
}

const char *
backoff_reason_text(int reason)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].reason == reason)
			return reasons[i].text;
	return "unknown reason";
}

int
backoff_reason_of_311(int code)
{
	static const int codes[] = {0, 0x84, 0x85, 0x88, 0x86, 0x87};
	return code >= 0 && code <= 5 ? codes[code] : 0x80;
}

int64_t
backoff_ms(int64_t min_ms, int64_t max_ms, unsigned n, int reason, double random)
{
	int64_t top = min_ms;
	while (n-- > 0 && top < max_ms)
		top *= 2;
	if (top > max_ms)
		top = max_ms;
	switch (reason_wait(reason)) {
	case WAIT_LONGER:
		return 2 * max_ms + (int64_t)((double)max_ms * random);
	case WAIT_LONG:
		return max_ms + (int64_t)((double)max_ms * random);
	case WAIT_SPREAD:
		top = max_ms;
		break;
	case WAIT_NORMAL:
		break;
	}
	int64_t ms = (int64_t)((double)top * random);
	return ms < min_ms / 2 ? min_ms / 2 : ms;
}
