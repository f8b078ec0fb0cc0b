/* SPDX-License-Identifier: MIT */
/* gen_docs.c -- writes what the tables say: JSON Schemas, tables of keys, what a driver reads
 *
 * gen_docs config-schema | profile-schema | config-keys | profile-keys | driver-NAME |
 *   alarms-own | alarms-drivers | alarms-profiles > FILE
 *
 * To be run from the top of the tree, where the profiles are.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "config/config_keys.h"
#include "config/profile_keys.h"
#include "config/unit.h"
#include "drivers/registry.h"
#include "tests/tools/gen_alarms.h"

#define DURATION "\"type\":\"string\",\"pattern\":\"^[0-9]+(ms|s|min|h|d)$\""
#define SIZE "\"type\":\"string\",\"pattern\":\"^[0-9]+(B|KiB|MiB|GiB)$\""
#define ID "\"type\":\"string\",\"pattern\":\"^[a-z0-9][a-z0-9_-]{0,31}$\""

/* ---- JSON Schema --------------------------------------------------------------------------- */

static void
put_json_string(const char *s)
{
	putchar('"');
	for (; *s; s++)
		printf(*s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	putchar('"');
}

static void
put_words(const char *const *words, bool skip_first)
{
	fputs("\"enum\":[", stdout);
	for (size_t i = skip_first; words[i]; i++) {
		if (i > (size_t)skip_first)
			putchar(',');
		put_json_string(words[i]);
		/* "5" and "off" may also be written so that JSON sees a number or boolean. */
		if (strcmp(words[i], "5") == 0)
			fputs(",5", stdout);
	}
	putchar(']');
}

static void
put_names(const struct key *key)
{
	bool classes = strcmp(key->name, "class") == 0;
	const char *first = "";

	fputs("\"enum\":[", stdout);
	for (unsigned i = 0; classes ? class_at(i) != NULL : unit_at(i) != NULL; i++, first = ",") {
		fputs(first, stdout);
		put_json_string(classes ? class_at(i)->name : unit_at(i)->name);
	}
	putchar(']');
}

static void
put_type(const struct key *key)
{
	switch (key->type) {
	case KEY_STRING:
		if (key->schema)
			printf("%.*s", (int)strlen(key->schema) - 2, key->schema + 1);
		else if (key->code && strcmp(key->code, "P018") == 0)
			put_names(key);
		else
			fputs("\"type\":\"string\",\"minLength\":1", stdout);
		break;
	case KEY_ID:
		fputs(ID, stdout);
		break;
	case KEY_NAME:
	case KEY_WORD:
		put_words(key->words, strcmp(key->words[0], "fixed") == 0);
		break;
	case KEY_INT:
		printf("\"type\":\"integer\",\"minimum\":%lld,\"maximum\":%lld",
			(long long)key->min, (long long)key->max);
		break;
	case KEY_NUMBER:
		fputs("\"type\":\"number\"", stdout);
		break;
	case KEY_BOOL:
		fputs("\"type\":\"boolean\"", stdout);
		break;
	case KEY_DURATION:
	case KEY_MS:
		fputs(DURATION, stdout);
		break;
	case KEY_SIZE:
		fputs(SIZE, stdout);
		break;
	case KEY_TEXT:
		fputs("\"$ref\":\"#/definitions/text\"", stdout);
		break;
	case KEY_MAP:
		printf("\"$ref\":\"#/definitions/%s\"", key->sub->name);
		break;
	case KEY_NODE:
		if (key->sub)
			printf("\"$ref\":\"#/definitions/%s\"", key->sub->name);
		else
			printf("%.*s", (int)strlen(key->schema) - 2, key->schema + 1);
		break;
	case KEY_LIST:
		printf("\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/%s\"}",
			key->sub->name);
		break;
	case KEY_TYPES:
		break;
	}
}

static bool
has_bare_default(enum key_type type)
{
	return type == KEY_INT || type == KEY_NUMBER || type == KEY_BOOL;
}

/* In draft-07 what stands beside $ref is ignored; allOf keeps description and default alive. */
static void
put_property(const struct key *key)
{
	bool is_ref = key->type == KEY_TEXT || key->type == KEY_MAP ||
		      (key->type == KEY_NODE && key->sub);

	fputs("        ", stdout);
	put_json_string(key->name);
	fputs(is_ref ? ": {\"allOf\":[{" : ": {", stdout);
	put_type(key);
	fputs(is_ref ? "}]" : "", stdout);
	fputs(",\"description\":", stdout);
	put_json_string(key->doc);
	if (key->def) {
		fputs(",\"default\":", stdout);
		if (has_bare_default(key->type))
			fputs(key->def, stdout);
		else
			put_json_string(key->def);
	}
	putchar('}');
}

static void
put_object(const struct key_table *table, bool loose)
{
	const char *first = "";

	printf("{\n      \"type\": \"object\",\n      \"additionalProperties\": false,\n"
	       "      \"properties\": {\n");
	for (size_t i = 0; i < table->n; i++) {
		fputs(i ? ",\n" : "", stdout);
		put_property(&table->keys[i]);
	}
	printf("\n      },\n      \"required\": [");
	for (size_t i = 0; i < table->n && !loose; i++) {
		if (!(table->keys[i].flags & KEY_REQUIRED))
			continue;
		fputs(first, stdout);
		put_json_string(table->keys[i].name);
		first = ", ";
	}
	printf("]\n    }");
}

struct seen {
	const struct key_table *tables[64];
	size_t n;
};

static void
collect(struct seen *seen, const struct key_table *table)
{
	for (size_t i = 0; i < seen->n; i++)
		if (seen->tables[i] == table)
			return;
	seen->tables[seen->n++] = table;
	for (size_t i = 0; i < table->n; i++)
		if (table->keys[i].sub)
			collect(seen, table->keys[i].sub);
}

/* A profile that extends another, and points in it that change one, need not repeat what the other
 * says; so required keys are left to `labpulse check` there. */
static void
put_schema(const struct key_table *root, const char *title, const struct key_table *extra)
{
	struct seen seen = {.n = 0};
	bool loose = extra != NULL;

	collect(&seen, root);
	if (extra)
		collect(&seen, extra);
	printf("{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n"
	       "  \"title\": \"%s\",\n  \"allOf\": [{\"$ref\": \"#/definitions/%s\"}],\n"
	       "  \"definitions\": {\n    \"text\": {\"type\":\"object\",\"additionalProperties\":false,"
	       "\"properties\":{\"ru\":{\"type\":\"string\"},\"en\":{\"type\":\"string\"}}}",
		title, root->name);
	for (size_t i = 0; i < seen.n; i++) {
		const struct key_table *table = seen.tables[i];
		printf(",\n    \"%s\": ", table->name);
		put_object(table, loose && (table == root || table == &point_table));
	}
	printf("\n  }\n}\n");
}

/* ---- Markdown ------------------------------------------------------------------------------ */

static void
put_range(const struct key *key, const char *unit)
{
	printf("%s %lld to %lld", unit, (long long)key->min, (long long)key->max);
}

static const char *
node_type(const struct key *key)
{
	static const char *const types[][2] = {{"{\"type\":\"array\"", "list"},
		{"{\"type\":\"number\"", "number"}, {"{\"type\":\"integer\"", "integer"},
		{"{\"type\":\"boolean\"", "true, false"}, {"{\"type\":\"string\"", "text"},
		{"{\"type\":\"object\"", "map"}};

	if (key->sub)
		return "map";
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strncmp(key->schema, types[i][0], strlen(types[i][0])) == 0)
			return types[i][1];
	return "value";
}

static void
put_md_type(const struct key *key)
{
	static const char *const names[KEY_TYPES] = {
		[KEY_STRING] = "text",
		[KEY_ID] = "id",
		[KEY_NUMBER] = "number",
		[KEY_BOOL] = "true, false",
		[KEY_DURATION] = "duration",
		[KEY_MS] = "duration",
		[KEY_SIZE] = "size",
		[KEY_TEXT] = "{ru, en}",
		[KEY_MAP] = "map",
		[KEY_LIST] = "list of maps",
	};

	if (key->type == KEY_NAME || key->type == KEY_WORD)
		for (size_t i = strcmp(key->words[0], "fixed") == 0; key->words[i]; i++)
			printf("%s%s", i ? " " : "", key->words[i]);
	else if (key->type == KEY_INT)
		put_range(key, "integer");
	else if (key->type == KEY_NODE)
		fputs(node_type(key), stdout);
	else
		fputs(names[key->type], stdout);
}

static const char *
shown_default(const struct key *key)
{
	if (key->flags & KEY_REQUIRED)
		return "required";
	return key->shown ? key->shown : key->def ? key->def : "";
}

static void
put_rows(const struct key_table *table, const char *prefix, bool reload)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct key *key = &table->keys[i];
		char name[128];
		snprintf(name, sizeof name, "%s%s%s", prefix, key->name,
			key->type == KEY_LIST ? "[]" : "");
		printf("| `%s` | ", name);
		put_md_type(key);
		printf(" | %s | ", shown_default(key));
		if (reload)
			printf("%s | ", key->flags & KEY_RESTART ? "restart" : "yes");
		printf("%s |\n", key->doc);
		strcat(name, ".");
		bool rules = key->sub == &condition_table || key->sub == &usage_table ||
			     key->sub == &alarm_table;
		if (key->sub && !rules)
			put_rows(key->sub, name, reload);
	}
}

static void
put_rules(bool reload)
{
	static const struct {
		const struct key_table *table;
		const char *prefix;
	} tables[] = {{&usage_table, "usage[]."}, {&alarm_table, "alarms[]."}};

	for (size_t i = 0; i < 2; i++)
		put_rows(tables[i].table, tables[i].prefix, reload);
}

static void
put_table(const struct key_table *table, bool reload)
{
	printf(reload ? "| key | type | default | reload applies it | meaning |\n|---|---|---|---|---|\n"
		      : "| key | type | default | meaning |\n|---|---|---|---|\n");
	put_rows(table, "", reload);
	if (reload)
		put_rules(reload);
}

/* ---- drivers ------------------------------------------------------------------------------- */

/* The same but for their numbers: "ch1_cell3_v" and "ch1_cell4_v". */
static bool
is_alike(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (isdigit((unsigned char)*a))
			a++;
		while (isdigit((unsigned char)*b))
			b++;
		if (*a != *b || !*a)
			return *a == *b;
	}
}

static bool
is_sibling(const struct point *a, const struct point *b)
{
	return is_alike(a->id, b->id) && is_alike(a->title.en, b->title.en) &&
	       strcmp(a->unit, b->unit) == 0 && a->group == b->group && a->kind == b->kind;
}

static void
put_period(const struct group *group)
{
	long long ms = group->period_ms;

	if (ms == 0)
		printf("%s, once", group->id);
	else if (ms % 60000 == 0)
		printf("%s, %lldmin", group->id, ms / 60000);
	else if (ms % 1000 == 0)
		printf("%s, %llds", group->id, ms / 1000);
	else
		printf("%s, %lldms", group->id, ms);
}

static void
put_point(const struct driver *d, const struct point *first, const struct point *last)
{
	printf("| `%s`", first->id);
	if (last != first)
		printf(" … `%s`", last->id);
	printf(" | %s | ", first->unit);
	put_period(&d->groups[first->group]);
	printf(" | %s%s", first->title.en, last != first ? " …" : "");
	for (size_t i = 0; first->words && first->words[i]; i++)
		printf("%s`%s`", i ? ", " : ": ", first->words[i]);
	if (first->kind == VALUE_BOOL)
		fputs(": true, false", stdout);
	printf("%s |\n", first->optional ? "; optional" : "");
}

static void
put_points(const struct driver *d)
{
	printf("| point | unit | read | meaning |\n|---|---|---|---|\n");
	for (size_t i = 0, last; i < d->n_points; i = last + 1) {
		last = i;
		while (last + 1 < d->n_points && is_sibling(&d->points[i], &d->points[last + 1]))
			last++;
		if (last < i + 3) /* few are better told one by one */
			last = i;
		put_point(d, &d->points[i], &d->points[last]);
	}
}

static void
put_faults(const struct driver *d)
{
	static const char *const severities[] = {"none", "info", "warning", "error", "critical"};

	printf("\n| fault | severity | what happened |\n|---|---|---|\n");
	for (size_t i = 0; i < d->n_faults; i++)
		printf("| `%s` | %s | %s |\n", d->faults[i].id, severities[d->faults[i].severity],
			d->faults[i].text.en);
}

/* Lines as text, reports in hexadecimal. */
static void
put_query(const struct driver *d, const struct driver_query *q)
{
	putchar('`');
	for (size_t i = 0; i < q->len; i++) {
		unsigned char c = (unsigned char)q->bytes[i];
		if (d->link == LINK_HID)
			printf("%s%02X", i ? " " : "", c);
		else if (c == '\n')
			fputs("\\n", stdout);
		else
			putchar(c);
	}
	putchar('`');
}

static void
put_driver(const struct driver *d)
{
	put_points(d);
	put_faults(d);
	printf("\nSent, and nothing else: ");
	for (size_t i = 0; i < d->n_queries; i++) {
		fputs(i ? ", " : "", stdout);
		put_query(d, &d->queries[i]);
	}
	printf(".\nAn answer is waited for %d ms unless the source has a `timeout`.\n",
		d->timeout_ms ? d->timeout_ms : 500);
}

int
main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";
	const struct driver *driver =
		strncmp(what, "driver-", 7) == 0 ? registry_find(what + 7) : NULL;

	if (strcmp(what, "config-schema") == 0)
		put_schema(&config_table, "labpulse configuration", NULL);
	else if (strcmp(what, "profile-schema") == 0)
		put_schema(&profile_table, "labpulse profile", &address_table);
	else if (strcmp(what, "config-keys") == 0)
		put_table(&config_table, true);
	else if (strcmp(what, "profile-keys") == 0)
		put_table(&profile_table, false);
	else if (strcmp(what, "alarms-own") == 0)
		put_own_alarms();
	else if (strcmp(what, "alarms-drivers") == 0)
		put_driver_alarms();
	else if (strcmp(what, "alarms-profiles") == 0)
		return put_profile_alarms() == 0 ? 0 : 1;
	else if (driver)
		put_driver(driver);
	else
		return 64;
	return 0;
}
