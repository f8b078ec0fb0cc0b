/* SPDX-License-Identifier: MIT */
/* charger.c -- a lithium pack that is charged in the time that somebody wants to wait for it */
#include "cli/simulate/charger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SECONDS = 60, SECONDS_MAX = 86400, REST_MS = 10000, HOT_C = 80, COLD_C = 25 };
enum { EMPTY_MV = 3600, FULL_MV = 4200, LOW_MV = 3300 };

static double
progress_of(const struct charger *c)
{
	double done = (double)(c->ticked_ms - c->began_ms) / 1000 / c->seconds;

	return done < 1 ? done : 1;
}

static bool
runs(const struct charger *c)
{
	return c->mode == CHARGER_CHARGE || c->mode == CHARGER_DISCHARGE;
}

static void
begin(struct charger *c, int64_t now_ms, enum charger_mode mode, double seconds)
{
	c->mode = mode;
	c->seconds = seconds;
	c->began_ms = c->ended_ms = now_ms;
	c->mah = 0;
}

/* Full current for four fifths of the time, then less and less at full voltage. */
static void
measure(struct charger *c)
{
	double done = runs(c) ? progress_of(c) : 0;

	if (c->mode == CHARGER_CHARGE) {
		double rise = done < 0.8 ? done / 0.8 : 1;
		c->ma = done < 0.8 ? c->most_ma : (int)(c->most_ma * (0.1 + 4.5 * (1 - done)));
		c->cell_mv = EMPTY_MV + (int)((FULL_MV - EMPTY_MV) * rise);
	} else if (c->mode == CHARGER_DISCHARGE) {
		c->ma = -c->most_ma / 2;
		c->cell_mv = FULL_MV - (int)((FULL_MV - LOW_MV) * done);
	} else {
		c->ma = 0;
	}
	if (c->cell_mv == 0)
		c->cell_mv = EMPTY_MV;
}

static void
warm_up(struct charger *c, double step_s)
{
	double to = COLD_C + (c->ma ? 20 : 0);

	c->temp += (to - c->temp) * (step_s < 20 ? step_s / 20 : 1);
	if (c->mode == CHARGER_TOO_HOT || c->temp < COLD_C)
		c->temp = c->mode == CHARGER_TOO_HOT ? HOT_C : COLD_C;
}

static void
end(struct charger *c, enum charger_mode mode)
{
	if (runs(c))
		c->ended_ms = c->ticked_ms;
	c->mode = mode;
}

void
charger_tick(struct charger *c, int64_t now_ms)
{
	double step_s = (double)(now_ms - c->ticked_ms) / 1000;

	c->ticked_ms = now_ms;
	if (runs(c))
		c->mah += c->ma * step_s / 3600;
	if (runs(c) && progress_of(c) >= 1)
		end(c, CHARGER_DONE);
	else if (c->mode == CHARGER_DONE && c->again && now_ms > c->ended_ms + REST_MS)
		begin(c, now_ms, CHARGER_CHARGE, c->seconds);
	measure(c);
	warm_up(c, step_s);
}

bool
charger_is_ready(struct charger *c)
{
	if (c->busy <= 0)
		return true;
	c->busy--;
	return false;
}

int64_t
charger_time_ms(const struct charger *c)
{
	if (c->mode == CHARGER_IDLE)
		return 0;
	return (runs(c) ? c->ticked_ms : c->ended_ms) - c->began_ms;
}

/* ---- words ----------------------------------------------------------------------------------- */

static void
reset(struct charger *c, int64_t now_ms)
{
	*c = (struct charger){.most_ma = c->most_ma, .forbidden = c->forbidden};
	charger_tick(c, now_ms);
}

static int
run(struct charger *c, int64_t now_ms, const char *word, int seconds)
{
	if (seconds < 0 || seconds > SECONDS_MAX)
		return -EINVAL;
	begin(c, now_ms, strcmp(word, "discharge") ? CHARGER_CHARGE : CHARGER_DISCHARGE,
		seconds ? seconds : SECONDS);
	c->again = !strcmp(word, "cycle");
	return 0;
}

static int
fail(struct charger *c, enum charger_mode mode)
{
	c->again = false;
	end(c, mode);
	return 0;
}

/* Without a number. */
static int
act_plain(struct charger *c, int64_t now_ms, const char *word)
{
	if (!strcmp(word, "stop"))
		return fail(c, CHARGER_IDLE);
	if (!strcmp(word, "cell-error"))
		return fail(c, CHARGER_CELL_ERROR);
	if (!strcmp(word, "over-temp"))
		return fail(c, CHARGER_TOO_HOT);
	if (!strcmp(word, "forbidden"))
		return c->forbidden ? -EINVAL : 0;
	if (!strcmp(word, "reset"))
		reset(c, now_ms);
	else if (!strcmp(word, "push"))
		c->push = true;
	else if (!strcmp(word, "silent"))
		c->silent = true;
	else if (!strcmp(word, "wrong-product"))
		c->wrong = true;
	else
		return -EINVAL;
	return 0;
}

int
charger_act(struct charger *c, int64_t now_ms, char *const *words, size_t n)
{
	bool program = n > 0 && (!strcmp(words[0], "charge") || !strcmp(words[0], "discharge") ||
					!strcmp(words[0], "cycle"));
	int rc;

	charger_tick(c, now_ms);
	if (program && n <= 2) {
		rc = run(c, now_ms, words[0], n == 2 ? atoi(words[1]) : 0);
	} else if (n == 2 && !strcmp(words[0], "busy") && atoi(words[1]) > 0) {
		c->busy = atoi(words[1]);
		rc = 0;
	} else {
		rc = n == 1 ? act_plain(c, now_ms, words[0]) : -EINVAL;
	}
	charger_tick(c, now_ms);
	return rc;
}
