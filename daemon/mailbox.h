/* SPDX-License-Identifier: MIT */
/* mailbox.h -- the one place where data changes threads
 *
 * Intrusive first-in-first-out queues: whoever posts an item gives it away, whoever takes it owns
 * it. An item is never in two queues. Nothing is allocated here, so a queue is bounded by what its
 * posters own: two readings per device and group, one window of messages. A poster whose items
 * are all on their way counts the loss itself (poller.c).
 */
#ifndef DAEMON_MAILBOX_H
#define DAEMON_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>

enum mail_kind {
	MAIL_READING, /* struct poll_mail, from a bus */
	MAIL_POLLSET, /* struct pollset, back from a bus */
	MAIL_JOB,     /* struct line_job, done by a bus */
	MAIL_MESSAGE, /* struct message: to the uplink, and back with its result */
	MAIL_UPLINK,  /* struct uplink_event */
	MAIL_SPOOL    /* struct spool_job, done by the disk */
};

struct mail {
	struct mail *next;
	enum mail_kind kind;
};

struct mailbox {
	pthread_mutex_t lock;
	struct mail *first, **last;
	void (*wake)(void *arg); /* called by the poster when the queue was empty; any thread */
	void *wake_arg;
};

void mailbox_init(struct mailbox *box, void (*wake)(void *), void *arg);
void mailbox_finish(struct mailbox *box);
/* Any thread. */
void mailbox_post(struct mailbox *box, struct mail *mail);
/* Several at once, for one lock and one wake-up: first collected by a thread of its own, then
 * posted; the batch is empty again afterwards. */
struct mail_batch {
	struct mail *first, **last;
};
void mail_batch_init(struct mail_batch *batch);
void mail_batch_add(struct mail_batch *batch, struct mail *mail);
void mailbox_post_batch(struct mailbox *box, struct mail_batch *batch);
/* Everything that is there, oldest first, as a list; NULL if nothing. Any thread. */
struct mail *mailbox_take(struct mailbox *box);

#endif
