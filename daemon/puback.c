/* SPDX-License-Identifier: MIT */
/* puback.c -- one table of reason codes */
#include "daemon/puback.h"

static const struct {
	int reason;
	enum verdict verdict;
	const char *what;
} verdicts[] = {
	{0x00, VERDICT_ACCEPTED, "accepted"},
	{0x10, VERDICT_ACCEPTED, "no matching subscribers"},
	{0x80, VERDICT_RETRY, "unspecified error"},
	{0x83, VERDICT_RETRY, "implementation specific error"},
	{0x87, VERDICT_PAUSE, "not authorized"},
	{0x90, VERDICT_NEVER, "topic name invalid"},
	{0x91, VERDICT_RECONNECT, "packet identifier in use"},
	{0x95, VERDICT_TOO_BIG, "packet too large"},
	{0x97, VERDICT_QUOTA, "quota exceeded"},
	{0x99, VERDICT_NEVER, "payload format invalid"},
};

int
puback_reason(const struct message *m)
{
	return m->result == RESULT_TOO_BIG ? 0x95 : m->reason;
}

enum verdict
puback_judge(const struct message *m, const char **what)
{
	int reason = puback_reason(m);
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		if (verdicts[i].reason == reason) {
			*what = verdicts[i].what;
			return verdicts[i].verdict;
		}
	}
	*what = reason < 0x80 ? "accepted" : "unknown reason";
	return reason < 0x80 ? VERDICT_ACCEPTED : VERDICT_RETRY;
}
