/* SPDX-License-Identifier: MIT */
/* picture.h -- what the retained topics of all parks say: alarms, gateways, machines
 *
 * Pure: time comes as an argument, ms since 1970. Whatever a topic or payload holds, memory stays
 * within the limits below, and one park cannot take another's share.
 */
#ifndef CLI_ALERTMANAGER_PICTURE_H
#define CLI_ALERTMANAGER_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/alertmanager/map.h"

enum {
	PICTURE_ID = 33, /* of an id, its NUL included; docs/topics.md */
	PICTURE_CODE = 65,
	PICTURE_ASSET = 65, /* a longer one is cut */
	PICTURE_PARKS = 10000,
	PICTURE_PARK_BYTES = 4 * 1024 * 1024, /* of memory, for one park */
	PICTURE_BYTES = 128 * 1024 * 1024     /* for all */
};

enum picture_state { /* of a machine; docs/topics.md */
	PICTURE_OFFLINE,
	PICTURE_FAULT,
	PICTURE_OFF,
	PICTURE_IDLE,
	PICTURE_BUSY,
	PICTURE_PAUSED,
	PICTURE_UNKNOWN,
	PICTURE_STATES
};

enum picture_total { PICTURE_STARTED, PICTURE_FINISHED, PICTURE_FAILED, PICTURE_TOTALS };

enum { PICTURE_SEVERITIES = 4 };
extern const char *const picture_states[PICTURE_STATES];
extern const char *const picture_severities[PICTURE_SEVERITIES]; /* the mildest first */

struct picture_park {         /* there while anything of it is */
	struct map_node node; /* its key is the park's id */
	size_t bytes;
	bool refused;                  /* something of it found no room; ends with the connection */
	int64_t heard_ms;              /* its last message; 0: none known */
	uint64_t jobs[PICTURE_TOTALS]; /* by which the totals of its machines grew */
	struct fleet_row *row;         /* of fleet_count(), while that runs */
};

struct picture_thing { /* what all three begin with */
	struct map_node node;
	size_t bytes; /* of memory */
	struct picture_park *park;
};

struct picture_alarm {
	struct picture_thing thing;
	char park[PICTURE_ID], gateway[PICTURE_ID], code[PICTURE_CODE];
	char machine[PICTURE_ID]; /* "": the gateway's own */
	const char *severity;
	bool firing;         /* active, and nothing suppresses it */
	int64_t raised_ms;   /* never later than when it came */
	int64_t ended_ms;    /* not firing: since when, as far as is known */
	char *notes;         /* annotations: members of a JSON object */
	unsigned connection; /* that told it last */
};

struct picture_machine {
	struct picture_thing thing;
	char class[PICTURE_ID]; /* "": not told */
	char *notes;            /* its titles, as above; NULL: not told */
	bool has_state;         /* what follows is told */
	enum picture_state state;
	bool has_job;
	char gateway[PICTURE_ID];
	unsigned connection; /* that told its state last */
	bool has_totals;     /* what follows is told */
	char asset[PICTURE_ASSET];
	int64_t totals[PICTURE_TOTALS];
};

struct picture_gateway {
	struct picture_thing thing;
	char park[PICTURE_ID], id[PICTURE_ID];
	bool told; /* its availability is known */
	bool offline;
	int64_t since_ms; /* offline: no later than this; see picture_settled() */
	int64_t heard_ms; /* ts of its health; 0: none */
	unsigned connection;
};

struct picture { /* zeroed: empty */
	struct map alarms, machines, gateways, parks;
	size_t bytes;
	unsigned connection;
	int64_t drop_ms; /* when what this connection did not tell goes; 0: it may all stay */
	bool settled;    /* what this connection tells now is news */
	bool full;       /* something found no room since the last connection began */
};

enum picture_verdict { PICTURE_TAKEN, PICTURE_IGNORED, PICTURE_INVALID, PICTURE_FULL };

/* The topics it lives on, NULL-ended: the most and the least important last, because a broker that
 * holds more than it queues for us drops the end. Without `fleet` those of alarms alone. */
const char *const *picture_topics(bool fleet);

/* A new connection: all retained topics come again. */
void picture_connected(struct picture *p);
enum picture_verdict picture_take(
	struct picture *p, const char *topic, const char *payload, size_t len, int64_t now_ms);
/* They have come. What the broker does not hold any more may come back, if it was restarted without
 * its memory and the gateways are still connecting: alarms stay for grace_ms; gateways count as
 * offline from now on. */
void picture_settled(struct picture *p, int64_t now_ms, int64_t grace_ms);
/* Drops what has to go now; true if something did. */
bool picture_tick(struct picture *p, int64_t now_ms);
/* Something was refused, and by now there would be room: a new connection would bring it. */
bool picture_has_room_again(const struct picture *p);
const struct picture_machine *picture_machine(
	const struct picture *p, const char *park, const char *machine);
const struct picture_gateway *picture_gateway(
	const struct picture *p, const char *park, const char *gateway);
void picture_finish(struct picture *p);

#endif
