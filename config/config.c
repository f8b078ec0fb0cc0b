/* SPDX-License-Identifier: MIT */
/* config.c -- loads the configuration whole or not at all
 *
 * The file becomes a tree (yaml.c), the tree becomes drafts through tables (keys.c,
 * config_keys.c), and the drafts become the configuration here and in mqtt.c, bus.c, machine.c,
 * source.c, rules.c and load.c. Trees and drafts are gone when loading ends; what stays stands in
 * one arena, and the profiles beside it.
 */
#include "config/config.h"

#include <ctype.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/loader.h"
#include "config/scalar.h"

enum { ARENA_MAX = 512 * 1024 * 1024 };

struct memory { /* everything a configuration stands on, but for profiles */
	struct arena arena;
	jmp_buf full;
};

const char *
config_text(const struct text *t, enum language language)
{
	const char *first = language == LANGUAGE_RU ? t->ru : t->en;
	const char *other = language == LANGUAGE_RU ? t->en : t->ru;

	return first ? first : other ? other : "";
}

/* The host's name up to the first dot, as an id. */
static const char *
default_gateway(struct arena *a)
{
	char name[256] = "";

	if (gethostname(name, sizeof name - 1))
		name[0] = '\0';
	name[strcspn(name, ".")] = '\0';
	name[32] = '\0';
	for (char *c = name; *c; c++)
		*c = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '-';
	const char *begin = name + strspn(name, "-");
	return arena_text(a, *begin ? begin : "gateway");
}

/* systemd gives several directories with colons between them; the first is ours. */
static const char *
default_dir(struct arena *a, const char *variable, const char *otherwise)
{
	const char *dir = getenv(variable);
	size_t len = dir ? strcspn(dir, ":") : 0;

	return len ? arena_copy(a, dir, len) : arena_text(a, otherwise);
}

static void
fill_defaults(struct loader *l)
{
	struct config *c = l->c;
	struct arena *a = l->r.arena;

	if (!c->gateway)
		c->gateway = default_gateway(a);
	if (!c->mqtt.username)
		c->mqtt.username = c->park;
	if (!c->mqtt.client_id)
		c->mqtt.client_id = arena_printf(a, "%s-%s", c->park ? c->park : "", c->gateway);
	if (!c->spool_path)
		c->spool_path = default_dir(a, "STATE_DIRECTORY", "/var/lib/labpulse");
	if (!c->control)
		c->control = arena_printf(a, "%s/control",
			default_dir(&l->scratch, "RUNTIME_DIRECTORY", "/run/labpulse"));
}

static bool
is_prefix(const char *root)
{
	size_t len = strlen(root);

	return len <= 128 && *root != '/' && *root != '$' && root[len - 1] != '/' &&
	       !strpbrk(root, "+# ") && !strstr(root, "//");
}

static void
check_mqtt(struct loader *l, const struct node *root)
{
	const struct mqtt_config *mqtt = &l->c->mqtt;
	const struct node *map = node_get(root, "mqtt");

	if (mqtt->topic_root && !is_prefix(mqtt->topic_root))
		reader_error(&l->r, node_get(map, "topic_root"), "mqtt.topic_root", NULL,
			"\"%.64s\" must be topic levels without +, #, spaces and empty levels",
			mqtt->topic_root);
	if (!mqtt->cert_file != !mqtt->key_file)
		reader_error(&l->r, map, "mqtt", NULL, "cert_file and key_file need each other");
	if (mqtt->reconnect_min_ms > mqtt->reconnect_max_ms)
		reader_error(&l->r, node_get(map, "reconnect"), "mqtt.reconnect", NULL,
			"min must not be longer than max");
}

static void
check_hass(struct loader *l, const struct node *root)
{
	const char *prefix = l->c->hass_prefix;

	if (prefix && !is_prefix(prefix))
		reader_error(&l->r, node_get(node_get(root, "home_assistant"), "prefix"),
			"home_assistant.prefix", NULL,
			"\"%.64s\" must be topic levels without +, #, spaces and empty levels",
			prefix);
}

static void
read_all(struct loader *l, const struct node *root)
{
	struct config *c = l->c;

	keys_read(&l->r, &config_table, root, &l->d);
	*c = l->d.c;
	c->mqtt.ack_archiver = l->d.ack == ACK_ARCHIVER;
	fill_defaults(l);
	loader_brokers(l);
	loader_listen(l);
	check_mqtt(l, root);
	check_hass(l, root);
	loader_check_secrets(l, root);
	loader_buses(l);
	loader_machines(l);
	loader_plugs(l);
	loader_check_units(l);
	loader_check_load(l);
}

static void
set_dirs(struct loader *l, const char *file, const char *profiles_dir)
{
	char *copy = arena_text(&l->scratch, file);

	l->dirs = (struct profile_dirs){
		.dirs = {profiles_dir, arena_printf(&l->scratch, "%s/profiles", dirname(copy)),
			"/etc/labpulse/profiles", LABPULSE_PREFIX "/share/labpulse/profiles",
			"/usr/share/labpulse/profiles"},
		.n = 5};
}

/* False: out of memory. */
static bool
load_guarded(
	struct loader *l, struct memory *memory, const struct yaml *y, const char *profiles_dir)
{
	if (setjmp(memory->full)) {
		problem_add(l->r.problems, true, y->file, 0, 0, NULL, NULL,
			"the configuration needs too much memory");
		return false;
	}
	l->c = arena_alloc(&memory->arena, sizeof *l->c);
	set_dirs(l, y->file, profiles_dir);
	read_all(l, y->root);
	l->c->file = arena_text(&memory->arena, y->file);
	snprintf(l->c->hash, sizeof l->c->hash, "%016" PRIx64, l->hash);
	return true;
}

static struct config *
load_tree(const struct yaml *y, const char *profiles_dir, struct problems *problems)
{
	struct memory *memory = calloc(1, sizeof *memory);
	struct loader *l = calloc(1, sizeof *l);
	struct config *c = NULL;
	size_t errors = problems->errors;

	if (!memory || !l) {
		problem_add(problems, true, y->file, 0, 0, NULL, NULL, "out of memory");
		goto out;
	}
	arena_init(&memory->arena, ARENA_MAX, &memory->full);
	arena_init(&l->scratch, ARENA_MAX, &memory->full);
	l->r = (struct reader){.problems = problems, .arena = &memory->arena, .file = y->file};
	l->hash = y->hash;
	bool good = load_guarded(l, memory, y, profiles_dir) && problems->errors == errors;
	arena_finish(&l->scratch);
	c = l->c;
	if (c)
		c->memory = memory;
	if (c && !good) {
		config_free(c);
		c = NULL;
		memory = NULL;
	}
out:
	if (!c && memory) {
		arena_finish(&memory->arena);
		free(memory);
	}
	free(l);
	return c;
}

/* What was wrong with the tree (duplicate keys) counts as well. */
static struct config *
finish(struct yaml *y, int rc, size_t errors, const char *profiles_dir, struct problems *problems)
{
	struct config *c = rc == 0 ? load_tree(y, profiles_dir, problems) : NULL;

	yaml_finish(y);
	if (c && problems->errors > errors) {
		config_free(c);
		return NULL;
	}
	return c;
}

struct config *
config_load(const char *file, const char *profiles_dir, struct problems *problems)
{
	size_t errors = problems->errors;
	struct yaml y;

	int rc = yaml_read(&y, file, YAML_MAX_CONFIG, problems);
	return finish(&y, rc, errors, profiles_dir, problems);
}

struct config *
config_load_text(const char *file, const char *text, size_t len, const char *profiles_dir,
	struct problems *problems)
{
	size_t errors = problems->errors;
	struct yaml y;

	int rc = yaml_parse(&y, file, text, len, problems);
	return finish(&y, rc, errors, profiles_dir, problems);
}

void
config_free(struct config *c)
{
	if (!c)
		return;
	struct memory *memory = c->memory;
	for (size_t i = 0; i < c->n_profiles; i++)
		profile_free(c->profiles[i]);
	arena_finish(&memory->arena);
	free(memory);
}
