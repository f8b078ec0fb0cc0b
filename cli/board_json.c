/* SPDX-License-Identifier: MIT */
/* board_json.c -- all machines as one JSON object: docs/schemas/watch.schema.json */
#include "cli/board.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/words.h"

/* `before`: the comma, or what opens the object. */
static void
put_text(const char *before, const char *key, const char *text)
{
	char *quoted = doc_quote(text);

	printf("%s\"%s\":%s", before, key, quoted ? quoted : "\"\"");
	free(quoted);
}

static void
put_doc(const char *key, const struct doc *d)
{
	char *text = doc_print(d);

	printf(",\"%s\":%s", key, text ? text : "null");
	free(text);
}

static void
put_alarms(const struct row *r)
{
	printf(",\"alarms\":[");
	for (size_t i = 0; i < r->n_alarms; i++) {
		char *text = r->alarms[i].doc ? doc_print(r->alarms[i].doc) : NULL;
		printf("%s", i ? "," : "");
		if (text) {
			printf("%s", text);
		} else {
			put_text("{", "code", r->alarms[i].code);
			printf("}");
		}
		free(text);
	}
	printf("]");
}

static void
put_job(const struct row *r)
{
	if (!r->job[0]) {
		printf(",\"job\":null");
		return;
	}
	printf(",\"job\":");
	put_text("{", "id", r->job);
	printf(",\"started\":%lld,\"progress\":", (long long)words_job_start(r->job));
	if (r->progress < 0)
		printf("null}");
	else
		printf("%.3g}", r->progress);
}

static void
put_row(const struct row *r)
{
	put_text("{", "park", r->park);
	put_text(",", "machine", r->machine);
	put_text(",", "gateway", r->gateway);
	put_text(",", "class", r->class);
	put_text(",", "state", r->state);
	put_text(",", "activity", r->activity);
	put_text(",", "reason", r->reason);
	put_doc("title", r->title);
	put_job(r);
	put_alarms(r);
	put_doc("maintenance", r->maintenance);
	put_doc("values", r->values);
	put_doc("sources", r->sources);
	printf("}");
}

/* Those that are offline, and the alarms of all. */
static void
put_gateways(const struct board *b)
{
	const struct board_entry *place = NULL;
	const struct doc *alarm;
	const char *park, *gateway, *before = "";

	printf(",\"gateways_offline\":[");
	while ((gateway = board_next_offline(b, &place, &park))) {
		printf("%s", before);
		put_text("{", "park", park);
		put_text(",", "gateway", gateway);
		printf("}");
		before = ",";
	}
	printf("],\"gateway_alarms\":[");
	before = "";
	for (place = NULL; (alarm = board_next_alarm(b, &place, &park, &gateway));) {
		printf("%s", before);
		put_text("{", "park", park);
		put_text(",", "gateway", gateway);
		put_doc("alarm", alarm);
		printf("}");
		before = ",";
	}
	printf("]");
}

void
board_print_json(
	const struct row *rows, size_t n, const struct board *board, const struct events *events)
{
	printf("{\"v\":1,\"at\":%lld,\"machines\":[", (long long)words_now_ms());
	for (size_t i = 0; i < n; i++) {
		printf("%s", i ? "," : "");
		put_row(&rows[i]);
	}
	printf("]");
	if (board)
		put_gateways(board);
	if (events) {
		printf(",\"events\":[");
		events_print_json(events);
		printf("]");
	}
	printf("}\n");
}
