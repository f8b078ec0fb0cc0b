/* SPDX-License-Identifier: MIT */
/* message.h -- one MQTT message on its way: the outbox owns it, the uplink borrows it */
#ifndef DAEMON_MESSAGE_H
#define DAEMON_MESSAGE_H

#include <stdint.h>

#include "daemon/mailbox.h"
#include "daemon/stamp.h"

enum message_lane { LANE_RETAINED, LANE_EVENT, LANE_LIVE, LANE_HISTORY, LANE_COUNT };

enum message_result {
	RESULT_ANSWERED, /* PUBACK; `reason` is its code (0 with MQTT 3.1.1) */
	RESULT_TOO_BIG,  /* more than the broker's Maximum Packet Size; never sent */
	RESULT_UNSENT    /* the connection ended first; it may or may not have arrived */
};

enum message_disk { DISK_NOT, DISK_WRITING, DISK_YES };

struct retained;

/* What a message says. Copied into struct message. */
struct draft {
	enum message_lane lane;
	const char *topic; /* outlives the message */
	int64_t record;    /* its number on the disk, there already or to be; gives their order */
	enum message_disk disk;
	const char *epoch; /* 8 characters */
	uint64_t seq;
	int64_t ts_ms; /* as its text says */
	struct stamp stamp;
	const char *payload;
	size_t len;
};

struct message {
	struct mail mail;
	struct message *next; /* the outbox's lists */
	enum message_lane lane;
	struct retained *retained; /* LANE_RETAINED: what it is a picture of */
	const char *topic;
	int64_t record;
	enum message_disk disk;
	char epoch[9];
	uint64_t seq;
	int64_t ts_ms, born_us; /* born: monotonic */
	struct stamp stamp;
	bool retain, json, flying;
	uint8_t tries;
	enum message_result result;
	int reason;
	uint32_t len, cap;
	char payload[];
};

#endif
