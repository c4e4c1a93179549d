/* A time zone: from what its clock shows to UTC, and back. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/err.h"
#include "base/str.h"

#define ZONE_MAX_CHANGES 4096

struct zone {
    size_t n;                       /* changes; 0: first_s holds for ever */
    int32_t first_s;                /* seconds east of UTC before the first change */
    int64_t at_s[ZONE_MAX_CHANGES]; /* when, since 1970 UTC, ascending */
    int32_t east_s[ZONE_MAX_CHANGES];
};

/* "UTC", "Z", "+02:00", "-0330", or a name of the system's zone database ("Europe/Berlin").
 * ST_REJECT with the mend. */
enum st zone_open(const char *name, struct zone *ret_zone, struct err *err) MUST_USE;

/* The same, read once and kept as long as the process lives; any thread. A name that is none is
 * kept by nobody. */
enum st zone_get(const char *name, const struct zone **ret_zone, struct err *err) MUST_USE;

/* The zone that the bytes of a TZif file (RFC 8536) describe; false when they are none. */
bool zone_parse(struct str bytes, struct zone *ret_zone);

/* How far its clock is before UTC at this moment, in microseconds. */
int64_t zone_east_us(const struct zone *z, int64_t utc_us);

/* The time around this moment in which its clock is not set: [from, until). */
void zone_span(const struct zone *z, int64_t utc_us, int64_t *ret_from_us, int64_t *ret_until_us);

/* UTC of when its clock first shows this local time; of one that it skips, of the moment right
 * after. */
int64_t zone_first_us(const struct zone *z, int64_t local_us);

/* UTC of a local time, both in microseconds since 1970. An hour that the clock showed twice is
 * taken as the first, and *ret_is_twice set; one that it skipped as if it had not been moved. */
int64_t zone_to_utc(const struct zone *z, int64_t local_us, bool *ret_is_twice);

#endif
