/* SPDX-License-Identifier: MIT */
/* state.h -- what must survive a restart: state.db; state.c is the only <sqlite3.h>
 *
 * Three tables: who a source's device is; kept texts, one per kind and key ("usage" INV-00123);
 * and records, the messages that announce what changed, until the broker has acknowledged them.
 * Changes gather in one transaction until state_commit(), so that a change is never on the disk
 * without the record that tells of it. Loop thread; a commit waits for the disk. Every function
 * takes NULL for a state that could not be opened: then nothing is kept.
 */
#ifndef DAEMON_STATE_H
#define DAEMON_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state;

/* Who a source's device is. */
struct identity {
	char plugged[96]; /* the USB device, "1a86:7523:SERIAL"; "": not USB, or not known */
	char device[64];  /* what it says it is; "": nothing */
};

/* state.db in this directory, made if it is not there. NULL and `error`: it cannot be used. */
struct state *state_open(const char *directory, char *error, size_t size);
void state_close(struct state *s); /* NULL is fine */

/* The device that `source` ("machine/source") is known to have, as long as it is looked for at
 * `place`; empty if none is known. */
void state_identity(struct state *s, const char *source, const char *place, struct identity *out);
/* At once, in a transaction with whatever has gathered. 0 or -EIO. */
int state_set_identity(
	struct state *s, const char *source, const char *place, const struct identity *now);

/* ---- gathered until state_commit() ---------------------------------------------------------- */
void state_put(struct state *s, const char *kind, const char *key, const char *text);
void state_drop(struct state *s, const char *kind, const char *key);
/* Returns the record's number, which only grows; 0: it was not kept. */
int64_t state_record(struct state *s, const char *topic, const char *payload, size_t len);
/* The broker has it. Not urgent: goes with the next commit. */
void state_forget(struct state *s, int64_t record);
/* Something waits that must be on the disk before it is told. */
bool state_is_urgent(const struct state *s);
/* Writes what has gathered; 0, or -EIO: none of it is on the disk (and it has been forgotten
 * here, so everything must be put again). Nothing gathered: 0. */
int state_commit(struct state *s);
const char *state_error(const struct state *s); /* of the last failure */

/* ---- read back ------------------------------------------------------------------------------ */
/* To be freed; NULL: nothing is kept there. */
char *state_get(struct state *s, const char *kind, const char *key);
typedef void state_text_fn(void *arg, const char *key, const char *text);
void state_each(struct state *s, const char *kind, state_text_fn *each, void *arg);
/* Records after `after`, oldest first, until `each` returns false. */
typedef bool state_record_fn(
	void *arg, int64_t record, const char *topic, const char *payload, size_t len);
void state_records(struct state *s, int64_t after, state_record_fn *each, void *arg);

#endif
