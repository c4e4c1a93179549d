/* From an `end` record to a poll in memory: its pages, its rows, and the polls before it that the
 * transform looks back to.
 *
 * Limits: each poll has an arena with the ceiling of loader_setup.max_poll_bytes; three of them at
 * most are held for a stream (this poll, the last row-bearing one, the last ok one).
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_GATHER_H
#define LOAD_GATHER_H

#include "base/json.h"
#include "tape/reader.h"
#include "transform/transform.h"

#define GATHER_POLLS 3

struct gathered {
    struct arena arena;
    struct tape_record end; /* offset 0: nothing is here */
    struct poll_page *pages;
    size_t n_pages;
    bool has_rows;
    struct poll_rows rows;
    struct str error; /* why there are none although the poll bears some */
    bool is_lost;     /* that is: its pages are not whole on the tape (any more) */
};

struct gather {
    struct tape_reader *reader;     /* borrowed */
    const struct stream_id *stream; /* borrowed */
    struct json *json;              /* borrowed */
    struct gathered polls[GATHER_POLLS];
};

void gather_init(struct gather *g, struct json *json, size_t max_poll_bytes);
void gather_release(struct gather *g);

/* Read the poll that ends at this offset. A poll whose pages are damaged, which is too large, or
 * which the transform refuses has no rows, and says why.
 * Owner:   g, until the call after the next.
 * Returns: ST_REJECT when there is no such end (any more); ST_AGAIN when memory is short. */
enum st gather_poll(struct gather *g, uint64_t end_offset, struct gathered **ret_poll,
                    struct err *err) MUST_USE;

#endif
