/* SPDX-License-Identifier: MIT */
/* feed.h -- the thread that keeps the picture as the broker has it */
#ifndef CLI_ALERTMANAGER_FEED_H
#define CLI_ALERTMANAGER_FEED_H

#include "cli/alertmanager/picture.h"
#include "cli/broker.h"

enum { FEED_VERDICTS = PICTURE_FULL + 1 };

struct feed_state {
	bool connected;   /* and the retained topics have come */
	bool settled;     /* that has been so once */
	bool changed;     /* the picture, since feed_look() was last called */
	int64_t away_ms;  /* wall clock: since when not connected; 0: connected */
	int64_t heard_ms; /* mono: the last message; 0: none yet */
	int64_t due_ms;   /* mono: the thread will be heard of again by then */
	uint64_t messages[FEED_VERDICTS], connects;
};

struct feed;

/* Options are borrowed. `fleet`: machines and jobs are wanted, too. `wake` is called on the feed's
 * thread when feed_look() has news. CLI_FINE or the exit code, told. */
int feed_create(struct feed **out, const struct broker_options *broker, bool fleet,
	int64_t grace_ms, void (*wake)(void *context), void *context);
int feed_start(struct feed *f); /* 0 or -errno */
/* The picture, not to be touched by the thread until feed_release(); *state is a copy. */
const struct picture *feed_look(struct feed *f, struct feed_state *state, int64_t now_ms);
void feed_release(struct feed *f);
/* Ends the thread. false: it hangs in name resolution, and f must not be destroyed. */
bool feed_stop(struct feed *f, int timeout_ms);
void feed_destroy(struct feed *f); /* after feed_stop(); NULL is fine */

#endif
