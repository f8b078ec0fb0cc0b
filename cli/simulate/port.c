/* SPDX-License-Identifier: MIT */
/* port.c -- what lines and listeners have in common */
#include "cli/simulate/port.h"

#include <time.h>

struct unit *
port_find(const struct port *p, uint8_t id)
{
	struct unit *u = p->units;

	while (u && u->id != id)
		u = u->next;
	return u;
}

static int64_t
realtime_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
port_answer(struct port *p, struct unit *u, const struct asked *asked, struct reply *out)
{
	u->stats.requests++;
	u->stats.last_request_ms = realtime_ms();
	unit_refresh(u, (double)(reactor_now_us() - p->start_us) / 1e6);
	fault_reply(u, asked, out);
}

void
port_destroy(struct port *p)
{
	if (!p)
		return;
	for (struct unit *u = p->units, *next; u; u = next) {
		next = u->next;
		unit_destroy(u);
	}
	p->ops->destroy(p);
}
