/* SPDX-License-Identifier: MIT */
/* learn.c -- labpulse learn: watches a machine off, idle and busy and proposes usage rules
 *
 * A person brings the machine into each state; the running daemon tells the readings. Nothing is
 * changed: the rules are printed, to be pasted into the configuration.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/learn_math.h"
#include "cli/session.h"
#include "config/json.h"

enum { EVERY_MS = 1000, LEAST_FOR_MS = 5000, DEFAULT_FOR_MS = 60000, ANSWER_SIZE = 8192 };

struct learn {
	struct session s;
	const char *machine, *phases;
	int for_ms;
	char point[192];
	struct learn_trace traces[LEARN_STATES]; /* in the order of the states */
	size_t n;
	struct learn_rule rules[LEARN_STATES]; /* rules[i] is above traces[i - 1] */
	bool apart[LEARN_STATES];
};

/* ---- asking the daemon ---------------------------------------------------------------------- */

static int
ask_values(struct learn *l, struct doc **answer, const struct doc **values)
{
	char request[512];
	struct json j;

	json_init(&j, request, sizeof(request));
	json_open(&j, NULL, '{');
	json_put_string(&j, "cmd", "values");
	json_put_string(&j, "machine", l->machine);
	json_close(&j, '}');
	json_end(&j);
	int code = session_ask(&l->s, request, NULL, NULL, answer);
	if (code == CLI_FINE)
		*values = doc_get(control_result(*answer, &code), "values");
	return code;
}

/* The one that was named, or the first that measures power. */
static int
choose_point(struct learn *l, const char *wanted)
{
	struct doc *answer = NULL;
	const struct doc *values = NULL, *v;
	const char *key;
	void *place = NULL;
	int code = ask_values(l, &answer, &values);

	while (code == CLI_FINE && !l->point[0] && (key = doc_next(values, &place, &v)))
		if (wanted ? !strcmp(key, wanted)
			   : !strcmp(doc_text(v, "class", ""), "power_active_w"))
			snprintf(l->point, sizeof(l->point), "%s", key);
	doc_free(answer);
	if (code != CLI_FINE || l->point[0])
		return code;
	if (wanted)
		return cli_fail(CLI_USAGE,
			"learn: %s has no point %s with a value; see labpulse read %s", l->machine,
			wanted, l->machine);
	return cli_fail(CLI_USAGE,
		"learn: %s has no point that measures power; --point SOURCE.POINT names another",
		l->machine);
}

static bool
to_number(const struct doc *d, double *number)
{
	char text[64], *end;

	doc_show(d, text, sizeof(text));
	*number = strtod(text, &end);
	return end != text && !*end;
}

/* Adds the value if it is a new one. */
static int
take_sample(struct learn *l, struct learn_trace *t, int64_t *at_ms)
{
	struct doc *answer = NULL;
	const struct doc *values = NULL;
	int code = ask_values(l, &answer, &values);
	const struct doc *point = code == CLI_FINE ? doc_get(values, l->point) : NULL;
	int64_t at = doc_int(point, "at", 0);
	double number;

	if (point && at > *at_ms && t->n < LEARN_SAMPLES_MAX &&
		to_number(doc_get(point, "value"), &number)) {
		t->values[t->n++] = number;
		*at_ms = at;
	}
	doc_free(answer);
	return code;
}

/* ---- recording ------------------------------------------------------------------------------ */

static void
show_progress(const struct learn *l, const struct learn_trace *t, int64_t passed_ms)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r  %lld of %d s, %zu readings", (long long)(passed_ms / 1000),
		l->for_ms / 1000, t->n);
	if (t->n > 0)
		fprintf(stderr, ", now %.6g", t->values[t->n - 1]);
	fputs("\033[K", stderr);
}

static int
record(struct learn *l, struct learn_trace *t)
{
	int64_t begin_ms = cli_now_ms(), at_ms = 0, first_ms = 0, passed_ms;
	int code = take_sample(l, t, &at_ms);

	t->n = 0; /* it may be of the state before */
	while (code == CLI_FINE && (passed_ms = cli_now_ms() - begin_ms) < l->for_ms) {
		show_progress(l, t, passed_ms);
		usleep(EVERY_MS * 1000);
		code = take_sample(l, t, &at_ms);
		if (t->n == 1 && !first_ms)
			first_ms = at_ms;
	}
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (code != CLI_FINE)
		return code;
	if (t->n < LEARN_SAMPLES_MIN)
		return cli_fail(CLI_SILENT,
			"learn: %s gave %zu readings in %d s, which is too few; a longer --for?",
			l->point, t->n, l->for_ms / 1000);
	t->period_s = (double)(at_ms - first_ms) / 1000 / (double)(t->n - 1);
	return CLI_FINE;
}

static bool
await_enter(void)
{
	int c;

	while ((c = getchar()) != EOF && c != '\n')
		continue;
	return c == '\n';
}

static int
record_phase(struct learn *l, struct learn_trace *t, size_t number)
{
	static const struct {
		const char *verb, *rest;
	} wishes[LEARN_STATES] = {{"Switch", "off, but not its meter"},
		{"Let", "rest, switched on"}, {"Let", "work"}};

	fprintf(stderr, "%zu/%zu: %s %s %s, then press Enter. It is watched for %d s. ", number,
		l->n, wishes[t->state].verb, l->machine, wishes[t->state].rest, l->for_ms / 1000);
	if (!await_enter())
		return cli_fail(CLI_OTHER, "learn: nobody pressed Enter");
	return record(l, t);
}

/* ---- telling -------------------------------------------------------------------------------- */

static void
print_table(const struct learn *l)
{
	printf("%s %s\n%-6s %6s %9s %9s %9s %9s %9s\n", l->machine, l->point, "", "count", "min",
		"10 %", "50 %", "95 %", "max");
	for (size_t i = 0; i < l->n; i++) {
		struct learn_summary s;
		learn_summarize(l->traces[i].values, l->traces[i].n, &s);
		printf("%-6s %6zu %9.5g %9.5g %9.5g %9.5g %9.5g\n",
			learn_state_name(l->traces[i].state), s.n, s.min, s.p10, s.p50, s.p95,
			s.max);
	}
}

static void
print_margin(const struct learn_rule *r)
{
	const char *lower = learn_state_name(r->lower), *upper = learn_state_name(r->upper);

	printf("    # %s margin: 95 %% of %s is up to %.5g, 90 %% of %s from %.5g\n",
		learn_margin(r), lower, r->lower_p95, upper, r->upper_p10);
}

static void
print_rules(const struct learn *l)
{
	char line[512];

	printf("\nusage:\n");
	for (size_t i = l->n; i-- > 1;) {
		print_margin(&l->rules[i]);
		printf("  %s\n", learn_yaml(&l->rules[i], l->point, line, sizeof(line)));
	}
	printf("  - {activity: %s}\n", l->traces[0].state == LEARN_OFF ? "\"off\"" : "idle");
}

static void
put_phases(const struct learn *l, struct json *j)
{
	json_open(j, "phases", '[');
	for (size_t i = 0; i < l->n; i++) {
		struct learn_summary s;
		learn_summarize(l->traces[i].values, l->traces[i].n, &s);
		json_open(j, NULL, '{');
		json_put_string(j, "phase", learn_state_name(l->traces[i].state));
		json_put_uint(j, "count", s.n);
		json_put_real(j, "min", s.min, 3);
		json_put_real(j, "p10", s.p10, 3);
		json_put_real(j, "p50", s.p50, 3);
		json_put_real(j, "p95", s.p95, 3);
		json_put_real(j, "max", s.max, 3);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void
put_rule(const struct learn *l, const struct learn_rule *r, struct json *j)
{
	char yaml[512];

	json_open(j, NULL, '{');
	json_put_string(j, "activity", learn_state_name(r->upper));
	json_put_string(j, "stat", learn_stat_name(r->stat));
	json_put_int(j, "window_s", r->window_s);
	json_put_real(j, "above", r->above, 3);
	if (r->has_below)
		json_put_real(j, "below", r->below, 3);
	json_put_int(j, "for_s", r->for_s);
	json_put_int(j, "hold_s", r->hold_s);
	json_put_real(j, "lower_p95", r->lower_p95, 3);
	json_put_real(j, "upper_p10", r->upper_p10, 3);
	json_put_string(j, "margin", learn_margin(r));
	json_put_string(j, "yaml", learn_yaml(r, l->point, yaml, sizeof(yaml)));
	json_close(j, '}');
}

static void
print_json(const struct learn *l, bool apart)
{
	char text[ANSWER_SIZE];
	struct json j;

	json_init(&j, text, sizeof(text));
	json_open(&j, NULL, '{');
	json_put_string(&j, "machine", l->machine);
	json_put_string(&j, "point", l->point);
	put_phases(l, &j);
	json_put_bool(&j, "separable", apart);
	json_open(&j, "rules", '[');
	for (size_t i = l->n; i-- > 1;)
		if (l->apart[i])
			put_rule(l, &l->rules[i], &j);
	json_close(&j, ']');
	json_close(&j, '}');
	if (json_end(&j))
		puts(text);
}

/* Neighbours are told apart; what cannot be is said plainly. */
static int
propose(struct learn *l)
{
	bool apart = true;

	for (size_t i = 1; i < l->n; i++) {
		l->apart[i] = learn_rule(&l->traces[i - 1], &l->traces[i], &l->rules[i]);
		apart &= l->apart[i];
	}
	if (l->s.json)
		print_json(l, apart);
	else
		print_table(l);
	if (apart && !l->s.json)
		print_rules(l);
	for (size_t i = 1; i < l->n; i++)
		if (!l->apart[i])
			cli_fail(CLI_OTHER,
				"learn: %s cannot tell %s from %s; try another --point, or a longer --for",
				l->point, learn_state_name(l->traces[i - 1].state),
				learn_state_name(l->traces[i].state));
	return apart ? CLI_FINE : CLI_OTHER;
}

/* ---- the command ---------------------------------------------------------------------------- */

/* "off,idle,busy" or two of them, in this order, from least to most. */
static bool
parse_phases(struct learn *l, const char *text)
{
	while (*text && l->n < LEARN_STATES) {
		size_t len = strcspn(text, ","), k = 0;
		while (k < LEARN_STATES && (strlen(learn_state_name(k)) != len ||
						   strncmp(learn_state_name(k), text, len) != 0))
			k++;
		if (k == LEARN_STATES || (l->n > 0 && k <= (size_t)l->traces[l->n - 1].state))
			return false;
		l->traces[l->n++].state = (enum learn_state)k;
		text += len + (text[len] == ',');
	}
	return !*text && l->n >= 2;
}

static int
run(struct learn *l, const char *point)
{
	int code = CLI_FINE;

	if (!parse_phases(l, l->phases))
		return cli_fail(CLI_USAGE,
			"learn: --phases: two or three of off, idle, busy, in this order");
	if (l->for_ms < LEAST_FOR_MS || l->for_ms / EVERY_MS > LEARN_SAMPLES_MAX)
		return cli_fail(CLI_USAGE, "learn: --for: from 5 s to 1 h");
	code = session_connect(&l->s);
	if (code == CLI_FINE && !l->s.control)
		code = cli_fail(CLI_SILENT, "learn: the daemon does not run here");
	if (code == CLI_FINE)
		code = choose_point(l, point);
	for (size_t i = 0; code == CLI_FINE && i < l->n; i++)
		code = record_phase(l, &l->traces[i], i + 1);
	return code == CLI_FINE ? propose(l) : code;
}

int
cmd_learn(int argc, char **argv)
{
	struct learn *l = calloc(1, sizeof(*l));
	const char *point = NULL;

	if (!l)
		return cli_fail(CLI_OTHER, "out of memory");
	session_init(&l->s);
	l->phases = "off,idle,busy";
	l->for_ms = DEFAULT_FOR_MS;
	const struct cli_option options[] = {
		{"--point", CLI_TEXT, &point, "SOURCE.POINT (the first that measures power)"},
		{"--for", CLI_DURATION_MS, &l->for_ms, "how long each state is watched (60s)"},
		{"--phases", CLI_TEXT, &l->phases,
			"the states, from least to most (off,idle,busy)"},
		SESSION_OPTIONS(&l->s),
		{NULL, CLI_FLAG, NULL, NULL},
	};
	const struct cli_usage usage = {"labpulse learn MACHINE [options]",
		"Watches a machine while it is off, idle and busy, and proposes usage rules for it, ready\n"
		"to be pasted. Bring it into each state when asked, and press Enter. Asks the running\n"
		"daemon; changes nothing. Exits with 1 if the point cannot tell the states apart.",
		options, 1, 1};
	int n = cli_parse(argc, argv, &usage, &l->machine);
	int code = n < 0 ? cli_exit_of(n) : run(l, point);
	session_finish(&l->s);
	free(l);
	return code;
}
