/* SPDX-License-Identifier: MIT */
/* fleet_command.c -- faults on demand: one command a line, one JSON object a line back */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "cli/simulate/fleet_impl.h"
#include "config/json.h"

enum { MAX_WORDS = 6, LINE = 256 };

/* ---- commands: NULL, or what is wrong ------------------------------------------------------- */

struct call {
	struct fleet *f;
	char *words[MAX_WORDS];
	size_t n;
	bool later; /* it is answered when it has happened */
};

static struct fleet_gateway *
find_park(const struct call *call)
{
	for (size_t k = 0; k < call->f->n; k++)
		if (!strcmp(call->f->gateways[k]->park, call->words[1]))
			return call->f->gateways[k];
	return NULL;
}

static bool
find_machine(const struct call *call, struct fleet_gateway **g, size_t *k)
{
	*g = find_park(call);
	for (*k = 0; *g && *k < (*g)->n; ++*k)
		if (!strcmp((*g)->machines[*k].id, call->words[2]))
			return true;
	return false;
}

/* The last word. */
static bool
is_on(const struct call *call, bool *on)
{
	const char *word = call->words[call->n - 1];

	*on = !strcmp(word, "on");
	return *on || !strcmp(word, "off");
}

static const char *
set_alarm(struct call *call)
{
	struct fleet_gateway *g;
	size_t k;
	bool on;

	if (!find_machine(call, &g, &k))
		return "no such park or machine";
	struct fleet_machine *m = &g->machines[k];
	int alarm = fleet_find_alarm(m->model.kind, call->words[3]);
	if (alarm < 0)
		return "no such alarm of this machine";
	if (!is_on(call, &on))
		return "on or off";
	m->orders.on = on ? m->orders.on | 1u << alarm : m->orders.on & ~(1u << alarm);
	m->orders.off = on ? m->orders.off & ~(1u << alarm) : m->orders.off | 1u << alarm;
	if (m->alarms[alarm].active == on)
		return "it is so already";
	m->alarms[alarm].asked_ms = fleet_wall_ms();
	fleet_follow_orders(g, k);
	if (m->alarms[alarm].active != on) {
		m->alarms[alarm].asked_ms = 0;
		return "the machine is silent";
	}
	call->later = true;
	fleet_send(g);
	return NULL;
}

static const char *
set_silent(struct call *call)
{
	struct fleet_gateway *g;
	size_t k;

	if (!find_machine(call, &g, &k))
		return "no such park or machine";
	return is_on(call, &g->machines[k].orders.silent) ? NULL : "on or off";
}

static const char *
set_gateway(struct call *call)
{
	bool all = !strcmp(call->words[1], "all"), on;
	struct fleet_gateway *one = find_park(call);

	if (!is_on(call, &on))
		return "on or off";
	if (!all && !one)
		return "no such park";
	for (size_t k = 0; k < call->f->n; k++) {
		struct fleet_gateway *g = call->f->gateways[k];
		if (!all && g != one)
			continue;
		if (on)
			fleet_gateway_revive(g);
		else
			fleet_gateway_kill(g);
	}
	return NULL;
}

static const char *
tell_stats(struct call *call)
{
	call->later = true;
	fleet_say_stats(call->f);
	return NULL;
}

static const char *
quit(struct call *call)
{
	reactor_stop(call->f->reactor);
	return NULL;
}

static const struct {
	const char *word;
	size_t words;
	const char *(*run)(struct call *call);
} commands[] = {
	{"alarm", 5, set_alarm},
	{"silent", 4, set_silent},
	{"gateway", 3, set_gateway},
	{"stats", 1, tell_stats},
	{"quit", 1, quit},
};

static const char *
run(struct call *call, char *line)
{
	char *save = NULL, *word = strtok_r(line, " \t\r", &save);

	for (; word && call->n < MAX_WORDS; word = strtok_r(NULL, " \t\r", &save))
		call->words[call->n++] = word;
	for (size_t k = 0; call->n && k < sizeof commands / sizeof commands[0]; k++)
		if (!strcmp(commands[k].word, call->words[0]))
			return call->n == commands[k].words ? commands[k].run(call)
							    : "too few or too many words";
	return "unknown command: alarm, silent, gateway, stats, quit";
}

static void
obey(struct fleet *f, char *line)
{
	struct call call = {.f = f};
	char buf[LINE];
	struct json j;

	const char *wrong = run(&call, line);
	if (call.later)
		return;
	json_init(&j, buf, sizeof buf);
	json_open(&j, NULL, '{');
	json_put_bool(&j, "ok", !wrong);
	if (wrong)
		json_put_string(&j, "error", wrong);
	fleet_say(&j);
}

static void
on_readable(struct watch *w, uint32_t events)
{
	struct fleet *f = (struct fleet *)(void *)((char *)w - offsetof(struct fleet, commands));
	ssize_t n = read(w->fd, f->line + f->line_len, sizeof f->line - 1 - f->line_len);
	char *begin = f->line, *end;

	(void)events;
	if (n <= 0) { /* it goes on without more commands */
		reactor_unwatch(f->reactor, w);
		return;
	}
	f->line_len += (size_t)n;
	f->line[f->line_len] = '\0';
	for (; (end = strchr(begin, '\n')); begin = end + 1) {
		*end = '\0';
		obey(f, begin);
	}
	f->line_len -= (size_t)(begin - f->line);
	memmove(f->line, begin, f->line_len);
	if (f->line_len == sizeof f->line - 1)
		f->line_len = 0; /* no command is so long */
}

int
fleet_command_start(struct fleet *f)
{
	f->commands = (struct watch){STDIN_FILENO, on_readable};
	return reactor_watch(f->reactor, &f->commands, EPOLLIN);
}
