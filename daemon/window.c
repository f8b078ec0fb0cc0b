/* SPDX-License-Identifier: MIT */
/* window.c -- mean, maximum or 90th percentile of a value over a window of time */
#include "daemon/window.h"

#include <math.h>
#include <stdlib.h>

/* One more for the value that was there when the window begins, one for rounding. */
enum { ROOM = WINDOW_BUCKETS + 2 };

struct bucket {
	int64_t at_us; /* of the first value in it */
	double sum, max;
	unsigned n;
};

struct window {
	int64_t span_us, last_us; /* last_us: of the youngest value */
	enum statistic stat;
	size_t first, n;
	struct bucket ring[ROOM];
};

struct step {
	double value;
	int64_t us; /* how long it stood */
};

struct window *
window_create(int64_t span_us, enum statistic stat)
{
	struct window *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->span_us = span_us;
	w->stat = stat;
	return w;
}

void
window_destroy(struct window *w)
{
	free(w);
}

static struct bucket *
bucket_at(struct window *w, size_t i)
{
	return &w->ring[(w->first + i) % ROOM];
}

static void
drop_oldest(struct window *w)
{
	w->first = (w->first + 1) % ROOM;
	w->n--;
}

void
window_add(struct window *w, int64_t at_us, double value, int64_t gap_us)
{
	if (w->n && at_us <= w->last_us)
		return;
	if (w->n && at_us - w->last_us > gap_us)
		w->n = 0;
	w->last_us = at_us;
	struct bucket *b = w->n ? bucket_at(w, w->n - 1) : NULL;
	if (b && at_us - b->at_us < w->span_us / WINDOW_BUCKETS) {
		b->sum += value;
		b->max = fmax(b->max, value);
		b->n++;
		return;
	}
	if (w->n == ROOM)
		drop_oldest(w);
	*bucket_at(w, w->n++) = (struct bucket){at_us, value, value, 1};
}

/* What stood in each part of the window, oldest first. */
static size_t
make_steps(struct window *w, int64_t from_us, int64_t now_us, struct step *out)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct bucket *b = bucket_at(w, i);
		int64_t start = b->at_us > from_us ? b->at_us : from_us;
		int64_t end = i + 1 < w->n ? bucket_at(w, i + 1)->at_us : now_us;
		out[i].value = w->stat == STAT_MAX ? b->max : b->sum / b->n;
		out[i].us = end - start;
	}
	return w->n;
}

static int
by_value(const void *a, const void *b)
{
	double x = ((const struct step *)a)->value, y = ((const struct step *)b)->value;

	return (x > y) - (x < y);
}

/* The value that was not exceeded nine tenths of the time. */
static double
percentile_90(struct step *steps, size_t n, int64_t total_us)
{
	int64_t sum_us = 0;
	size_t i = 0;

	qsort(steps, n, sizeof(*steps), by_value);
	for (; i + 1 < n; i++) {
		sum_us += steps[i].us;
		if (sum_us * 10 >= total_us * 9)
			break;
	}
	return steps[i].value;
}

static double
maximum(const struct step *steps, size_t n)
{
	double max = steps[0].value;

	for (size_t i = 1; i < n; i++)
		max = fmax(max, steps[i].value);
	return max;
}

static double
mean(const struct step *steps, size_t n, int64_t total_us)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += steps[i].value * ((double)steps[i].us / (double)total_us);
	return sum;
}

bool
window_value(struct window *w, int64_t now_us, double *out)
{
	struct step steps[ROOM];
	int64_t from_us = now_us - w->span_us;

	while (w->n > 1 && bucket_at(w, 1)->at_us <= from_us)
		drop_oldest(w);
	if (w->n && bucket_at(w, 0)->at_us > from_us)
		from_us = bucket_at(w, 0)->at_us;
	int64_t total_us = now_us - from_us;
	if (!w->n || total_us <= 0 || total_us < w->span_us / 2)
		return false;
	size_t n = make_steps(w, from_us, now_us, steps);
	if (w->stat == STAT_MAX)
		*out = maximum(steps, n);
	else if (w->stat == STAT_P90)
		*out = percentile_90(steps, n, total_us);
	else
		*out = mean(steps, n, total_us);
	return true;
}
