/* SPDX-License-Identifier: MIT */
/* profile_identify.c -- how a profile recognises its device */
#include <regex.h>
#include <string.h>

#include "config/profile_load.h"

static void
check_regex(struct reader *r, const struct node *node, const char *text)
{
	regex_t compiled;

	/* Long repetitions like a{9999} make the C library take memory without bounds. */
	if (strlen(text) > 128 || strchr(text, '{')) {
		reader_error(r, node_get(node, "regex"), "regex", NULL,
			"must be at most 128 characters, without \"{\"");
		return;
	}
	if (regcomp(&compiled, text, REG_EXTENDED | REG_NOSUB) == 0)
		regfree(&compiled);
	else
		reader_error(r, node_get(node, "regex"), "regex", NULL,
			"\"%.64s\" is not a POSIX extended regular expression", text);
}

static void
settle_register(struct profile_loader *l, const struct node *node, struct identify_draft *d)
{
	struct reg_point *p = &d->i.reg;
	const struct reg_type_facts *type = &profile_types[p->type];

	d->i.kind = IDENTIFY_REGISTER;
	p->address = (uint16_t)d->address;
	p->count = (uint16_t)(type->regs ? type->regs : d->count);
	p->chars = (uint8_t)d->chars;
	p->scale = p->factor = 1;
	p->scale_from = p->sign_from = p->atomic_with = -1;
	p->enabled = true;
	if (!node_get(node, "address") || p->count == 0)
		reader_error(
			&l->r, node, NULL, "P003", "needs address, and count if it is a string");
	if (d->address + p->count > 65536)
		reader_error(&l->r, node, "address", "P009", "passes the end of the table");
	int most = profile_most(&l->d.limits, p->table);
	if (p->count > most)
		reader_error(&l->r, node, "count", "P011", "%d registers are more than max_regs %d",
			p->count, most);
	profile_raws(l, d->any_of, "any_of", type, &d->i.any_of, &d->i.n_any_of);
	bool is_text = p->type == REG_STRING;
	if (is_text ? !d->i.contains && !d->i.regex : !d->i.n_any_of)
		reader_error(&l->r, node, NULL, "P003", "needs %s",
			is_text ? "contains or regex" : "any_of");
}

static void
settle_function(struct profile_loader *l, const struct node *node, struct identify_draft *d)
{
	d->i.kind = d->fc == 17 ? IDENTIFY_FC17 : IDENTIFY_FC43;
	d->i.object = (uint8_t)d->object;
	if (d->fc != 17 && d->fc != 43)
		reader_error(&l->r, node_get(node, "fc"), "fc", NULL, "must be 17 or 43");
	if (!d->i.contains && !d->i.regex)
		reader_error(&l->r, node, NULL, "P003", "needs contains or regex");
}

static void
read_one(struct profile_loader *l, const struct node *node, struct identify *out)
{
	struct identify_draft d = {0};
	size_t errors = l->r.problems->errors;

	keys_read(&l->r, &identify_table, node, &d);
	if (l->r.problems->errors != errors)
		return;
	if ((d.fc != 0) == (node_get(node, "table") != NULL))
		reader_error(&l->r, node, NULL, "P003", "needs either table and address, or fc");
	else if (d.fc)
		settle_function(l, node, &d);
	else
		settle_register(l, node, &d);
	if (d.i.regex)
		check_regex(&l->r, node, d.i.regex);
	*out = d.i;
}

void
profile_identify(struct profile_loader *l)
{
	struct profile *regs = &l->out->regs;
	const struct node *list = l->d.identify;
	struct path path;

	if (!list)
		return;
	profile_enter(l, "identify");
	regs->identify = arena_array(l->r.arena, list->n, sizeof *regs->identify);
	for (const struct node *child = list->first; child; child = child->next) {
		reader_push(&l->r, &path, "identify", regs->n_identify);
		read_one(l, child, &regs->identify[regs->n_identify++]);
		reader_pop(&l->r);
	}
	profile_enter(l, NULL);
}
