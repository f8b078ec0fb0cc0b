/* SPDX-License-Identifier: MIT */
/* device_talk.c -- what drivers of serial and HID devices call: questions, lines, conclusions */
#include "drivers/device_impl.h"

#include "drivers/decode.h"
#include "drivers/link_impl.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

int
device_timeout_ms(const struct device *dev)
{
	return dev->timeout_ms;
}

int64_t
device_now_ms(const struct device *dev)
{
	return link_now_us(dev->link) / 1000;
}

bool
device_was_reset(const struct device *dev)
{
	return link_resets(dev->link);
}

void
device_set_status(struct device *dev, const struct status *status)
{
	dev->status = *status;
}

/* Of the character at s, 0 if there is none that can be printed (C0 and C1 cannot). */
static size_t
printable_length(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;

	if (u[0] < 0x20 || u[0] == 0x7F || (u[0] == 0xC2 && u[1] < 0xA0))
		return 0;
	return decode_utf8_length(u, strlen(s));
}

void
device_set_job_name(struct device *dev, const char *name)
{
	size_t n = 0, len;

	for (; *name; name += len > 0 ? len : 1) {
		len = printable_length(name);
		if (n + len + 1 > sizeof(dev->job_name))
			break;
		memcpy(dev->job_name + n, name, len);
		n += len;
	}
	dev->job_name[n] = '\0';
}

void
device_set_identity(struct device *dev, const char *identity)
{
	size_t n = 0;

	for (; *identity && n + 1 < sizeof(dev->identity); identity++) {
		if (isprint((unsigned char)*identity))
			dev->identity[n++] = *identity;
	}
	dev->identity[n] = '\0';
}

void
device_report_int(struct device *dev, unsigned point, int64_t v)
{
	device_report(dev, point, &(struct value){.kind = VALUE_INT, .u.i = v});
}

void
device_report_real(struct device *dev, unsigned point, double v, unsigned decimals)
{
	device_report(dev, point,
		&(struct value){.kind = VALUE_REAL, .decimals = (uint8_t)decimals, .u.num = v});
}

void
device_report_bool(struct device *dev, unsigned point, bool v)
{
	device_report(dev, point, &(struct value){.kind = VALUE_BOOL, .u.b = v});
}

void
device_report_word(struct device *dev, unsigned point, const char *word)
{
	device_report(dev, point, &(struct value){.kind = VALUE_ENUM, .u.s = word});
}

int
device_ask(struct device *dev, unsigned query)
{
	int rc = link_send(dev->link, query);

	if (rc == 0) {
		dev->stats.requests++;
		dev->asked_us = link_now_us(dev->link);
	}
	return rc;
}

static void
note_arrival(struct device *dev)
{
	dev->arrived_ms = link_real_ms();
	dev->stats.last_answer_mono_us = link_mono_us();
	if (!dev->asked_us)
		return;
	dev->stats.answers++;
	device_latency_add(dev, (int)(link_now_us(dev->link) - dev->asked_us));
	dev->asked_us = 0;
}

int
device_receive(struct device *dev, void *buf, size_t size, int timeout_ms)
{
	int64_t until_us = link_now_us(dev->link) + (int64_t)timeout_ms * 1000;
	int rc;

	if (dev->listening && dev->ear-- <= 0)
		return -ETIMEDOUT;
	rc = link_receive(dev->link, buf, size, until_us);
	if (rc > 0)
		note_arrival(dev);
	return rc;
}

int
device_drain(struct device *dev)
{
	char buf[4096];
	int rc;

	do
		rc = device_receive(dev, buf, sizeof(buf), 0);
	while (rc > 0);
	return rc == -ETIMEDOUT ? 0 : rc;
}

/* A driver that does not listen, or does not know yet whom it talks to, has no use for it. */
int
device_listen(struct device *dev)
{
	enum { EAR = 256 };
	int rc;

	dev->ear = EAR;
	dev->listening = true;
	rc = dev->driver->listen && dev->identified ? dev->driver->listen(dev) : device_drain(dev);
	dev->listening = false;
	return rc == 0 && dev->ear <= 0 ? -EAGAIN : rc;
}
