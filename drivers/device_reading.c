/* SPDX-License-Identifier: MIT */
/* device_reading.c -- what one poll brings: its requests, their answers, a reason for the rest */
#include "drivers/device_impl.h"

#include "drivers/decode.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

static size_t
text_room(const struct device *dev)
{
	size_t room = 0;

	for (size_t i = 0; i < dev->n_points; i++) {
		if (!dev->wanted[i])
			continue;
		if (!dev->profile)
			room += dev->driver->points[i].kind == VALUE_STRING ? DEVICE_TEXT_MAX : 0;
		else if (dev->profile->points[i].type == REG_STRING)
			room += 2u * dev->profile->points[i].count + 1;
	}
	return room;
}

struct reading *
reading_create(const struct device *dev)
{
	struct reading *r = calloc(1, sizeof(*r));
	size_t most = 1, n;

	if (!r)
		return NULL;
	for (unsigned g = 0; g < dev->n_groups; g++) {
		device_group_points(dev, g, &n);
		most = n > most ? n : most;
	}
	r->text_cap = text_room(dev);
	r->values = calloc(most, sizeof(*r->values));
	r->text = calloc(1, r->text_cap + 1);
	if (!r->values || !r->text) {
		reading_destroy(r);
		return NULL;
	}
	return r;
}

void
reading_destroy(struct reading *r)
{
	if (!r)
		return;
	free(r->values);
	free(r->text);
	free(r);
}

static struct value *
value_of(const struct device *dev, unsigned point)
{
	if (!dev->out || dev->slot[point] == DEVICE_NO_SLOT ||
		device_point(dev, point)->group != dev->group)
		return NULL;
	return &dev->out->values[dev->slot[point]];
}

bool
device_is_reported(const struct device *dev, unsigned point)
{
	const struct value *v = value_of(dev, point);

	return !v || v->kind != VALUE_NONE || v->fail != FAIL_NONE;
}

void
device_report(struct device *dev, unsigned point, const struct value *value)
{
	struct value *v = value_of(dev, point);

	if (v)
		*v = *value;
}

void
device_report_fail(struct device *dev, unsigned point, enum fail fail, unsigned exception)
{
	struct value v = {
		.kind = VALUE_NONE, .fail = (uint8_t)fail, .exception = (uint8_t)exception};

	device_report(dev, point, &v);
}

void
device_report_text(struct device *dev, unsigned point, const char *text)
{
	struct reading *out = dev->out;
	size_t n = 0;

	if (!value_of(dev, point) || out->text_len + DEVICE_TEXT_MAX > out->text_cap)
		return;
	char *to = out->text + out->text_len;
	for (; *text && n < DEVICE_TEXT_MAX - 1; text++) {
		if (isprint((unsigned char)*text))
			to[n++] = *text;
	}
	to[n] = '\0';
	out->text_len += n + 1;
	device_report(dev, point, &(struct value){.kind = VALUE_STRING, .u.s = to});
}

static bool
is_needed(const struct device *dev, const struct plan_request *r)
{
	for (size_t i = 0; i < r->n_points; i++) {
		if (!device_is_reported(dev, r->points[i]))
			return true;
	}
	return false;
}

bool
device_request(struct device *dev, unsigned group, struct request *req)
{
	size_t first, n;

	if (dev->over || dev->budget <= 0 || (dev->dirty && device_replan(dev) < 0))
		return false;
	first = dev->plan->group_first[group];
	n = dev->plan->group_first[group + 1] - first;
	while (dev->next < n) {
		size_t k = first + (dev->groups[group].start + dev->next++) % n;

		if (is_needed(dev, &dev->plan->requests[k])) {
			*req = dev->plan->requests[k].req;
			dev->budget--;
			return true;
		}
	}
	return false;
}

static void
show_raw(const struct device *dev, const struct block *block, unsigned point)
{
	const struct reg_point *p = &dev->profile->points[point];
	unsigned at = p->address - block->req->address;

	if (p->address >= block->req->address && at + p->count <= block->req->count)
		dev->watcher(dev->watcher_arg, point, block->words + at, p->count);
}

void
device_answer(struct device *dev, const struct request *req, const uint16_t *words)
{
	const struct plan_request *r = &dev->plan->requests[req->index];
	struct block block = {.profile = dev->profile, .req = req, .words = words};
	struct text_room room = {
		.bytes = dev->out->text, .len = dev->out->text_len, .cap = dev->out->text_cap};

	for (size_t i = 0; i < r->n_points; i++) {
		struct value *v = value_of(dev, r->points[i]);

		if (!v)
			continue;
		if (dev->watcher)
			show_raw(dev, &block, r->points[i]);
		decode_point(&block, r->points[i], &room, v);
	}
	dev->out->text_len = room.len;
	device_proved(dev, r);
}

static void
fail_request(struct device *dev, const struct plan_request *r, enum fail fail, unsigned exception)
{
	dev->last_fail = (uint8_t)fail;
	dev->last_exception = (uint8_t)exception;
	for (size_t i = 0; i < r->n_points; i++) {
		if (!device_is_reported(dev, r->points[i]))
			device_report_fail(dev, r->points[i], fail, exception);
	}
}

static void
refuse_exception(struct device *dev, const struct plan_request *r, unsigned exception)
{
	switch (exception) {
	case 1:
		device_give_up(dev, r);
		break;
	case 2:
	case 3:
		dev->last_fail = FAIL_EXCEPTION;
		dev->last_exception = (uint8_t)exception;
		device_learn(dev, r, exception);
		break;
	case 10: /* the gateway, or its way to the unit: more requests would meet the same */
	case 11:
		dev->over = true;
		fail_request(dev, r, FAIL_EXCEPTION, exception);
		break;
	default:
		fail_request(dev, r, FAIL_EXCEPTION, exception);
		break;
	}
}

/* After a time-out the unit has to be left alone, so the poll ends; the next one begins behind
 * this request, which then comes last: a block that is never answered starves no other. */
void
device_refuse(struct device *dev, const struct request *req, int rc, unsigned exception)
{
	const struct plan_request *r = &dev->plan->requests[req->index];

	if (exception > 0) {
		refuse_exception(dev, r, exception);
		return;
	}
	fail_request(dev, r, device_fail(rc), 0);
	if (rc == -ETIMEDOUT) {
		size_t first = dev->plan->group_first[dev->group];
		size_t n = dev->plan->group_first[dev->group + 1] - first;

		dev->groups[dev->group].start = (uint16_t)((req->index - first + 1) % n);
	}
	if (rc == -ETIMEDOUT || rc == -ECANCELED || !link_is_open(dev->link))
		dev->over = true;
}
