/* SPDX-License-Identifier: MIT */
/* puback.h -- what the broker's answer to a PUBLISH means for the message
 *
 * The codes of PUBACK in MQTT 5.0, 3.4.2.1; Mosquitto 2.0.11 also sends 0x95 for its
 * message_size_limit. Pure.
 */
#ifndef DAEMON_PUBACK_H
#define DAEMON_PUBACK_H

#include "daemon/message.h"

enum verdict {
	VERDICT_ACCEPTED,
	VERDICT_RETRY,     /* three times, then it is given up */
	VERDICT_PAUSE,     /* not allowed: the same again in 15 minutes or after a reconnect */
	VERDICT_QUOTA,     /* later: 30 s, doubling to 10 minutes */
	VERDICT_NEVER,     /* can never be accepted */
	VERDICT_TOO_BIG,   /* in smaller pieces, or never */
	VERDICT_RECONNECT, /* the two ends disagree about packet ids */
};

/* Of m->result and m->reason; *what: in words. */
enum verdict puback_judge(const struct message *m, const char **what);
int puback_reason(const struct message *m); /* 0x95 for what was too big to be sent */

#endif
