/* SPDX-License-Identifier: MIT */
/* terminal.c -- the whole screen, for as long as a program shows something on it */
#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* DEC private modes 1049 (alternate screen) and 25 (cursor), as terminfo's smcup, rmcup, civis and
 * cnorm have them for every terminal in use. */
#define ENTER "\033[?1049h\033[?25l\033[2J"
#define LEAVE "\033[0m\033[?25h\033[?1049l"

static volatile sig_atomic_t ended_by, resized;
static volatile sig_atomic_t entered;
static bool has_keys, key_ended;
static struct termios before;

static void
on_signal(int number)
{
	if (number == SIGWINCH)
		resized = 1;
	else
		ended_by = number;
}

void
terminal_size(size_t *columns, size_t *lines)
{
	struct winsize size = {.ws_col = 0};
	bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row;
	*columns = known ? size.ws_col : 80; /* a serial console does not say */
	*lines = known ? size.ws_row : 24;
}

static void
say(const char *text)
{
	while (write(STDOUT_FILENO, text, strlen(text)) < 0 && errno == EINTR)
		;
}

/* Single keys, unseen; Ctrl-C stays a signal. */
static void
take_keys(void)
{
	struct termios raw;

	has_keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
	if (!has_keys)
		return;
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	has_keys = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

static void
show(void)
{
	take_keys();
	say(ENTER);
	entered = true;
}

void
terminal_leave(void)
{
	if (!entered)
		return;
	entered = false;
	say(LEAVE);
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

/* Ctrl-Z: the shell gets its screen; `fg` goes on behind sigprocmask(). Everything called here may
 * be called from a signal handler (signal-safety(7)). */
static void
on_stop(int number)
{
	int error = errno;
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, number);
	terminal_leave();
	signal(number, SIG_DFL);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &stop, NULL); /* it is blocked in its own handler: stops here */
	sigaction(number, &(struct sigaction){.sa_handler = on_stop}, NULL);
	show();
	resized = 1;
	errno = error;
}

void
terminal_enter(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};
	struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: waiting ends */

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaction(signals[i], &action, NULL);
	sigaction(SIGTSTP, &(struct sigaction){.sa_handler = on_stop}, NULL);
	show();
	atexit(terminal_leave);
}

void
terminal_wait(int timeout_ms)
{
	struct pollfd fd = {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN};
	char keys[64];

	if (ended_by || resized || poll(&fd, 1, timeout_ms) <= 0 || !fd.revents)
		return;
	ssize_t n = read(STDIN_FILENO, keys, sizeof keys);
	if (n <= 0) /* the terminal is gone */
		has_keys = false;
	for (ssize_t i = 0; i < n; i++)
		key_ended |= keys[i] == 'q' || keys[i] == 'Q';
}

bool
terminal_is_over(void)
{
	return ended_by || key_ended;
}

bool
terminal_was_resized(void)
{
	bool was = resized;

	resized = 0;
	return was;
}

int
terminal_signal(void)
{
	return ended_by;
}
