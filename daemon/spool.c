/* SPDX-License-Identifier: MIT */
/* spool.c -- one thread, two files, and jobs in the order in which they came */
#include "daemon/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/join.h"

#define RETRY_US 10000000LL
#define IDLE_US 10000000LL /* a look at the jobs even if nobody wakes it */
#define JOB_US 300000000LL /* folding and evicting 2 GiB on a slow card, with room to spare */
#define LOOK_US 60000000LL /* how often somebody may have removed a file that was set aside */

struct spool {
	char *directory, *boot;
	int64_t max_bytes;
	int lock_fd;
	struct spool_files files;
	struct mailbox *inbox; /* the loop's */
	struct mailbox jobs;
	int wake_fd;
	pthread_t thread;
	bool running;
	atomic_bool stop;
	atomic_llong due_us; /* the thread will be heard of again; see spool_is_late() */
	atomic_int tid;
	int64_t retry_us, look_us; /* not before */
	bool is_synced;            /* what a file that is begun anew has to be told */
	int64_t offset_ms;
	struct spool_health now; /* the thread's */
	pthread_mutex_t lock;
	struct spool_health told; /* under `lock` */
};

/* ---- the lock -------------------------------------------------------------------------------- */

static int
read_pid(int fd)
{
	char text[16] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	int pid = n > 0 ? atoi(text) : 0;
	return pid > 0 ? pid : -1;
}

/* One daemon per directory: 0, -EBUSY and the other's pid, or -errno. The kernel lets go of the
 * lock when its holder dies. */
static int
lock_directory(struct spool *s, int *holder)
{
	char path[4096], text[16];
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (s->lock_fd >= 0)
		return 0;
	mkdir(s->directory, 0750);
	snprintf(path, sizeof(path), "%s/lock", s->directory);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_OFD_SETLK, &whole) < 0) {
		int rc = errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
		*holder = rc == -EBUSY ? read_pid(fd) : 0;
		close(fd);
		return rc;
	}
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) < 0)
		n = 0; /* a full disk: the lock holds all the same */
	s->lock_fd = fd;
	return 0;
}

/* ---- the files ------------------------------------------------------------------------------- */

static void
note_opened(const struct opened *how, char *error, size_t size, bool *aside, uint64_t *losses)
{
	snprintf(error, size, "%s", how->error);
	if (how->aside == ASIDE_NOT)
		return;
	*aside = true;
	++*losses;
}

static void
open_store(struct spool *s)
{
	struct opened how;
	s->files.store = store_open(s->directory, s->boot, &how);
	note_opened(&how, s->now.store_error, sizeof(s->now.store_error), &s->now.store_aside,
		&s->now.store_losses);
	if (s->files.store && s->is_synced)
		store_synced(s->files.store, s->offset_ms);
}

static void
open_backlog(struct spool *s)
{
	struct opened how;
	s->files.backlog = backlog_open(s->directory, s->boot, s->max_bytes, &how);
	note_opened(&how, s->now.backlog_error, sizeof(s->now.backlog_error), &s->now.backlog_aside,
		&s->now.backlog_losses);
	if (s->files.backlog && s->is_synced)
		backlog_synced(s->files.backlog, s->offset_ms);
}

static void
open_missing(struct spool *s)
{
	int holder = 0, rc = lock_directory(s, &holder);
	s->retry_us = clock_mono_us() + RETRY_US;
	if (rc == 0) {
		if (!s->files.store)
			open_store(s);
		if (!s->files.backlog)
			open_backlog(s);
		return;
	}
	char error[160];
	if (rc == -EBUSY)
		snprintf(error, sizeof(error), "%.100s: held by process %d", s->directory, holder);
	else
		snprintf(error, sizeof(error), "%.100s: %s", s->directory, strerror(-rc));
	memcpy(s->now.store_error, error, sizeof(error));
	memcpy(s->now.backlog_error, error, sizeof(error));
}

static void
close_store(struct spool *s)
{
	s->now.store_losses += store_is_corrupt(s->files.store);
	s->now.store_aside |= store_is_corrupt(s->files.store);
	store_close(s->files.store);
	s->files.store = NULL;
}

static void
close_backlog(struct spool *s)
{
	s->now.backlog_losses += backlog_is_corrupt(s->files.backlog);
	s->now.backlog_aside |= backlog_is_corrupt(s->files.backlog);
	backlog_close(s->files.backlog);
	s->files.backlog = NULL;
}

/* ---- health ---------------------------------------------------------------------------------- */

static void
look_aside(struct spool *s)
{
	int64_t now_us = clock_mono_us();
	if (now_us < s->look_us)
		return;
	s->look_us = now_us + LOOK_US;
	s->now.store_aside = database_has_aside(s->directory, "state.db");
	s->now.backlog_aside = database_has_aside(s->directory, "spool.db");
}

static void
tell(struct spool *s)
{
	look_aside(s);
	pthread_mutex_lock(&s->lock);
	s->told = s->now;
	pthread_mutex_unlock(&s->lock);
}

void
spool_health(struct spool *s, struct spool_health *out)
{
	pthread_mutex_lock(&s->lock);
	*out = s->told;
	pthread_mutex_unlock(&s->lock);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

/* What a job told one of the files, both are to know, and those that come after them. */
static void
learn_offset(struct spool *s)
{
	int64_t offset_ms;
	struct spool_files *f = &s->files;
	if ((f->store && store_is_synced(f->store, &offset_ms)) ||
		(f->backlog && backlog_is_synced(f->backlog, &offset_ms))) {
		s->is_synced = true;
		s->offset_ms = offset_ms;
	}
}

/* A corrupt file is begun anew at once, one that fails in another way is opened again later. */
static void
after_job(struct spool *s)
{
	struct spool_files *f = &s->files;
	bool again = false;
	learn_offset(s);
	if (f->store) {
		again |= store_is_corrupt(f->store);
		snprintf(s->now.store_error, sizeof(s->now.store_error), "%s",
			store_error(f->store));
	}
	if (f->backlog) {
		again |= backlog_is_corrupt(f->backlog);
		snprintf(s->now.backlog_error, sizeof(s->now.backlog_error), "%s",
			backlog_error(f->backlog));
	}
	if (f->store && store_is_corrupt(f->store))
		close_store(s);
	if (f->backlog && backlog_is_corrupt(f->backlog))
		close_backlog(s);
	if (again)
		open_missing(s);
}

/* A full disk is no reason to open a file anew, which may then fail; a disk that was away is. */
static bool
is_broken(int failure)
{
	return failure < 0 && failure != -ENOSPC && failure != -ENOMEM;
}

static void
before_job(struct spool *s)
{
	struct spool_files *f = &s->files;
	if (clock_mono_us() < s->retry_us)
		return;
	if (f->store && is_broken(store_failure(f->store)))
		close_store(s);
	if (f->backlog && is_broken(backlog_failure(f->backlog)))
		close_backlog(s);
	if (!f->store || !f->backlog)
		open_missing(s);
}

static void
promise(struct spool *s, int64_t within_us)
{
	atomic_store_explicit(&s->due_us, clock_mono_us() + within_us, memory_order_relaxed);
}

static void
run_job(struct spool *s, struct spool_job *job)
{
	promise(s, JOB_US);
	before_job(s);
	job->run(job, &s->files);
	after_job(s);
	tell(s);
	mailbox_post(s->inbox, &job->mail);
}

static void
wake(void *arg)
{
	struct spool *s = arg;
	uint64_t one = 1;
	ssize_t rc = write(s->wake_fd, &one, sizeof(one));
	(void)rc; /* full means awake */
}

static void
wait_for_job(struct spool *s)
{
	uint64_t count;
	struct pollfd fd = {.fd = s->wake_fd, .events = POLLIN};
	promise(s, IDLE_US);
	if (poll(&fd, 1, IDLE_US / 1000) > 0 && read(s->wake_fd, &count, sizeof(count)) < 0)
		count = 0; /* somebody was faster */
}

static void
run_jobs(struct spool *s, struct mail *list)
{
	while (list) {
		struct spool_job *job = (struct spool_job *)list;
		list = list->next;
		run_job(s, job);
	}
}

static void *
run(void *arg)
{
	struct spool *s = arg;
	atomic_store(&s->tid, gettid());
	for (;;) {
		bool stopping = atomic_load(&s->stop); /* what is posted after it is not run */
		struct mail *list = mailbox_take(&s->jobs);
		if (!list && stopping)
			return NULL;
		if (!list)
			wait_for_job(s);
		run_jobs(s, list);
	}
}

/* ---- from the loop --------------------------------------------------------------------------- */

static struct spool *
create(const struct spool_config *c, struct mailbox *inbox)
{
	struct spool *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->directory = strdup(c->directory);
	s->boot = strdup(c->boot);
	s->max_bytes = c->max_bytes;
	s->inbox = inbox;
	s->lock_fd = -1;
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&s->lock, NULL);
	mailbox_init(&s->jobs, wake, s);
	if (s->directory && s->boot && s->wake_fd >= 0)
		return s;
	spool_destroy(s);
	return NULL;
}

struct spool *
spool_open(const struct spool_config *c, struct mailbox *inbox, int *holder)
{
	struct spool *s = create(c, inbox);
	*holder = 0;
	if (!s)
		return NULL;
	if (lock_directory(s, holder) == -EBUSY) {
		spool_destroy(s);
		return NULL;
	}
	open_missing(s);
	learn_offset(s);
	tell(s);
	return s;
}

struct spool_files *
spool_files(struct spool *s)
{
	return &s->files;
}

int
spool_start(struct spool *s)
{
	sigset_t all, before;
	sigfillset(&all);
	promise(s, IDLE_US);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop thread's */
	int rc = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc == 0) {
		pthread_setname_np(s->thread, "spool");
		s->running = true;
	}
	return -rc;
}

void
spool_post(struct spool *s, struct spool_job *job)
{
	job->mail.kind = MAIL_SPOOL;
	mailbox_post(&s->jobs, &job->mail);
}

/* State D of /proc/PID/stat, proc_pid_stat(5): "waiting in uninterruptible disk sleep". */
static bool
waits_for_disk(const struct spool *s)
{
	char path[64], line[128] = "";
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", atomic_load(&s->tid));
	FILE *f = fopen(path, "re");
	if (f && !fgets(line, sizeof(line), f))
		line[0] = '\0';
	if (f)
		fclose(f);
	const char *name_end = strrchr(line, ')');
	return name_end && strncmp(name_end, ") D", 3) == 0;
}

bool
spool_is_late(struct spool *s, int64_t by_us)
{
	if (clock_mono_us() - atomic_load(&s->due_us) < by_us)
		return false;
	if (!waits_for_disk(s))
		return true;
	promise(s, JOB_US);
	return false;
}

bool
spool_stop(struct spool *s, int64_t deadline_us)
{
	if (!s->running) { /* it never came to its start: then here */
		run_jobs(s, mailbox_take(&s->jobs));
		return true;
	}
	atomic_store(&s->stop, true);
	wake(s);
	if (!join_until(s->thread, deadline_us))
		return false;
	s->running = false;
	return true;
}

void
spool_destroy(struct spool *s)
{
	if (!s)
		return;
	store_close(s->files.store);
	backlog_close(s->files.backlog);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	mailbox_finish(&s->jobs);
	pthread_mutex_destroy(&s->lock);
	free(s->directory);
	free(s->boot);
	free(s);
}
