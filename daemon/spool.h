/* SPDX-License-Identifier: MIT */
/* spool.h -- the thread that waits for the disk
 *
 * It runs jobs one after the other in the order in which they were posted, and posts each back:
 * `run` sees the databases and nothing of the loop, `done` is called on the loop and frees the
 * job. A database that could not be opened, or failed, is tried again every 10 s, whoever comes.
 */
#ifndef DAEMON_SPOOL_H
#define DAEMON_SPOOL_H

#include "daemon/backlog.h"
#include "daemon/mailbox.h"
#include "daemon/store.h"

struct gateway;
struct spool;

struct spool_files {
	struct store *store;     /* NULL: cannot be opened now */
	struct backlog *backlog; /* the same */
};

struct spool_job {
	struct mail mail;
	void (*run)(struct spool_job *job, struct spool_files *files);
	void (*done)(struct gateway *g, struct spool_job *job);
};

struct spool_config {
	const char *directory, *boot;
	int64_t max_bytes;
};

/* Locks the directory and opens both databases in it. *holder: 0, or the pid of the other daemon
 * that holds the directory (-1: not known); then, or without memory, NULL. A directory that cannot
 * be used is no reason to stop: both files are NULL, spool_health() says why. Before spool_start()
 * the files can be read by whoever has it. */
struct spool *spool_open(const struct spool_config *c, struct mailbox *inbox, int *holder);
struct spool_files *spool_files(struct spool *s);
int spool_start(struct spool *s); /* 0 or -errno */
void spool_post(struct spool *s, struct spool_job *job);
/* The thread should have been heard of that long ago: it hangs. A disk that hangs is no reason to
 * restart, which would not mend it: then it has five minutes more each time. Loop thread. */
bool spool_is_late(struct spool *s, int64_t by_us);
/* Runs what was posted, then ends; joins until deadline_us. false: it hangs in the disk. */
bool spool_stop(struct spool *s, int64_t deadline_us);
void spool_destroy(struct spool *s); /* after spool_stop(); NULL is fine */

/* How the files are, as of the last job; loop thread. */
struct spool_health {
	char store_error[160], backlog_error[160]; /* "": fine */
	bool store_aside, backlog_aside;           /* one was set aside and is still there */
	uint64_t store_losses, backlog_losses; /* how often a file was begun anew since the start */
};
void spool_health(struct spool *s, struct spool_health *out);

#endif
