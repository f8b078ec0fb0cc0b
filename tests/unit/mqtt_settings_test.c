/* SPDX-License-Identifier: MIT */
/* mqtt_settings_test.c -- the password is the first line of its file, or there is none */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/mqtt_settings.h"

static void
test_password(void **state)
{
	static const struct {
		const char *text, *password;
	} files[] = {{"right\n", "right"}, {"right", "right"}, {"right\r\nmore\n", "right"},
		{"\n", ""}, {"", ""}, {" a b \n", " a b "}};
	char path[] = "/tmp/mqtt_settings_test.XXXXXX", password[64];
	struct mqtt_config c = {.password_file = path};
	int fd = mkstemp(path);
	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		size_t len = strlen(files[i].text);
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, files[i].text, len, 0), len);
		assert_int_equal(mqtt_password(&c, password, sizeof(password)), 1);
		assert_string_equal(password, files[i].password);
	}
	close(fd);
	unlink(path);
	assert_int_equal(mqtt_password(&c, password, sizeof(password)), -ENOENT);
	c.password_file = "/tmp"; /* can be opened, and not read */
	assert_true(mqtt_password(&c, password, sizeof(password)) < 0);
	unsetenv("CREDENTIALS_DIRECTORY");
	c.password_file = NULL;
	assert_int_equal(mqtt_password(&c, password, sizeof(password)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_password)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
