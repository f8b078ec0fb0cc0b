/* SPDX-License-Identifier: MIT */
/* message.h -- one MQTT message on its way: the outbox owns it, the uplink borrows it */
#ifndef DAEMON_MESSAGE_H
#define DAEMON_MESSAGE_H

#include <stdint.h>

#include "daemon/mailbox.h"

enum message_lane { LANE_RETAINED, LANE_EVENT, LANE_LIVE, LANE_COUNT };

enum message_result {
	RESULT_ANSWERED, /* PUBACK; `reason` is its code (0 with MQTT 3.1.1) */
	RESULT_TOO_BIG,  /* more than the broker's Maximum Packet Size; never sent */
	RESULT_UNSENT    /* the connection ended first; it may or may not have arrived */
};

struct retained;

struct message {
	struct mail mail;
	struct message *next; /* the outbox's lists */
	uint64_t serial;      /* order in which messages were made */
	enum message_lane lane;
	struct retained *retained; /* LANE_RETAINED: what it is a picture of */
	const char *topic;         /* lives as long as the message */
	int64_t record;            /* number of the record on the disk; 0: not there */
	bool retain, json;
	uint8_t tries;
	enum message_result result;
	int reason;
	uint32_t len, cap;
	char payload[];
};

#endif
