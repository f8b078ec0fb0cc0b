/* SPDX-License-Identifier: MIT */
/* scalar.h -- the words that YAML leaves to us: numbers, durations, sizes, ids
 *
 * All take text without surrounding space and return true if it is wholly that. Any thread.
 */
#ifndef CONFIG_SCALAR_H
#define CONFIG_SCALAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal or 0x…; no leading zero ("010" is octal to some), no "_", no fraction. */
bool scalar_int(const char *s, int64_t *out);
/* The same up to 2^64 - 1; negative numbers give their two's complement. */
bool scalar_raw(const char *s, uint64_t *out, bool *negative);
bool scalar_number(const char *s, double *out);   /* also 1.5 and 2e-3; always finite */
bool scalar_bool(const char *s, bool *out);       /* true | false, nothing else */
bool scalar_duration(const char *s, int64_t *ms); /* 500ms 10s 5min 2h 14d */
bool scalar_size(const char *s, int64_t *bytes);  /* 512B 64KiB 2GiB */
/* First character of `first`, all others of `rest`, `min` to `max` of them. */
bool scalar_matches(const char *s, const char *first, const char *rest, size_t min, size_t max);
/* A word that YAML 1.1 readers take for something else: yes, no, on, off, y, n, null, ~ ... */
bool scalar_is_trap(const char *s);
/* The word of the list (NULL-ended) that `s` was meant to be, or NULL. */
const char *scalar_nearest(const char *s, const char *const *words);
/* Number of single-character edits between two words, at most `limit` + 1 is told. */
size_t scalar_distance(const char *a, const char *b, size_t limit);

#define SCALAR_LOWER "abcdefghijklmnopqrstuvwxyz"
#define SCALAR_DIGIT "0123456789"

#endif
