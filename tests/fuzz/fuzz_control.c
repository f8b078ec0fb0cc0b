/* SPDX-License-Identifier: MIT */
/* fuzz_control.c -- whatever a local program may write to the control socket, cut anywhere
 *
 * The first byte chooses the pieces in which the rest is written (its low bits), and whether a line
 * that is far too long goes before it (its highest). Each line gets one answer, a line of JSON that
 * says ok or not; a line that is too long ends the connection.
 */
#include "tests/fuzz/world.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { TOO_LONG = 70000, ROOM = 9 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __wrap_poller_run_job(struct poller *p, struct line_job *job);

static struct line_job *line_jobs;

void
__wrap_poller_run_job(struct poller *p, struct line_job *job)
{
	assert(p);
	job->next = line_jobs;
	line_jobs = job;
}

static void
world_published(const struct message *m)
{
	assert(strncmp(m->topic, "parks/p/", 8) == 0);
}

/* The lines go away under the jobs. */
static void
end_line_jobs(void)
{
	while (line_jobs) {
		struct line_job *job = line_jobs;

		line_jobs = job->next;
		job->rc = -ECANCELED;
		control_job_done(world.gateway, job);
	}
}

static int
dial(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), holder;

	assert(fd >= 0 && control_start(world.gateway, &holder) == 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", world.gateway->config->control);
	assert(connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	loop_run_once(world.gateway->loop, 0);
	return fd;
}

static char answers[ROOM];
static size_t n_answered;

/* Everything that has to be said is said. True: the connection still stands. */
static bool
listen_to(int fd)
{
	ssize_t n = 1;

	for (int quiet = 0; quiet<2; quiet = n> 0 ? 0 : quiet + 1) {
		loop_run_once(world.gateway->loop, 0);
		end_line_jobs();
		world_settle();
		n = recv(fd, answers + n_answered, ROOM - n_answered, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return false;
		n_answered += n > 0 ? (size_t)n : 0;
	}
	return true;
}

static size_t
check_answers(void)
{
	size_t n = 0;

	for (char *at = answers, *end = answers + n_answered; at < end; n++) {
		char *nl = memchr(at, '\n', (size_t)(end - at));
		json_t *root = nl ? json_loadb(at, (size_t)(nl - at), 0, NULL) : NULL;

		assert(json_is_boolean(json_object_get(root, "ok")));
		assert(json_is_true(json_object_get(root, "ok")) ==
			(json_object_get(root, "result") != NULL));
		json_decref(root);
		at = nl + 1;
	}
	return n;
}

/* Writes what there is room for; the number of complete lines of it. */
static size_t
say(int fd, const char *bytes, size_t len)
{
	ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
	size_t lines = 0;

	for (ssize_t i = 0; i < n; i++)
		lines += bytes[i] == '\n';
	return lines;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char blanks[TOO_LONG];
	size_t asked = 0, piece = size ? 1 + (size_t)(data[0] & 0x7F) * (data[0] & 0x7F) : 1;

	if (size < 2)
		return 0;
	world_create();
	int fd = dial();
	bool up = true, too_long = data[0] & 0x80;
	n_answered = 0;
	for (size_t i = 1; i < size && up; i += piece) {
		size_t left = size - i;

		asked += say(fd, (const char *)data + i, left < piece ? left : piece);
		up = listen_to(fd);
	}
	assert(up && check_answers() == asked);
	for (int i = 0; too_long && up && i < 4; i++) {
		say(fd, blanks, sizeof(blanks));
		up = listen_to(fd);
	}
	assert(up != too_long);
	close(fd);
	loop_run_once(world.gateway->loop, 0);
	control_stop(world.gateway);
	world_settle();
	world_destroy();
	return 0;
}
