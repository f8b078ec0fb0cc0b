/* SPDX-License-Identifier: MIT */
/* cli.h -- what the commands of `labpulse` share: exit codes, options, messages */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The same for all programs; systemd and scripts rely on them. */
enum cli_exit {
	CLI_FINE = 0,
	CLI_OTHER = 1,
	CLI_USAGE = 64,
	CLI_SILENT = 69, /* nothing answered */
	CLI_HELD = 75,   /* held by another process */
	CLI_DENIED = 77,
	CLI_CONFIG = 78
};

enum cli_option_kind { CLI_TEXT, CLI_INT, CLI_DURATION_MS, CLI_FLAG, CLI_LIST };

enum { CLI_LIST_MAX = 16 };

/* Of an option that may be repeated; where no other words are taken, "--x A B" is "--x A --x B". */
struct cli_list {
	const char *items[CLI_LIST_MAX];
	size_t n;
};

struct cli_option {
	const char *name; /* "--json" */
	enum cli_option_kind kind;
	void *target; /* const char **, int *, int *, bool *, struct cli_list * */
	const char *help;
};

struct cli_usage {
	const char *synopsis; /* "labpulse peek BUS UNIT TABLE ADDRESS [COUNT] [options]" */
	const char *about;    /* a sentence or two */
	const struct cli_option *options; /* ends with {0} */
	int min_words, max_words;
};

/* Sorts argv[1..] into options and words; words[] takes max_words. Returns their number; or
 * -1 - EXIT after it printed help (to stdout) or what is wrong (to stderr): see cli_exit_of(). */
int cli_parse(int argc, char **argv, const struct cli_usage *usage, const char **words);
/* The exit code in what cli_parse() returned. */
int cli_exit_of(int parsed);
/* "PROGRAM: ..." on stderr; returns `code`. */
int cli_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The exit code that a -errno of a link or a file means. */
int cli_exit_for(int rc);

/* Milliseconds that only grow. */
int64_t cli_now_ms(void);

/* One for each command: argv[0] is its name. Returns the exit code. */
int cmd_accept(int argc, char **argv);
int cmd_ack(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_learn(int argc, char **argv);
int cmd_maintenance(int argc, char **argv);
int cmd_peek(int argc, char **argv);
int cmd_read(int argc, char **argv);
int cmd_scan(int argc, char **argv);
int cmd_simulate(int argc, char **argv);
int cmd_spool(int argc, char **argv);
int cmd_test_alarm(int argc, char **argv);
int cmd_usage(int argc, char **argv);
int cmd_watch(int argc, char **argv);

#endif
