/* Times as people write them: in file names, lines and columns.
 *
 * Read are: 2026-11-23T14-30-00, 20261123T143000Z, 2026-11-23_14:30:00.123, 2026-11-23 14:30,
 * 20261123143000, 2026-11-23 (midnight), an offset like Z or +02:00 behind a time of day; and
 * counts since 1970 in seconds, milli-, micro- or nanoseconds, told apart by their 10, 13, 16 or
 * 19 digits. Days before months, two-digit years, am and pm are not: they would be guessed.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMPORT_WHEN_H
#define IMPORT_WHEN_H

#include "base/zone.h"

struct when {
    const struct zone *zone; /* of times that do not say theirs */
    size_t n_twice;          /* times within an hour that their clock showed twice */
};

/* The first time in a name. ret_at, ret_end: its bytes in it. */
bool when_find(struct when *w, struct str name, int64_t *ret_us, size_t *ret_at, size_t *ret_end);

/* A text that is a time and nothing else; numbers may have a fraction and an exponent. */
bool when_parse(struct when *w, struct str text, int64_t *ret_us);

/* True for the usual names of a column or key that is a time; ret_rank: the lower the better. */
bool when_is_name(struct str name, size_t *ret_rank);

#endif
