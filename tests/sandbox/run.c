/* SPDX-License-Identifier: MIT */
/* run.c -- starts the program of its own name in real/ under the filter NAME.bpf beside it
 *
 * BUILD/sandbox/labpulsed is this; the tests start it without knowing. No privilege is needed
 * (seccomp(2), NO_NEW_PRIVS). A forbidden call ends the process with SIGSYS; `strace -f` names it.
 */
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { NOT_STARTED = 70 };

static struct sock_filter code[BPF_MAXINSNS];

static int
fail(const char *what)
{
	fprintf(stderr, "sandbox: %s: %s\n", what, strerror(errno));
	return NOT_STARTED;
}

static int
load(const char *path)
{
	FILE *file = fopen(path, "rbe");
	size_t n = file ? fread(code, sizeof(code[0]), BPF_MAXINSNS, file) : 0;
	const struct sock_fprog program = {.len = (unsigned short)n, .filter = code};

	if (file)
		fclose(file);
	if (n == 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int
main(int argc, char **argv)
{
	char self[PATH_MAX / 4], filter[PATH_MAX], real[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	(void)argc;
	if (len < 0)
		return fail("/proc/self/exe");
	self[len] = '\0';
	char *name = strrchr(self, '/') + 1;
	snprintf(filter, sizeof(filter), "%s.bpf", self);
	snprintf(real, sizeof(real), "%.*sreal/%s", (int)(name - self), self, name);
	if (load(filter) < 0)
		return fail(filter);
	execv(real, argv);
	return fail(real);
}
