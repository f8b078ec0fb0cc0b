/* SPDX-License-Identifier: MIT */
/* keys.h -- maps of keys as tables: what may stand in a file, and where it goes
 *
 * One table drives the parser, the JSON Schemas and the list of keys in the documentation. A key
 * that needs more than a type is kept as a node (KEY_NODE, KEY_LIST) for the function that
 * understands it; `schema` then says its shape.
 */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include "config/yaml.h"

enum key_type {
	KEY_STRING,   /* const char * */
	KEY_ID,       /* const char *, [a-z0-9][a-z0-9_-]{0,31} */
	KEY_NAME,     /* const char *, one of `words` */
	KEY_WORD,     /* enum, index into `words` */
	KEY_INT,      /* int, min..max */
	KEY_NUMBER,   /* double */
	KEY_BOOL,     /* bool */
	KEY_DURATION, /* int64_t in ms, min..max */
	KEY_MS,       /* the same as int */
	KEY_SIZE,     /* int64_t bytes, min..max */
	KEY_TEXT,     /* struct text: {ru, en} */
	KEY_MAP,      /* `sub` in place, its offsets counted from `offset` */
	KEY_NODE,     /* const struct node * */
	KEY_LIST,     /* the same, checked to be a list of maps (of `sub`) */
	KEY_TYPES
};

enum key_flag {
	KEY_REQUIRED = 1,
	KEY_RESTART = 2 /* a reload does not apply it */
};

struct key_table;

struct key {
	const char *name;
	enum key_type type;
	unsigned flags;
	size_t offset;
	const char *def;   /* as it would be written; NULL: zeroes */
	const char *shown; /* default as documented, where it is not `def` */
	int64_t min, max;
	const char *const *words; /* ends with NULL */
	const struct key_table *sub;
	const char *schema; /* KEY_NODE: JSON Schema of the value */
	const char *code;   /* of the profile rule that a bad value breaks */
	const char *doc;
};

struct key_table {
	const char *name; /* of the definition in the schema */
	const struct key *keys;
	size_t n;
};

#define KEY_TABLE(name_, keys_)                                                                    \
	{                                                                                          \
		name_, keys_, sizeof(keys_) / sizeof(keys_)[0]                                     \
	}

struct path {
	const struct path *up;
	const char *key;
	size_t index; /* SIZE_MAX: none */
};

struct reader {
	struct problems *problems;
	struct arena *arena; /* strings go here */
	const char *file;
	const struct path *path;
	bool codes;         /* profile files name the rule that is broken */
	bool overlay;       /* keys that are missing keep what `out` holds */
	const char *repeat; /* name of the variable in {i+1}; NULL: none */
	int64_t repeat_at;  /* its value */
};

/* Fills `out` from a map. Problems are reported; what is wrong keeps its default. */
void keys_read(struct reader *r, const struct key_table *table, const struct node *map, void *out);

void reader_push(struct reader *r, struct path *path, const char *key, size_t index);
void reader_pop(struct reader *r);

/* Problems at a node (NULL: the file as a whole), with the reader's path. `key`: appended to it;
 * NULL for none. */
void reader_error(struct reader *r, const struct node *at, const char *key, const char *code,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void reader_warning(struct reader *r, const struct node *at, const char *key, const char *code,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* `code` (or `otherwise`, if that is NULL) where the reader names rules, else NULL. */
const char *reader_code(const struct reader *r, const char *code, const char *otherwise);
/* False and an error if the node is a list, a map or nothing. */
bool reader_is_scalar(struct reader *r, const struct node *node, const char *key, const char *code);
/* ""; or "; did you mean "x"?" in a buffer of the arena. */
const char *reader_hint(struct reader *r, const char *word, const char *const *words);
/* The word of a scalar with {i+1} replaced, or NULL and an error. */
const char *reader_string(
	struct reader *r, const struct node *node, const char *key, const char *code);
/* A number with its traps explained; false and an error if it is none. */
bool reader_int(struct reader *r, const struct node *node, const char *key, int64_t min,
	int64_t max, const char *code, int64_t *out);
bool reader_number(
	struct reader *r, const struct node *node, const char *key, const char *code, double *out);

#endif
