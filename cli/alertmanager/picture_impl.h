/* SPDX-License-Identifier: MIT */
/* picture_impl.h -- what picture.c and picture_machine.c share. Pure. */
#ifndef CLI_ALERTMANAGER_PICTURE_IMPL_H
#define CLI_ALERTMANAGER_PICTURE_IMPL_H

#include "cli/alertmanager/picture.h"
#include "cli/doc.h"

enum { PICTURE_KEY = 4 * PICTURE_CODE };

/* Where a message belongs. */
struct place {
	const char *park, *id, *code; /* of a machine or gateway; of an alarm, else NULL */
	bool of_gateway;
	const char *payload;
	size_t len;
	int64_t now_ms;
};

bool picture_is_id(const char *s);
void picture_copy_id(char to[PICTURE_ID], const char *id);
/* Finds it, or adds it, if there is room for it and `more` bytes of text; else NULL. */
void *picture_add(struct picture *p, struct map *m, const char *key, const char *park, size_t size,
	size_t more);
void picture_forget(struct picture *p, struct map *m, void *thing);
/* Its park was alive at the time that the payload has. */
void picture_heard(struct picture_park *park, const struct doc *d, int64_t now_ms);

enum picture_verdict picture_take_info(struct picture *p, const struct place *at);
enum picture_verdict picture_take_state(struct picture *p, const struct place *at);
enum picture_verdict picture_take_usage(struct picture *p, const struct place *at);
/* States that this connection did not tell. */
void picture_drop_states(struct picture *p);
void picture_drop_machines(struct picture *p);

#endif
