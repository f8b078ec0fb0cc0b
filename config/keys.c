/* SPDX-License-Identifier: MIT */
/* keys.c -- maps of keys as tables: what may stand in a file, and where it goes */
#include "config/keys.h"

#include <inttypes.h>
#include <string.h>

#include "config/scalar.h"
#include "drivers/driver.h"

enum { KEYS_MAX = 64 };

static void
read_string(struct reader *r, const struct key *key, const struct node *node, void *field)
{
	const char *text = reader_string(r, node, key->name, reader_code(r, key->code, NULL));

	if (text)
		memcpy(field, &text, sizeof text);
}

static void
read_id(struct reader *r, const struct key *key, const struct node *node, void *field)
{
	const char *text = reader_string(r, node, key->name, reader_code(r, key->code, "P004"));

	if (!text)
		return;
	if (scalar_matches(text, SCALAR_LOWER SCALAR_DIGIT, SCALAR_LOWER SCALAR_DIGIT "_-", 1, 32))
		memcpy(field, &text, sizeof text);
	else
		reader_error(r, node, key->name, reader_code(r, key->code, "P004"),
			"\"%.64s\" is not an id; 1 to 32 of a-z 0-9 _ -, beginning with a-z 0-9",
			text);
}

static void
list_words(const char *const *words, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; words[i] && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? ", " : "", words[i]);
}

/* Index of the word, or -1 and an error. */
static int
find_word(struct reader *r, const struct key *key, const struct node *node)
{
	char allowed[400];

	if (!reader_is_scalar(r, node, key->name, reader_code(r, key->code, NULL)))
		return -1;
	for (int i = 0; key->words[i]; i++) {
		if (strcmp(node->text, key->words[i]) != 0)
			continue;
		if (node->plain && scalar_is_trap(node->text))
			reader_warning(r, node, key->name, reader_code(r, NULL, "P038"),
				"plain %s means something else to many readers; write \"%s\"",
				node->text, node->text);
		return i;
	}
	list_words(key->words, allowed, sizeof allowed);
	reader_error(r, node, key->name, reader_code(r, key->code, NULL),
		"\"%.64s\" is not known; use one of %s%s", node->text, allowed,
		reader_hint(r, node->text, key->words));
	return -1;
}

static void
read_word(struct reader *r, const struct key *key, const struct node *node, void *field)
{
	int index = find_word(r, key, node);

	if (index >= 0)
		memcpy(field, &index, sizeof index);
}

static void
read_name(struct reader *r, const struct key *key, const struct node *node, void *field)
{
	int index = find_word(r, key, node);

	if (index >= 0)
		memcpy(field, &key->words[index], sizeof key->words[index]);
}

static void
read_int(struct reader *r, const struct key *key, const struct node *node, void *field)
{
	int64_t number;

	if (reader_int(r, node, key->name, key->min, key->max, key->code, &number))
		*(int *)field = (int)number;
}

static void
read_number(struct reader *r, const struct key *key, const struct node *node, void *field)
{
	reader_number(r, node, key->name, key->code, field);
}

static void
read_bool(struct reader *r, const struct key *key, const struct node *node, void *field)
{
	const char *code = reader_code(r, NULL, "P038");

	if (!reader_is_scalar(r, node, key->name, code))
		return;
	if (!node->plain || !scalar_bool(node->text, field))
		reader_error(
			r, node, key->name, code, "\"%.40s\": write true or false", node->text);
}

static bool
duration(struct reader *r, const struct key *key, const struct node *node, int64_t *ms)
{
	if (!reader_is_scalar(r, node, key->name, reader_code(r, key->code, NULL)))
		return false;
	if (!scalar_duration(node->text, ms))
		reader_error(r, node, key->name, reader_code(r, key->code, NULL),
			"\"%.40s\" is not a duration; write for example 500ms, 10s, 5min, 2h, 14d",
			node->text);
	else if (*ms < key->min || *ms > key->max)
		reader_error(r, node, key->name, reader_code(r, key->code, NULL),
			"%s is out of range; allowed are %" PRId64 "ms to %" PRId64 "ms",
			node->text, key->min, key->max);
	else
		return true;
	return false;
}

static void
read_duration(struct reader *r, const struct key *key, const struct node *node, void *field)
{
	int64_t ms;

	if (duration(r, key, node, &ms))
		memcpy(field, &ms, sizeof ms);
}

static void
read_ms(struct reader *r, const struct key *key, const struct node *node, void *field)
{
	int64_t ms;

	if (duration(r, key, node, &ms))
		*(int *)field = (int)ms;
}

static void
read_size(struct reader *r, const struct key *key, const struct node *node, void *field)
{
	int64_t bytes;

	if (!reader_is_scalar(r, node, key->name, NULL))
		return;
	if (!scalar_size(node->text, &bytes))
		reader_error(r, node, key->name, NULL,
			"\"%.40s\" is not a size; write for example 64KiB, 512MiB, 2GiB",
			node->text);
	else if (bytes < key->min || bytes > key->max)
		reader_error(r, node, key->name, NULL,
			"%s is out of range; allowed are %" PRId64 " to %" PRId64 " bytes",
			node->text, key->min, key->max);
	else
		memcpy(field, &bytes, sizeof bytes);
}

static const struct key text_keys[] = {
	{.name = "ru", .type = KEY_STRING, .offset = offsetof(struct text, ru), .doc = "Russian"},
	{.name = "en", .type = KEY_STRING, .offset = offsetof(struct text, en), .doc = "English"},
};
static const struct key_table text_table = KEY_TABLE("text", text_keys);

static void
read_map(struct reader *r, const struct key *key, const struct node *node, void *field)
{
	struct path path;

	reader_push(r, &path, key->name, SIZE_MAX);
	keys_read(r, key->sub, node, field);
	reader_pop(r);
}

static void
read_text(struct reader *r, const struct key *key, const struct node *node, void *field)
{
	struct key as_map = *key;

	as_map.sub = &text_table;
	read_map(r, &as_map, node, field);
}

static void
read_node(struct reader *r, const struct key *key, const struct node *node, void *field)
{
	(void)r;
	(void)key;
	memcpy(field, &node, sizeof node);
}

static void
read_list(struct reader *r, const struct key *key, const struct node *node, void *field)
{
	if (node->kind == NODE_LIST)
		memcpy(field, &node, sizeof node);
	else
		reader_error(r, node, key->name, reader_code(r, key->code, NULL),
			"must be a list: lines beginning with \"-\", or [ … ]");
}

static void (*const read_value[KEY_TYPES])(
	struct reader *r, const struct key *key, const struct node *node, void *field) = {
	[KEY_STRING] = read_string,
	[KEY_ID] = read_id,
	[KEY_NAME] = read_name,
	[KEY_WORD] = read_word,
	[KEY_INT] = read_int,
	[KEY_NUMBER] = read_number,
	[KEY_BOOL] = read_bool,
	[KEY_DURATION] = read_duration,
	[KEY_MS] = read_ms,
	[KEY_SIZE] = read_size,
	[KEY_TEXT] = read_text,
	[KEY_MAP] = read_map,
	[KEY_NODE] = read_node,
	[KEY_LIST] = read_list,
};

static void
unknown_key(struct reader *r, const struct key_table *table, const struct node *key)
{
	const char *words[KEYS_MAX + 1];
	char allowed[400];
	size_t n = table->n;

	for (size_t i = 0; i < n; i++)
		words[i] = table->keys[i].name;
	words[n] = NULL;
	const char *hint = reader_hint(r, key->text, words);
	list_words(words, allowed, sizeof allowed);
	reader_error(r, key, NULL, reader_code(r, NULL, "P002"), "unknown key \"%.64s\"%s%s",
		key->text, *hint ? hint : "; known are ", *hint ? "" : allowed);
}

/* Before anything is read: what is wrong or missing then has its default. */
static void
set_defaults(struct reader *r, const struct key_table *table, void *out)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct key *key = &table->keys[i];
		void *field = (char *)out + key->offset;
		struct node def = {.kind = NODE_SCALAR, .plain = true, .text = key->def};
		if (key->type == KEY_MAP)
			set_defaults(r, key->sub, field);
		else if (key->def)
			read_value[key->type](r, key, &def, field);
	}
}

/* A map that is missing may have keys that must not. */
static void
missing_key(struct reader *r, const struct key *key, const struct node *map, void *field)
{
	if (r->overlay)
		return;
	if (key->type == KEY_MAP) {
		struct node none = {.kind = NODE_MAP, .line = map->line, .column = map->column};
		read_map(r, key, &none, field);
	} else if (key->flags & KEY_REQUIRED) {
		reader_error(
			r, map, NULL, reader_code(r, NULL, "P003"), "\"%s\" is missing", key->name);
	}
}

void
keys_read(struct reader *r, const struct key_table *table, const struct node *map, void *out)
{
	const struct node *found[KEYS_MAX] = {NULL};

	if (!r->overlay)
		set_defaults(r, table, out);
	if (map->kind != NODE_MAP) {
		reader_error(r, map, NULL, reader_code(r, NULL, "P003"),
			"must be a map: lines of \"key: value\", or { … }");
		return;
	}
	for (const struct node *child = map->first; child; child = child->next) {
		size_t i = 0;
		while (i < table->n && strcmp(child->key->text, table->keys[i].name) != 0)
			i++;
		/* Of a key that is there twice (told already) the first counts, as in node_get().
		 */
		if (i < table->n)
			found[i] = found[i] ? found[i] : child;
		else
			unknown_key(r, table, child->key);
	}
	for (size_t i = 0; i < table->n; i++) {
		const struct key *key = &table->keys[i];
		void *field = (char *)out + key->offset;
		if (found[i])
			read_value[key->type](r, key, found[i], field);
		else
			missing_key(r, key, map, field);
	}
}
