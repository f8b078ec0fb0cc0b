/* SPDX-License-Identifier: MIT */
/* fleet.c -- starts a simulated fleet, tells each second how it is, ends it cleanly */
#include "cli/simulate/fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/broker_url.h"
#include "cli/secret.h"
#include "cli/simulate/fleet_impl.h"

#define S 1000000LL
#define LEAVE_US (4 * S) /* for everybody's `offline` and its PUBACK */

enum { MAX_PARKS = 10000, MAX_MACHINES = 1000, MAX_NUMBER = 1000000, ROOT_MAX = 64 };

static int
check(struct fleet_options *o)
{
	struct broker_url url;
	char rest;

	if (sscanf(o->size, "%dx%d%c", &o->parks, &o->machines, &rest) != 2 || o->parks < 1 ||
		o->parks > MAX_PARKS || o->machines < 1 || o->machines > MAX_MACHINES)
		return cli_fail(CLI_USAGE,
			"--fleet PARKSxMACHINES: at most %d parks of at most %d machines",
			MAX_PARKS, MAX_MACHINES);
	if (o->first + o->parks > MAX_NUMBER)
		return cli_fail(CLI_USAGE, "--first: parks are numbered up to %d", MAX_NUMBER);
	if (o->interval_ms < 1000)
		return cli_fail(CLI_USAGE, "--interval: 1s or more");
	if (o->topic_root && (!*o->topic_root || strpbrk(o->topic_root, "+#") ||
				     strlen(o->topic_root) > ROOT_MAX))
		return cli_fail(CLI_USAGE, "--topic-root: no + and # in it, at most %d characters",
			ROOT_MAX);
	if (o->link.password_file && !o->link.user)
		return cli_fail(CLI_USAGE, "--password-file needs --user");
	for (size_t k = 0; k < o->urls.n; k++)
		if (broker_url_parse(o->urls.items[k], &url) != CLI_FINE)
			return CLI_USAGE;
	return CLI_FINE;
}

/* ---- every second ---------------------------------------------------------------------------- */

static void
second_due(struct timer *t)
{
	struct fleet *f = (struct fleet *)(void *)((char *)t - offsetof(struct fleet, second));

	fleet_say_stats(f);
	reactor_arm(f->reactor, t, t->at_us + S);
}

static void
end_due(struct timer *t)
{
	struct fleet *f = (struct fleet *)(void *)((char *)t - offsetof(struct fleet, end));

	reactor_stop(f->reactor);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void
all_left(struct timer *t)
{
	struct fleet *f = (struct fleet *)(void *)((char *)t - offsetof(struct fleet, second));

	for (size_t k = 0; k < f->n; k++)
		if (!f->gateways[k]->left) {
			reactor_arm(f->reactor, t, t->at_us + S / 100);
			return;
		}
	reactor_stop(f->reactor);
}

/* A second signal ends it at once; then the broker says it for those that are left. */
static void
leave(struct fleet *f)
{
	int64_t now_us = reactor_now_us();

	for (size_t k = 0; k < f->n; k++)
		fleet_gateway_leave(f->gateways[k]);
	f->second.fire = all_left;
	reactor_arm(f->reactor, &f->second, now_us);
	reactor_arm(f->reactor, &f->end, now_us + LEAVE_US);
	reactor_run(f->reactor);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void
destroy(struct fleet *f)
{
	for (size_t k = 0; k < f->n; k++)
		fleet_gateway_destroy(f->gateways[k]);
	reactor_destroy(f->reactor);
	free(f->gateways);
	free(f);
}

static struct fleet *
create(const struct fleet_options *o)
{
	struct fleet *f = calloc(1, sizeof *f);

	if (!f)
		return NULL;
	f->options = o;
	f->started_us = reactor_now_us();
	f->started_ms = fleet_wall_ms();
	f->reactor = reactor_create();
	f->gateways = calloc((size_t)o->parks, sizeof(struct fleet_gateway *));
	while (f->reactor && f->gateways && f->n < (size_t)o->parks) {
		f->gateways[f->n] = fleet_gateway_create(f, f->n);
		if (!f->gateways[f->n])
			break;
		f->n++;
	}
	if (f->n == (size_t)o->parks)
		return f;
	destroy(f);
	return NULL;
}

static int
run(struct fleet *f, bool from_stdin)
{
	const struct fleet_options *o = f->options;

	if (from_stdin && fleet_command_start(f))
		return cli_fail(CLI_OTHER, "simulate: standard input cannot be waited for");
	printf("{\"ready\":true,\"parks\":%d,\"machines\":%d,\"first\":\"%s\",\"last\":\"%s\"}\n",
		o->parks, o->machines, f->gateways[0]->park, f->gateways[f->n - 1]->park);
	fflush(stdout);
	f->second.fire = second_due;
	f->end.fire = end_due;
	reactor_arm(f->reactor, &f->second, reactor_now_us() + S);
	if (o->duration_ms)
		reactor_arm(f->reactor, &f->end, f->started_us + o->duration_ms * 1000LL);
	int rc = reactor_run(f->reactor);
	if (rc)
		return cli_fail(CLI_OTHER, "simulate: %s", strerror(-rc));
	leave(f);
	fleet_say_stats(f);
	return CLI_FINE;
}

int
fleet_run(struct fleet_options *options, bool from_stdin)
{
	int code = check(options);

	if (code != CLI_FINE)
		return code;
	secret_warn(options->link.password_file);
	struct fleet *f = create(options);
	if (!f)
		return cli_fail(CLI_OTHER, "simulate: out of memory");
	code = run(f, from_stdin);
	destroy(f);
	return code;
}
