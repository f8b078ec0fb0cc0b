/* SPDX-License-Identifier: MIT */
/* loop.h -- the event loop; the only <uv.h>
 *
 * Everything here belongs to the loop thread except loop_wake(). Errors are -errno.
 */
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct loop_client;

/* `woken`: called after loop_wake(), once for any number of calls. NULL: out of memory. */
struct loop *loop_create(void (*woken)(void *arg), void *arg);
/* Calls back every `ms`, for the first time after `ms`. */
int loop_every(struct loop *l, int64_t ms, void (*tick)(void *arg), void *arg);
int loop_signal(struct loop *l, int signum, void (*cb)(void *arg, int signum), void *arg);
/* Calls back when `fd` is readable, until loop_unwatch(), which must come before close(2). */
int loop_watch(struct loop *l, int fd, void (*readable)(void *arg), void *arg);
void loop_unwatch(struct loop *l, int fd);

/* A UNIX stream socket, one line a request. `line` is NUL-terminated, without the newline, and
 * may be changed; `closed`: the peer has gone, nothing may be sent any more. */
struct loop_server {
	void (*line)(void *arg, struct loop_client *c, char *line, size_t len);
	void (*closed)(void *arg, struct loop_client *c);
	void *arg;
	size_t max_line, max_clients;
};
int loop_listen(struct loop *l, const char *path, unsigned mode, const struct loop_server *server);
/* Closes the listening socket and its clients, and removes the path. */
void loop_unlisten(struct loop *l);
/* Copies and sends; what does not fit into 4 MiB unsent closes the client. */
void loop_send(struct loop_client *c, const char *data, size_t len);
void *loop_client_data(const struct loop_client *c);
void loop_client_set_data(struct loop_client *c, void *data);

void loop_run(struct loop *l); /* until loop_stop() */
void loop_stop(struct loop *l);
/* Runs what is ready, waits up to `ms` for it; for the time after loop_run(). */
void loop_run_once(struct loop *l, int64_t ms);
void loop_wake(void *loop); /* any thread */
/* Closes all handles; 0, or -EBUSY if one is left, which is a bug. NULL is fine. */
int loop_destroy(struct loop *l);

#endif
