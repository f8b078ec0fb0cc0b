/* SPDX-License-Identifier: MIT */
/* json.h -- writes JSON straight into a buffer that the caller owns
 *
 * A writer that ran out of room stays failed; nothing is written past the end. Any thread.
 */
#ifndef CONFIG_JSON_H
#define CONFIG_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct value;

struct json {
	char *buf;
	size_t size, len;
	bool failed;
	bool comma; /* the next item needs one before it */
};

void json_init(struct json *j, char *buf, size_t size);
/* Keys are written as they are: they must need no escaping. NULL key: an element of an array. */
void json_open(struct json *j, const char *key, char bracket);        /* '{' or '[' */
void json_close(struct json *j, char bracket);                        /* '}' or ']' */
void json_put_string(struct json *j, const char *key, const char *s); /* NULL s: null */
void json_put_int(struct json *j, const char *key, int64_t i);
void json_put_uint(struct json *j, const char *key, uint64_t u);
void json_put_real(struct json *j, const char *key, double d, int decimals); /* not finite: null */
void json_put_bool(struct json *j, const char *key, bool b);
void json_put_null(struct json *j, const char *key);
void json_put_value(struct json *j, const char *key, const struct value *v); /* none: null */
/* JSON that is ready. */
void json_put_text(struct json *j, const char *key, const char *text, size_t len);
/* Ends the text with NUL. Its length, or 0 if it did not fit. */
size_t json_end(struct json *j);

#endif
