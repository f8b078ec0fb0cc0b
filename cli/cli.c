/* SPDX-License-Identifier: MIT */
/* cli.c -- what the commands of `labpulse` share: exit codes, options, messages */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "config/scalar.h"

int
cli_fail(int code, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

int
cli_exit_for(int rc)
{
	switch (-rc) {
	case 0:
		return CLI_FINE;
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ECONNREFUSED:
	case ECONNRESET:
	case EBADMSG:
	case EPROTO:
	case ENXIO:
		return CLI_SILENT;
	case EBUSY:
		return CLI_HELD;
	case EACCES:
	case EPERM:
		return CLI_DENIED;
	default:
		return CLI_OTHER;
	}
}

static void
print_help(const struct cli_usage *usage)
{
	enum { LEFT = 24 };

	printf("usage: %s\n\n%s\n", usage->synopsis, usage->about);
	for (const struct cli_option *o = usage->options; o->name; o++) {
		static const char *const values[] = {[CLI_TEXT] = " VALUE",
			[CLI_INT] = " N",
			[CLI_DURATION_MS] = " VALUE",
			[CLI_FLAG] = "",
			[CLI_LIST] = " VALUE..."};
		char left[48];
		int n = snprintf(left, sizeof left, "%s%s", o->name, values[o->kind]);
		const char *gap = n > LEFT ? "\n" : ""; /* a long one has a line of its own */
		printf("%s  %-*s%s", o == usage->options ? "\n" : "", LEFT, left, gap);
		printf("%*s%s\n", n > LEFT ? LEFT + 3 : 1, "", o->help);
	}
}

static bool
take_item(struct cli_list *list, const char *text)
{
	if (list->n == CLI_LIST_MAX)
		return false;
	list->items[list->n++] = text;
	return true;
}

static bool
take_value(const struct cli_option *o, const char *text)
{
	int64_t number;

	if (o->kind == CLI_LIST)
		return take_item(o->target, text);
	if (o->kind == CLI_TEXT) {
		*(const char **)o->target = text;
		return true;
	}
	bool ok = o->kind == CLI_INT ? scalar_int(text, &number) : scalar_duration(text, &number);
	if (!ok || number < 0 || number > INT32_MAX)
		return false;
	*(int *)o->target = (int)number;
	return true;
}

static const struct cli_option *
find_option(const struct cli_usage *usage, const char *arg, const char **value)
{
	const char *equals = strchr(arg, '=');
	size_t n = equals ? (size_t)(equals - arg) : strlen(arg);

	*value = equals ? equals + 1 : NULL;
	for (const struct cli_option *o = usage->options; o->name; o++)
		if (strlen(o->name) == n && !strncmp(o->name, arg, n))
			return o;
	return NULL;
}

/* Of an option only its name is repeated: its value may be a password. */
static int
wrong(const char *command, const char *what, const char *arg)
{
	int n = (int)(arg[0] == '-' ? strcspn(arg, "=") : strlen(arg));

	if (strchr(command, '/') || !strcmp(command, program_invocation_short_name))
		return -1 - cli_fail(CLI_USAGE, "%s%.*s; see --help", what, n, arg);
	return -1 - cli_fail(CLI_USAGE, "%s: %s%.*s; see labpulse %s --help", command, what, n, arg,
			    command);
}

int
cli_exit_of(int parsed)
{
	return -1 - parsed;
}

int
cli_parse(int argc, char **argv, const struct cli_usage *usage, const char **words)
{
	bool only_words = false;
	int n = 0;

	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i], *value;
		if (only_words || arg[0] != '-' || !arg[1]) {
			if (n == usage->max_words)
				return wrong(argv[0], "one argument too many: ", arg);
			words[n++] = arg;
			continue;
		}
		if (!strcmp(arg, "--help")) {
			print_help(usage);
			return -1 - CLI_FINE;
		}
		only_words = !strcmp(arg, "--");
		if (only_words)
			continue;
		const struct cli_option *o = find_option(usage, arg, &value);
		if (!o)
			return wrong(argv[0], "unknown option ", arg);
		if (o->kind == CLI_FLAG) {
			if (value)
				return wrong(argv[0], "no value is allowed here: ", arg);
			*(bool *)o->target = true;
			continue;
		}
		if (!value && ++i < argc)
			value = argv[i];
		if (!value || !take_value(o, value))
			return wrong(argv[0], "missing or wrong value of ", o->name);
		while (o->kind == CLI_LIST && !usage->max_words && i + 1 < argc &&
			argv[i + 1][0] != '-')
			if (!take_value(o, argv[++i]))
				return wrong(argv[0], "too many values of ", o->name);
	}
	return n < usage->min_words ? wrong(argv[0], "too few arguments", "") : n;
}

int64_t
cli_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
