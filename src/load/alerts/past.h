/* Polls of the past of a stream, from a time on: for what a rule would have done, and for what it
 * has to know before it begins. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_ALERTS_PAST_H
#define LOAD_ALERTS_PAST_H

#include "load/gather.h"

struct alerts_past;

/* dir: of the tape's stream. Ends that were written at since_us or later, up to the record max. An
 * empty stream is fine. Owner: alerts_past_close(). */
enum st alerts_past_open(const char *dir, int64_t since_us, uint64_t max,
                         struct alerts_past **ret_past, struct err *err) MUST_USE;
void alerts_past_close(struct alerts_past *p); /* NULL is fine */

/* The next poll, borrowed until the next call; NULL at the end. Damage is stepped over. */
enum st alerts_past_next(struct alerts_past *p, const struct stream_id **ret_stream,
                         struct gathered **ret_poll, struct err *err) MUST_USE;

/* The last record written before a time, all zero when there is none; and the newest one. */
enum st alerts_past_position(const char *dir, int64_t before_us, struct position *ret_position,
                             struct err *err) MUST_USE;

/* Is it a record of this stream, or the one in front of its oldest? */
enum st alerts_past_has(const char *dir, const struct position *position, bool *ret_has,
                        struct err *err) MUST_USE;

#endif
