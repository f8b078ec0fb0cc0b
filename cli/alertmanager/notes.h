/* SPDX-License-Identifier: MIT */
/* notes.h -- annotations of an alert: the texts, values and titles of an alarm as strings. Pure.
 *
 * Members of a JSON object ("a":"x","b":"y"), so that pieces can be put together with commas; "" if
 * there are none. Each string is cut at 512 bytes.
 */
#ifndef CLI_ALERTMANAGER_NOTES_H
#define CLI_ALERTMANAGER_NOTES_H

struct doc;

/* Of an alarm's payload; to be freed. NULL: out of memory. */
char *notes_of_alarm(const struct doc *alarm, const char *code);
/* Of a machine's info: its titles; to be freed. */
char *notes_of_machine(const struct doc *info);

#endif
