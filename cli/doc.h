/* SPDX-License-Identifier: MIT */
/* doc.h -- reading JSON: answers of the daemon, messages from the broker
 *
 * Everything accepts NULL and says "not there", so that a path of keys needs no checks between.
 */
#ifndef CLI_DOC_H
#define CLI_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct doc;

/* NULL: no JSON. Control characters in its texts become blanks: they come from machines and other
 * people, and go to a terminal. */
struct doc *doc_parse(const char *text, size_t len);
void doc_plain(char *text); /* the same for any text, in place */
/* A text as JSON, quotes and all; to be freed. "" if it is not UTF-8. */
char *doc_quote(const char *text);
void doc_free(struct doc *d);
/* Of an object; borrowed, like everything below. */
const struct doc *doc_get(const struct doc *d, const char *key);
void doc_drop(struct doc *d, const char *key); /* nobody wants it */
const char *doc_text(const struct doc *d, const char *key, const char *otherwise);
int64_t doc_int(const struct doc *d, const char *key, int64_t otherwise);
double doc_real(const struct doc *d, const char *key, double otherwise); /* any number */
bool doc_flag(const struct doc *d, const char *key, bool otherwise);
size_t doc_size(const struct doc *d); /* elements of an array or object, 0 for others */
const struct doc *doc_at(const struct doc *d, size_t i); /* element of an array */
int64_t doc_number_at(const struct doc *d, size_t i);    /* an integer there, or 0 */
const char *doc_string(const struct doc *d);             /* "" if it is none */
/* The keys of an object, one after the other: *place starts as NULL. NULL at the end. */
const char *doc_next(const struct doc *d, void **place, const struct doc **value);
/* As JSON on one line, numbers as they came; to be freed. "null" for NULL. */
char *doc_print(const struct doc *d);
/* A number, a word, true or false as people read it, without quotes. Returns buf. */
const char *doc_show(const struct doc *d, char *buf, size_t size);

#endif
