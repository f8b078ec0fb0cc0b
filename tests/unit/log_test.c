/* SPDX-License-Identifier: MIT */
/* log_test.c -- what a peer said can neither forge a line nor talk to the terminal */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/log.h"

static void
test_one_plain_line(void **state)
{
	int ends[2], err = dup(STDERR_FILENO);
	char line[2048];
	(void)state;
	assert_int_equal(pipe(ends), 0);
	unsetenv("JOURNAL_STREAM");
	dup2(ends[1], STDERR_FILENO);
	log_info("machine %s", "a\nb\r\033[2Jc\177d \xD0\xB6");
	dup2(err, STDERR_FILENO);
	close(err);
	close(ends[1]);
	ssize_t n = read(ends[0], line, sizeof(line) - 1);
	close(ends[0]);
	assert_true(n > 0);
	line[n] = '\0';
	assert_string_equal(line, "labpulsed: machine a b  [2Jc d \xD0\xB6\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_plain_line)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
