/* SPDX-License-Identifier: MIT */
/* yaml.c -- a YAML file as a tree in which every node knows its line and column
 *
 * libyaml's events are used, not its documents: a document follows aliases, and knows lines only
 * of what it kept. Keys and values of a map are siblings while it is being built and are paired
 * when it ends.
 */
#include "config/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

enum { DEPTH_MAX = 16, NODES_MAX = 1000000, ARENA_MAX = 192 * 1024 * 1024 };

struct builder {
	struct yaml *y;
	struct problems *problems;
	struct node *open[DEPTH_MAX]; /* collections not yet ended */
	struct node *last[DEPTH_MAX]; /* their last child so far */
	int depth;
	size_t nodes;
	int rc;
	yaml_event_t event; /* here, so that it is deleted also when memory is out */
};

static void
complain(struct builder *b, int line, int column, const char *text)
{
	problem_add(b->problems, true, b->y->file, line, column, NULL, "P037", "%s", text);
	b->rc = -EINVAL;
}

static void
complain_at(struct builder *b, yaml_mark_t at, const char *text)
{
	complain(b, (int)at.line + 1, (int)at.column + 1, text);
}

static void
attach(struct builder *b, struct node *node)
{
	if (!b->depth) {
		b->y->root = node;
		return;
	}
	struct node *parent = b->open[b->depth - 1], **last = &b->last[b->depth - 1];
	if (*last)
		(*last)->next = node;
	else
		parent->first = node;
	*last = node;
	parent->n++;
}

static struct node *
add(struct builder *b, enum node_kind kind, yaml_mark_t at)
{
	if (++b->nodes > NODES_MAX) {
		complain_at(b, at, "too many values; at most 1000000 are read");
		return NULL;
	}
	struct node *node = arena_alloc(&b->y->arena, sizeof *node);
	node->kind = (uint8_t)kind;
	node->line = (int)at.line + 1;
	node->column = (int)at.column + 1;
	node->text = "";
	attach(b, node);
	return node;
}

static void
open_collection(struct builder *b, enum node_kind kind, yaml_mark_t at)
{
	if (b->depth == DEPTH_MAX) {
		complain_at(b, at, "nested too deep; at most 16 levels are read");
		return;
	}
	struct node *node = add(b, kind, at);
	if (!node)
		return;
	b->open[b->depth] = node;
	b->last[b->depth++] = NULL;
}

static int
by_key(const void *a, const void *b)
{
	const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
	int order = strcmp(x->key->text, y->key->text);

	return order ? order : (x->key->line > y->key->line) - (x->key->line < y->key->line);
}

/* Sorted, because a hostile file may have a million keys in one map. */
static void
find_duplicates(struct builder *b, struct node *map)
{
	if (map->n < 2)
		return;
	struct node **list = malloc(map->n * sizeof(struct node *));
	if (!list) {
		b->rc = -ENOMEM;
		return;
	}
	size_t n = 0;
	for (struct node *child = map->first; child; child = child->next)
		list[n++] = child;
	qsort(list, n, sizeof(struct node *), by_key);
	for (size_t i = 1; i < n; i++) {
		const struct node *was = list[i - 1]->key, *key = list[i]->key;
		if (strcmp(was->text, key->text) != 0)
			continue;
		problem_add(b->problems, true, b->y->file, key->line, key->column, NULL, "P037",
			"duplicate key \"%.64s\" (lines %d and %d); keep one", key->text, was->line,
			key->line);
	}
	free(list);
}

static void
check_key(struct builder *b, const struct node *key)
{
	if (key->kind != NODE_SCALAR)
		complain(b, key->line, key->column, "a key must be a word, not a list or map");
	else if (key->plain && strcmp(key->text, "<<") == 0)
		complain(b, key->line, key->column,
			"merge keys are not allowed; write the keys out");
}

/* key, value, key, value becomes a list of values that know their keys. */
static void
pair_up(struct builder *b, struct node *map)
{
	struct node *key = map->first, **tail = &map->first;

	map->n /= 2;
	while (key) {
		struct node *value = key->next, *next = value->next;
		check_key(b, key);
		value->key = key;
		*tail = value;
		tail = &value->next;
		key = next;
	}
	*tail = NULL;
	find_duplicates(b, map);
}

static void
close_collection(struct builder *b)
{
	struct node *node = b->open[--b->depth];

	if (node->kind == NODE_MAP)
		pair_up(b, node);
}

static void
add_scalar(struct builder *b, const yaml_event_t *e)
{
	struct node *node = add(b, NODE_SCALAR, e->start_mark);

	if (!node)
		return;
	node->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text =
		arena_copy(&b->y->arena, (const char *)e->data.scalar.value, e->data.scalar.length);
	if (strlen(node->text) != e->data.scalar.length)
		complain_at(b, e->start_mark, "text with a NUL character; leave it out");
}

static const yaml_char_t *
event_anchor(const yaml_event_t *e)
{
	if (e->type == YAML_SCALAR_EVENT)
		return e->data.scalar.anchor;
	if (e->type == YAML_SEQUENCE_START_EVENT)
		return e->data.sequence_start.anchor;
	return e->type == YAML_MAPPING_START_EVENT ? e->data.mapping_start.anchor : NULL;
}

static const yaml_char_t *
event_tag(const yaml_event_t *e)
{
	if (e->type == YAML_SCALAR_EVENT)
		return e->data.scalar.tag;
	if (e->type == YAML_SEQUENCE_START_EVENT)
		return e->data.sequence_start.tag;
	return e->type == YAML_MAPPING_START_EVENT ? e->data.mapping_start.tag : NULL;
}

static void
take_event(struct builder *b, const yaml_event_t *e)
{
	if (e->type == YAML_ALIAS_EVENT || event_anchor(e))
		complain_at(b, e->start_mark, "anchors and aliases are not allowed; write it out");
	else if (event_tag(e))
		complain_at(b, e->start_mark, "tags (\"!\") are not allowed; quote the text");
	else if (e->type == YAML_DOCUMENT_START_EVENT && b->y->root)
		complain_at(b, e->start_mark, "a second document begins; one file holds one");
	else if (e->type == YAML_SCALAR_EVENT)
		add_scalar(b, e);
	else if (e->type == YAML_SEQUENCE_START_EVENT)
		open_collection(b, NODE_LIST, e->start_mark);
	else if (e->type == YAML_MAPPING_START_EVENT)
		open_collection(b, NODE_MAP, e->start_mark);
	else if (e->type == YAML_SEQUENCE_END_EVENT || e->type == YAML_MAPPING_END_EVENT)
		close_collection(b);
}

static void
complain_parser(struct builder *b, const yaml_parser_t *parser)
{
	const char *what = parser->problem ? parser->problem : "not YAML";
	yaml_mark_t at = parser->problem_mark;

	if (parser->error == YAML_MEMORY_ERROR)
		b->rc = -ENOMEM;
	else if (strstr(what, "cannot start any token"))
		complain_at(b, at,
			"this character cannot begin a word (a tab?); indent with spaces, "
			"quote the text");
	else
		complain_at(b, at, what);
}

static void
read_events(struct builder *b, yaml_parser_t *parser)
{
	bool done = false;

	while (!done && b->rc == 0) {
		if (!yaml_parser_parse(parser, &b->event)) {
			complain_parser(b, parser);
			return;
		}
		take_event(b, &b->event);
		done = b->event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&b->event);
	}
}

static void
build(struct builder *b, const char *text, size_t len)
{
	yaml_parser_t parser;

	if (!yaml_parser_initialize(&parser)) {
		b->rc = -ENOMEM;
		return;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (setjmp(b->y->full) == 0)
		read_events(b, &parser);
	else
		complain_at(b, parser.mark, "the file needs too much memory");
	yaml_event_delete(&b->event);
	yaml_parser_delete(&parser);
	if (b->rc == 0 && !b->y->root)
		complain(b, 1, 1, "the file is empty");
}

/* Length of the well-formed UTF-8 character at s, 0 if there is none. */
static size_t
utf8_len(const unsigned char *s, size_t left)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n == 0 || n > left || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
	bool outside = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
	return overlong || outside ? 0 : n;
}

/* libyaml would find these too, but without saying where; and it compares every %TAG with all
 * before it, which a hostile file can make last for minutes. */
static void
check_bytes(struct builder *b, const char *text, size_t len)
{
	int line = 1, column = 1;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_len((const unsigned char *)text + i, len - i);
		if (n == 0 || text[i] == '\0') {
			complain(b, line, column,
				n == 0 ? "not UTF-8 text; save the file as UTF-8"
				       : "a NUL byte; the file must be text");
			return;
		}
		if (text[i] == '%' && column == 1) {
			complain(b, line, column,
				"directives (\"%\") are not allowed; leave the line out");
			return;
		}
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
}

int
yaml_parse(
	struct yaml *y, const char *file, const char *text, size_t len, struct problems *problems)
{
	struct builder b = {.y = y, .problems = problems};

	memset(y, 0, sizeof *y);
	y->file = file;
	y->hash = yaml_hash(YAML_HASH_START, text, len);
	arena_init(&y->arena, ARENA_MAX, &y->full);
	check_bytes(&b, text, len);
	if (b.rc == 0)
		build(&b, text, len);
	if (b.rc == -ENOMEM)
		problem_add(problems, true, file, 0, 0, NULL, NULL, "out of memory");
	if (b.rc)
		y->root = NULL;
	return b.rc;
}

/* O_NONBLOCK: opening a FIFO or a device must not wait for somebody at its other end. */
static int
open_regular(const char *file, size_t max, const char **why)
{
	int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	*why = NULL;
	if (fd < 0)
		return -errno;
	int rc = fstat(fd, &st) ? -errno : 0;
	if (rc == 0 && !S_ISREG(st.st_mode)) {
		*why = S_ISDIR(st.st_mode) ? "is a directory; name a file"
					   : "is not a regular file";
		rc = -EINVAL;
	} else if (rc == 0 && st.st_size > (off_t)max) {
		*why = "is too big";
		rc = -EFBIG;
	}
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

/* One byte more than allowed is asked for: the file may have grown since fstat(). */
static ssize_t
read_all(int fd, char *buf, size_t room)
{
	size_t len = 0;

	while (len < room) {
		ssize_t n = read(fd, buf + len, room - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return len == room ? -EFBIG : (ssize_t)len;
}

static void
complain_file(struct problems *problems, const char *file, size_t max, int rc, const char *why)
{
	if (rc == -EFBIG)
		problem_add(problems, true, file, 0, 0, NULL, NULL,
			"is too big; at most %zu KiB are read", max / 1024);
	else
		problem_add(
			problems, true, file, 0, 0, NULL, NULL, "%s", why ? why : strerror(-rc));
}

int
yaml_read(struct yaml *y, const char *file, size_t max, struct problems *problems)
{
	const char *why;
	char *buf = NULL;
	ssize_t len = 0;

	memset(y, 0, sizeof *y);
	y->file = file;
	int fd = open_regular(file, max, &why);
	if (fd < 0) {
		complain_file(problems, file, max, fd, why);
		return fd;
	}
	buf = malloc(max + 1);
	len = buf ? read_all(fd, buf, max + 1) : -ENOMEM;
	close(fd);
	if (len < 0)
		complain_file(problems, file, max, (int)len, NULL);
	else
		len = yaml_parse(y, file, buf, (size_t)len, problems);
	free(buf);
	return (int)len;
}

void
yaml_finish(struct yaml *y)
{
	arena_finish(&y->arena);
	y->root = NULL;
}

const struct node *
node_get(const struct node *map, const char *key)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (const struct node *child = map->first; child; child = child->next)
		if (strcmp(child->key->text, key) == 0)
			return child;
	return NULL;
}

uint64_t
yaml_hash(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}
