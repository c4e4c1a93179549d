/* Closed segments of the tape, copied into an object store before they may be removed here, and
 * brought back from there.
 *
 *     STORE/<job>/stream       UUID of the stream: two of one name do not mix; "simulated"
 *     STORE/<job>/<segment>    byte for byte
 *     DATA/tape/<job>/shipped  the store's URL, and the offset below which it has everything
 *
 * A segment counts as shipped when it was read back and compared.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_SHIP_H
#define PIPELINE_SHIP_H

#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ship;

/* url: of a store (object/object.h); borrowed. No request is sent. Owner: ship_free().
 * ST_REJECT for a URL that is none. */
enum st ship_new(const char *url, const atomic_bool *is_stopping, struct ship **ret_ship,
                 struct err *err) MUST_USE;
void ship_free(struct ship *s); /* NULL is fine */

/* Any thread: ship_next() returns soon. NULL is fine. */
void ship_cancel(struct ship *s);

struct ship_stream {
    const char *dir; /* tape_stream_dir() */
    const char *job, *uuid;
    bool is_simulated; /* which is told to who fetches it */
    const char
        *sealed_upto; /* a segment's name: those up to it that are not sealed never will be */
};

struct shipped {
    char segment[64]; /* "": there was none to ship */
    int64_t bytes;
};

/* Ship the oldest closed segment that the store does not have yet.
 * Returns: ST_AGAIN: store or disk do not answer, or told to stop; the next call goes on there.
 *          ST_REJECT, ST_FATAL: something else has that name, credentials, …: nothing goes on. */
enum st ship_next(struct ship *s, const struct ship_stream *stream, struct shipped *ret,
                  struct err *err) MUST_USE;

/* Below which offset the store of this URL has all of the stream; 0: of nothing, or of another
 * store, that is known. ST_AGAIN when the disk cannot be read. */
enum st ship_below(const char *dir, const char *url, uint64_t *ret_below, struct err *err) MUST_USE;

/* Lower *below to that, and name the store as the holder, where it has less. url "": none. */
enum st ship_hold(const char *dir, const char *url, uint64_t *below, char *holder, size_t size,
                  struct err *err) MUST_USE;

/* Copy all streams of a store into data_dir, which then is one to read from. */
enum st ship_fetch(const char *url, const char *data_dir, struct err *err) MUST_USE;

#endif
