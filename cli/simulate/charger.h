/* SPDX-License-Identifier: MIT */
/* charger.h -- a simulated battery charger, whatever protocol it speaks, and what it can be told */
#ifndef CLI_SIMULATE_CHARGER_H
#define CLI_SIMULATE_CHARGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum charger_mode {
	CHARGER_IDLE, /* with a battery connected */
	CHARGER_CHARGE,
	CHARGER_DISCHARGE,
	CHARGER_DONE,
	CHARGER_CELL_ERROR,
	CHARGER_TOO_HOT
};

/* First member of a kind's state; zeroed it is a charger with nothing to do. */
struct charger {
	int most_ma; /* of the kind */
	enum charger_mode mode;
	double seconds; /* that the running program takes */
	bool again;     /* `cycle`: when it is done, it rests and starts anew */
	int64_t began_ms, ended_ms, ticked_ms;
	/* measured */
	int ma, cell_mv;  /* ma < 0: discharging */
	double mah, temp; /* of this program; of the charger */
	/* how it answers */
	int busy;          /* requests that it will not do */
	bool push, silent; /* says something unasked before each answer; says nothing */
	bool wrong;        /* is another product */
	int forbidden;     /* requests that were no plain reads; nothing resets it */
};

#define CHARGER_WORDS                                                                              \
	"charge [SECONDS], discharge [SECONDS], cycle [SECONDS], stop, cell-error, over-temp, "    \
	"busy N, push, silent, wrong-product, reset, forbidden"

/* 0 or -EINVAL: not understood; "forbidden": there was such a request. */
int charger_act(struct charger *c, int64_t now_ms, char *const *words, size_t n);
void charger_tick(struct charger *c, int64_t now_ms);
/* A request has come: false if it is not to be answered as usual, because the charger is busy. */
bool charger_is_ready(struct charger *c);
/* Milliseconds of the program. */
int64_t charger_time_ms(const struct charger *c);

#endif
