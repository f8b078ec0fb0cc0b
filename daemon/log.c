/* SPDX-License-Identifier: MIT */
/* log.c -- one write(2) per line, so that lines of several threads never mix */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum log_level threshold = LOG_LEVEL_INFO;

static const struct {
	const char *word;
	const char *prefix; /* syslog(3) priority for the journal */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", "<3>"},
	[LOG_LEVEL_WARNING] = {"warning", "<4>"},
	[LOG_LEVEL_INFO] = {"info", "<6>"},
	[LOG_LEVEL_DEBUG] = {"debug", "<7>"},
};

void
log_set_level(enum log_level level)
{
	threshold = level;
}

bool
log_parse_level(const char *word, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(word, levels[i].word) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

bool
log_enabled(enum log_level level)
{
	return level <= threshold;
}

static void __attribute__((format(printf, 2, 0)))
log_line(enum log_level level, const char *fmt, va_list args)
{
	char line[1024];
	if (!log_enabled(level))
		return;
	/* JOURNAL_STREAM is set by systemd when stderr goes to the journal (systemd.exec(5)). */
	const char *prefix = getenv("JOURNAL_STREAM") ? levels[level].prefix : "";
	int n = snprintf(line, sizeof(line), "%slabpulsed: ", prefix);
	if (!*prefix && level <= LOG_LEVEL_WARNING)
		n += snprintf(line + n, sizeof(line) - (size_t)n, "%s: ", levels[level].word);
	int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, args);
	if (m < 0)
		return;
	size_t len = (size_t)n + (size_t)m;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	/* what a peer said must not forge a line, nor talk to the terminal */
	for (size_t i = (size_t)n; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7F)
			line[i] = ' ';
	line[len++] = '\n';
	ssize_t rc = write(STDERR_FILENO, line, len);
	(void)rc; /* nowhere left to complain */
}

#define LOG_FUNCTION(name, level)                                                                  \
	void name(const char *fmt, ...)                                                            \
	{                                                                                          \
		va_list args;                                                                      \
		va_start(args, fmt);                                                               \
		log_line(level, fmt, args);                                                        \
		va_end(args);                                                                      \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
