/* SPDX-License-Identifier: MIT */
/* profile.c -- reads profile files
 *
 * A file is read into drafts through the tables of profile_keys.c. With `extends` the other file is
 * read first and this one on top of it; everything is settled and checked only then, because only
 * the result must be right.
 */
#include "config/profile.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config_keys.h"
#include "config/profile_load.h"
#include "config/scalar.h"

bool
profile_id_ok(const char *id)
{
	return scalar_matches(id, SCALAR_LOWER SCALAR_DIGIT, SCALAR_LOWER SCALAR_DIGIT "-", 3, 48);
}

const char *
profile_find(struct arena *a, const struct profile_dirs *dirs, const char *id)
{
	for (size_t i = 0; i < dirs->n && profile_id_ok(id); i++) {
		if (!dirs->dirs[i])
			continue;
		const char *path = arena_printf(a, "%s/%s.yaml", dirs->dirs[i], id);
		if (access(path, F_OK) == 0)
			return path;
	}
	return NULL;
}

void
profile_enter(struct profile_loader *l, const char *key)
{
	bool other = key && l->base_file && !node_get(l->root, key);

	l->r.file = other ? l->base_file : l->file;
}

static void
read_group(struct profile_loader *l, const struct node *node)
{
	struct group_draft *g = &l->groups[l->n_groups++];

	keys_read(&l->r, &group_table, node, g);
	g->node = node;
	g->file = l->r.file;
}

/* The groups of an extending profile replace all others: points name them, so mixing would only
 * hide mistakes. */
static void
read_groups(struct profile_loader *l, const struct node *list)
{
	static const struct node nowhere = {.kind = NODE_MAP, .text = ""};
	struct path path;

	if (list && (list->n == 0 || list->n > PROFILE_GROUPS_MAX)) {
		reader_error(&l->r, list, "groups", "P025", "1 to %d groups are allowed",
			PROFILE_GROUPS_MAX);
		list = NULL;
	}
	if (!list && l->n_groups)
		return;
	l->n_groups = 0;
	l->groups = arena_array(l->scratch, list ? list->n : 1, sizeof *l->groups);
	if (!list) {
		l->groups[l->n_groups++] = (struct group_draft){
			.g = {"main", 5000, 1}, .node = &nowhere, .file = l->r.file};
		return;
	}
	for (const struct node *child = list->first; child; child = child->next) {
		reader_push(&l->r, &path, "groups", l->n_groups);
		read_group(l, child);
		reader_pop(&l->r);
	}
}

static struct point_draft *
find_draft(struct profile_loader *l, const char *id)
{
	for (size_t i = 0; id && i < l->n_points; i++)
		if (l->points[i].id && strcmp(l->points[i].id, id) == 0)
			return &l->points[i];
	return NULL;
}

static void
read_address(struct profile_loader *l, const struct node *node, struct point_draft *d)
{
	struct address_draft a = {0};
	struct path path;

	if (node->kind != NODE_MAP) {
		reader_int(&l->r, node, "address", 0, 65535, "P009", &d->wire);
		return;
	}
	reader_push(&l->r, &path, "address", SIZE_MAX);
	keys_read(&l->r, &address_table, node, &a);
	reader_pop(&l->r);
	d->wire = a.base + (l->r.repeat ? l->r.repeat_at * a.step : 0);
}

static void
read_point(struct profile_loader *l, const struct node *node, bool extending)
{
	struct point_draft fresh = {.p = {.deadband = -1,
					    .scale_from = -1,
					    .sign_from = -1,
					    .atomic_with = -1}},
			   *d = &fresh;
	const struct node *id = node_get(node, "id"), *address = node_get(node, "address");

	if (extending && id && id->kind == NODE_SCALAR)
		d = find_draft(l, l->r.repeat ? reader_string(&l->r, id, "id", "P004") : id->text);
	if (!d)
		d = &fresh;
	size_t errors = l->r.problems->errors;
	l->r.overlay = d != &fresh;
	keys_read(&l->r, &point_table, node, d);
	l->r.overlay = false;
	if (address)
		read_address(l, address, d);
	d->node = node;
	d->file = l->r.file;
	d->broken |= l->r.problems->errors > errors;
	if (d == &fresh)
		l->points[l->n_points++] = fresh;
}

/* One point or, with `repeat`, several; after a bad one the others would only say the same. */
static void
read_repeated(struct profile_loader *l, const struct node *node, size_t room, bool extending)
{
	struct repeat_draft repeat = {.n = 1};
	const struct node *spec = node_get(node, "repeat");
	size_t errors = l->r.problems->errors;
	struct path path;

	if (spec) {
		reader_push(&l->r, &path, "repeat", SIZE_MAX);
		keys_read(&l->r, &repeat_table, spec, &repeat);
		reader_pop(&l->r);
		l->r.repeat = repeat.var ? repeat.var : "i";
	}
	if ((size_t)repeat.n > room)
		reader_error(&l->r, node, NULL, "P003", "more than %d points", PROFILE_POINTS_MAX);
	for (int i = 0; i < repeat.n && l->r.problems->errors == errors; i++) {
		l->r.repeat_at = i;
		read_point(l, node, extending);
	}
	l->r.repeat = NULL;
}

static void
read_points(struct profile_loader *l, const struct node *list, bool extending)
{
	struct path path;
	size_t i = 0;

	if (!list)
		return;
	for (const struct node *child = list->first; child; child = child->next) {
		reader_push(&l->r, &path, "points", i++);
		if (l->n_points < PROFILE_POINTS_MAX)
			read_repeated(l, child, PROFILE_POINTS_MAX - l->n_points, extending);
		reader_pop(&l->r);
	}
	if (list->n > PROFILE_POINTS_MAX || (!extending && list->n == 0))
		reader_error(&l->r, list, "points", "P003", "1 to %d points are allowed",
			PROFILE_POINTS_MAX);
}

/* ---- provenance and link ----------------------------------------------------------------- */

static void
check_origins(struct profile_loader *l)
{
	const char *first = NULL;
	bool different = false, two = l->d.status && strcmp(l->d.status, "two_sources") == 0;
	struct path path;
	size_t i = 0;

	profile_enter(l, "sources");
	for (const struct node *n = l->d.sources->first; n; n = n->next) {
		struct origin_draft o = {0};
		reader_push(&l->r, &path, "sources", i++);
		keys_read(&l->r, &origin_table, n, &o);
		reader_pop(&l->r);
		different |= first && o.origin && strcmp(first, o.origin) != 0;
		first = first ? first : o.origin;
	}
	profile_enter(l, NULL);
	if (l->d.sources->n == 0)
		reader_error(&l->r, l->d.sources, "sources", "P032", "at least one is needed");
	else if (two && !different)
		reader_error(&l->r, node_get(l->root, "status"), "status", "P032",
			"two_sources needs two different origins; all are \"%s\"",
			first ? first : "?");
}

static void
check_list(struct profile_loader *l, const struct node *list, const char *name,
	const struct key_table *table, void *draft, size_t size)
{
	struct path path;
	size_t i = 0;

	profile_enter(l, name);
	for (const struct node *n = list ? list->first : NULL; n; n = n->next) {
		memset(draft, 0, size);
		reader_push(&l->r, &path, name, i++);
		keys_read(&l->r, table, n, draft);
		reader_pop(&l->r);
	}
	profile_enter(l, NULL);
}

static void
check_strings(struct profile_loader *l, const struct node *list, const char *name)
{
	if (!list)
		return;
	if (list->kind != NODE_LIST)
		reader_error(&l->r, list, name, "P003", "must be a list");
	for (const struct node *n = list->first; n && list->kind == NODE_LIST; n = n->next)
		reader_string(&l->r, n, name, NULL);
}

static void
check_provenance(struct profile_loader *l)
{
	struct verified_draft verified;
	struct text caveat;

	if (l->d.sources)
		check_origins(l);
	check_list(l, l->d.verified, "verified", &verified_table, &verified, sizeof verified);
	check_list(l, l->d.caveats, "caveats", &caveat_table, &caveat, sizeof caveat);
	check_strings(l, l->d.models, "models");
	if (l->d.status && strcmp(l->d.status, "hardware_verified") == 0 && !l->d.verified)
		reader_error(&l->r, node_get(l->root, "status"), "status", "P032",
			"hardware_verified needs \"verified\": who, when");
}

static bool
is_baud(const struct node *node)
{
	for (size_t i = 0; config_baud_words[i]; i++)
		if (node->kind == NODE_SCALAR && strcmp(node->text, config_baud_words[i]) == 0)
			return true;
	return false;
}

static void
check_bauds(struct profile_loader *l)
{
	const struct node *link = node_get(l->root, "link"), *baud = node_get(link, "baud");

	if (baud && !is_baud(baud))
		reader_error(
			&l->r, baud, "link.baud", "P035", "%s is not a standard speed", baud->text);
	if (!l->d.bauds)
		return;
	if (l->d.bauds->kind != NODE_LIST)
		reader_error(&l->r, l->d.bauds, "link.bauds", "P035", "must be a list of speeds");
	const struct node *child = l->d.bauds->kind == NODE_LIST ? l->d.bauds->first : NULL;
	for (; child; child = child->next)
		if (!is_baud(child))
			reader_error(&l->r, child, "link.bauds", "P035",
				"%s is not a standard speed", child->text);
}

static void
read_transport(struct profile_loader *l, const struct node *node)
{
	struct profile_link *link = &l->d.link;
	const char *name = node->kind == NODE_SCALAR ? node->text : "";

	if (strcmp(name, "rtu") == 0)
		link->rtu = true;
	else if (strcmp(name, "tcp") == 0)
		link->tcp = true;
	else if (strcmp(name, "rtu_over_tcp") == 0)
		reader_warning(&l->r, node, "link.transports", "P036",
			"rtu_over_tcp is not served; use a gateway that speaks Modbus TCP");
	else
		reader_error(&l->r, node, "link.transports", "P036",
			"\"%.40s\" is not known; use rtu, tcp, rtu_over_tcp", name);
}

static void
settle_link(struct profile_loader *l)
{
	struct profile_link *link = &l->d.link;
	const struct node *list = l->d.transports;

	link->rtu = !list;
	link->tcp = false;
	if (list && list->kind != NODE_LIST)
		reader_error(&l->r, list, "link.transports", "P036", "must be a list");
	else if (list)
		for (const struct node *child = list->first; child; child = child->next)
			read_transport(l, child);
	if (l->d.format)
		memcpy(link->format, l->d.format, 3);
	l->d.limits.holes = l->d.holes == HOLES_ALLOW;
	if (link->rtu && link->unit == 0)
		reader_error(&l->r, node_get(node_get(l->root, "link"), "unit"), "link.unit",
			"P034", "unit 0 cannot be used on a serial line; use 1 to 247");
	check_bauds(l);
}

/* ---- the file ---------------------------------------------------------------------------- */

static void
check_head(struct profile_loader *l)
{
	const char *slash = strrchr(l->file, '/'), *name = slash ? slash + 1 : l->file;
	const struct profile_draft *d = &l->d;
	size_t len = d->id ? strlen(d->id) : 0;

	if (d->schema != 1 && node_get(l->root, "schema"))
		reader_error(&l->r, node_get(l->root, "schema"), "schema", "P001",
			"schema %d is not known to this program (1)", d->schema);
	if (!d->id)
		return;
	if (!profile_id_ok(d->id))
		reader_error(&l->r, node_get(l->root, "id"), "id", "P004",
			"id \"%.64s\" must be 3 to 48 of a-z 0-9 -, beginning with a-z 0-9", d->id);
	else if (strncmp(name, d->id, len) != 0 || strcmp(name + len, ".yaml") != 0)
		reader_error(&l->r, node_get(l->root, "id"), "id", "P004",
			"id \"%s\" must be the file's name (%.64s)", d->id, name);
}

static void
read_drafts(struct profile_loader *l, const struct node *root, bool extending)
{
	l->d.groups = l->d.points = NULL;
	l->r.overlay = extending;
	keys_read(&l->r, &profile_table, root, &l->d);
	l->r.overlay = false;
	read_groups(l, l->d.groups);
	read_points(l, l->d.points, extending);
}

static const char *
extended_id(const struct node *root)
{
	const struct node *extends = node_get(root, "extends");

	return extends && extends->kind == NODE_SCALAR ? extends->text : NULL;
}

/* Reads the profile that this one changes. 0 or -errno. */
static int
read_base(struct profile_loader *l, struct yaml *base, const struct profile_dirs *dirs,
	const char *id, uint64_t *hash)
{
	const struct node *at = node_get(l->root, "extends");
	const char *path = profile_find(l->scratch, dirs, id);

	if (!path) {
		reader_error(&l->r, at, "extends", "P003", "there is no profile \"%.48s\"", id);
		return -1;
	}
	int rc = yaml_read(base, path, YAML_MAX_PROFILE, l->r.problems);
	*hash = yaml_hash(*hash, &base->hash, sizeof base->hash);
	if (rc || !base->root)
		return -1;
	if (extended_id(base->root)) {
		reader_error(&l->r, at, "extends", "P003",
			"\"%.48s\" itself extends another; one level only", id);
		return -1;
	}
	l->base_file = l->r.file = path;
	read_drafts(l, base->root, false);
	l->r.file = l->file;
	return 0;
}

static void
settle(struct profile_loader *l)
{
	struct profile_file *out = l->out;

	check_head(l);
	check_provenance(l);
	settle_link(l);
	profile_check(l);
	profile_identify(l);
	out->regs.id = l->d.id;
	out->regs.revision = l->d.revision;
	out->regs.link = l->d.link;
	out->regs.limits = l->d.limits;
	out->path = arena_text(l->r.arena, l->file);
	out->kind = l->d.kind;
	out->vendor = l->d.vendor;
	out->status = l->d.status;
	out->title = l->d.title;
}

static void
load(struct profile_loader *l, struct yaml *base, const struct profile_dirs *dirs, uint64_t *hash)
{
	const char *id = extended_id(l->root);

	if (id && read_base(l, base, dirs, id, hash))
		return;
	read_drafts(l, l->root, id != NULL);
	settle(l);
}

static int
read_text(struct yaml *y, const struct profile_text *what, struct problems *problems)
{
	if (what->text)
		return yaml_parse(y, what->file, what->text, what->len, problems);
	return yaml_read(y, what->file, YAML_MAX_PROFILE, problems);
}

struct memory { /* everything a loaded profile stands on */
	struct arena arena;
	jmp_buf full;
};

enum { ARENA_MAX = 64 * 1024 * 1024 };

static bool
load_guarded(struct profile_loader *l, struct memory *memory, struct yaml *base,
	const struct profile_dirs *dirs, uint64_t *hash)
{
	if (setjmp(memory->full)) {
		problem_add(l->r.problems, true, l->file, 0, 0, NULL, NULL,
			"the profile needs too much memory");
		return false;
	}
	struct arena *a = &memory->arena;
	l->out = arena_alloc(a, sizeof *l->out);
	l->points = arena_array(l->scratch, PROFILE_POINTS_MAX, sizeof *l->points);
	load(l, base, dirs, hash);
	return true;
}

struct profile_file *
profile_read(const struct profile_text *what, const struct profile_dirs *dirs,
	struct problems *problems, uint64_t *hash)
{
	struct memory *memory = calloc(1, sizeof *memory);
	/* What a profile leaves open is tried: drivers/plan.h. */
	struct profile_loader l = {.file = what->file, .d.limits.max_hole = -1};
	struct arena scratch;
	struct yaml y, base = {0};
	size_t errors = problems->errors;

	if (!memory)
		return NULL;
	arena_init(&memory->arena, ARENA_MAX, &memory->full);
	arena_init(&scratch, ARENA_MAX, &memory->full);
	l.r = (struct reader){
		.problems = problems, .arena = &memory->arena, .file = what->file, .codes = true};
	l.scratch = &scratch;
	int rc = read_text(&y, what, problems);
	*hash = yaml_hash(*hash, &y.hash, sizeof y.hash);
	l.root = y.root;
	bool good = rc == 0 && load_guarded(&l, memory, &base, dirs, hash);
	if (good)
		l.out->hash = yaml_hash(y.hash, &base.hash, sizeof base.hash);
	arena_finish(&scratch);
	yaml_finish(&base);
	yaml_finish(&y);
	if (good && problems->errors == errors) {
		l.out->memory = memory;
		return l.out;
	}
	arena_finish(&memory->arena);
	free(memory);
	return NULL;
}

struct profile_file *
profile_load(const char *path, struct problems *problems)
{
	char *copy = strdup(path);
	uint64_t hash = YAML_HASH_START;
	struct profile_file *p = NULL;

	if (copy) {
		const struct profile_dirs dirs = {
			.dirs = {dirname(copy), "/etc/labpulse/profiles",
				LABPULSE_PREFIX "/share/labpulse/profiles",
				"/usr/share/labpulse/profiles"},
			.n = 4};
		p = profile_read(&(struct profile_text){.file = path}, &dirs, problems, &hash);
	}
	free(copy);
	return p;
}

void
profile_free(struct profile_file *p)
{
	if (!p)
		return;
	struct memory *memory = p->memory;
	arena_finish(&memory->arena);
	free(memory);
}
