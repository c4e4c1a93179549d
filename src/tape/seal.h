/* Sealing one segment. Private to tape/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAPE_SEAL_H
#define TAPE_SEAL_H

#include "tape/segment.h"
#include "tape/upkeep.h"

/* Behind the segment's name: no reader takes such a file for one. */
#define SEAL_SUFFIX ".sealing"

/* Seal a closed segment whose records end before the offset `limit`; see tape_seal_next(). */
enum st seal_segment(const struct tape_seal_setup *setup, struct segment segment, uint64_t limit,
                     struct tape_sealed *ret_sealed, struct err *err) MUST_USE;

/* Remove what a sealing that was killed has left. */
enum st seal_clean(const char *dir, struct err *err) MUST_USE;

#endif
