/* SPDX-License-Identifier: MIT */
/* payload_impl.h -- what every payload begins and ends with; for payload*.c only */
#ifndef DAEMON_PAYLOAD_IMPL_H
#define DAEMON_PAYLOAD_IMPL_H

#include "config/json.h"
#include "daemon/payload.h"

/* Opens the object and writes the envelope. */
void payload_begin(struct json *j, char *buf, size_t size, const struct envelope *e);
size_t payload_finish(struct json *j);
/* The languages that there are, as an object. */
void payload_texts(struct json *j, const char *key, const struct text *t);

#endif
