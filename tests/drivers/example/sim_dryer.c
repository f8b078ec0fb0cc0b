/* SPDX-License-Identifier: MIT */
/* sim_dryer.c -- a simulated filament dryer
 *
 * An example; a real one is cli/simulate/NAME.c and a line in kinds.c.
 */
#include "cli/simulate/plug.h"

#include <errno.h>
#include <string.h>

struct machine {
	const char *state; /* its word */
	char line[32];
	size_t len;
	unsigned forbidden; /* lines that were no questions; nothing resets it */
};

static void
sim_start(struct plug *p)
{
	struct machine *m = plug_state(p);

	m->state = "idle";
	m->len = 0;
	plug_say(p, "READY\n");
}

static void
sim_answer(struct plug *p, const char *line)
{
	struct machine *m = plug_state(p);
	bool dries = !strcmp(m->state, "drying");

	if (!strcmp(line, "ID"))
		plug_say(p, "DRYER model=FD-2 fw=1.3\n");
	else if (!strcmp(line, "STATUS"))
		plug_say(p, "TEMP=%.1f SET=45 STATE=%s\n", dries ? 44.5 : 22.0, m->state);
	else
		m->forbidden++;
}

static void
sim_heard(struct plug *p, const uint8_t *bytes, size_t n)
{
	struct machine *m = plug_state(p);

	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != '\n' && m->len + 1 < sizeof m->line)
			m->line[m->len++] = (char)bytes[i];
		if (bytes[i] != '\n')
			continue;
		m->line[m->len] = '\0';
		m->len = 0;
		sim_answer(p, m->line);
	}
}

static int
sim_act(struct plug *p, char *const *words, size_t n)
{
	struct machine *m = plug_state(p);

	if (n != 1)
		return -EINVAL;
	if (!strcmp(words[0], "forbidden"))
		return m->forbidden ? -EINVAL : 0;
	if (!strcmp(words[0], "dry"))
		m->state = "drying";
	else if (!strcmp(words[0], "finish"))
		m->state = "done";
	else if (!strcmp(words[0], "fan"))
		m->state = "fault";
	else
		return -EINVAL;
	if (!strcmp(words[0], "fan"))
		plug_say(p, "ALARM=fan\n");
	return 0;
}

extern const struct plug_kind plug_kind_dryer;
const struct plug_kind plug_kind_dryer = {.name = "dryer",
	.baud = "115200",
	.state_size = sizeof(struct machine),
	.start = sim_start,
	.heard = sim_heard,
	.act = sim_act,
	.words = "dry, finish, fan, forbidden"};
