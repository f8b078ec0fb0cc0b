/* SPDX-License-Identifier: MIT */
/* pollset.c -- what one bus polls: handed over whole, and what stays of the one before */
#include "daemon/poller.h"

#include <stdlib.h>

/* A unit that stays keeps its deadlines: a reload costs it no poll. */
static void
inherit_entry(struct schedule_entry *e, const struct polled_unit *unit, const struct pollset *old)
{
	for (size_t i = 0; i < old->n_entries; i++) {
		const struct schedule_entry *was = &old->entries[i];
		if (old->units[was->unit] != unit || was->group != e->group ||
			was->kind != e->kind || was->period_us != e->period_us)
			continue;
		e->due_us = was->due_us;
		e->grid_us = was->grid_us; /* whatever the number of buses is now */
		e->missed = was->missed;
		e->pending = was->pending;
	}
}

void
pollset_inherit(struct pollset *set, struct pollset *old)
{
	for (size_t i = 0; i < set->n_entries; i++)
		inherit_entry(&set->entries[i], set->units[set->entries[i].unit], old);
	for (size_t i = 0; i < set->n_units; i++) {
		for (size_t k = 0; k < old->n_units; k++) {
			if (old->units[k] != set->units[i])
				continue;
			set->states[i] = old->states[k];
			old->units[k] = NULL; /* now only the new set's */
			device_rebase(set->units[i]->device, set->profiles[i]);
		}
	}
}

void
polled_unit_destroy(struct polled_unit *u)
{
	if (!u)
		return;
	for (size_t k = 0; k < 2; k++)
		reading_destroy(u->mails[k].reading);
	device_destroy(u->device);
	free(u->taps);
	free(u);
}

void
pollset_destroy(struct pollset *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n_units; i++)
		polled_unit_destroy(set->units[i]);
	free(set->units);
	free((void *)set->profiles);
	free(set->entries);
	free(set->states);
	free(set);
}

void
pollset_abandon(struct pollset *set, const struct pollset *old)
{
	for (size_t i = 0; set && i < set->n_units; i++)
		for (size_t k = 0; old && k < old->n_units; k++)
			if (set->units[i] == old->units[k])
				set->units[i] = NULL;
	pollset_destroy(set);
}
