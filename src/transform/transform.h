/* From the raw records of a poll to rows: a pure function, with a version.
 *
 * Its inputs are the poll's own records and two earlier polls of its stream; it reads no clock,
 * file or network, so the same tape gives the same rows for ever. Change what it gives, and
 * TRANSFORM_VERSION changes too.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_TRANSFORM_H
#define TRANSFORM_TRANSFORM_H

#include "base/json.h"
#include "row/row.h"
#include "tape/record.h"

#define TRANSFORM_VERSION 3

struct poll_page {
    struct tape_record record; /* its strings live in the poll's arena */
    struct str body;           /* padded; lives in the poll's arena */
};

/* A value that was refused: its cell is NULL, or, where that cannot be, its row is not among the
 * rows. */
struct refusal {
    uint64_t offset;    /* the page's record */
    uint32_t index;     /* of the row in the page, from 0 */
    struct str coin;    /* the row's id, empty when unreadable */
    struct str field;   /* JSON key; empty: the row as a whole */
    const char *reason; /* "duplicate coin" "wrong type" "out of range" "bad text" "missing"
                           "duplicate key" */
    struct str value;   /* as sent, cut to 200 bytes */
};

struct coin_index; /* coin id -> place; transform/coins.h */

/* One poll after the transform. Everything lives in the arena it was made in. */
struct poll_rows {
    uint64_t end_offset;
    int64_t slot_us;
    uint32_t rows_in;   /* elements the pages held */
    struct rows rows;   /* one per key, its first sound one, in the order sent */
    bool *is_unchanged; /* per row: equal in all but fetched_at to prev_rows' row, and of the same
                         * whole_us of the table; never where something of its coin was refused: who
                         * puts back what was left out takes such a coin for one without a row */
    size_t n_unchanged;
    uint64_t unchanged_since; /* end offset of the poll they equal; 0: no row is marked */
    struct coin_index *coins; /* every id that was seen, also in refused rows */
    const struct str *absent; /* coins that were in prev_ok and are not here; only when this poll is
                               * ok */
    size_t n_absent;
    uint64_t absent_since; /* end offset of prev_ok; 0: there was none to be absent from */
    const struct refusal *refusals;
    size_t n_refusals;
    uint32_t *prev_row; /* per row: that of its coin in prev_rows or COINS_NO_ROW; NULL without */
    uint64_t seen;      /* columns whose JSON key was there */
    const struct drift *drifts; /* transform/drift.h; fields that no column has: at most 64 */
    size_t n_drifts;
    const struct quality_flag *flags; /* transform/quality.h, in the order of rows */
    size_t n_flags;
    uint16_t *quality; /* per row: rules of its own that it breaks; NULL: the table has none */
};

struct transform_input {
    const struct tape_record *end;
    const struct poll_page *pages; /* the good ones, in page order */
    size_t n_pages;
    const struct poll_rows
        *prev_rows; /* the last row-bearing poll of the stream before this; NULL: none */
    const struct poll_rows *prev_ok; /* the last ok poll before this; NULL: none */
};

/* Thread: json and arena are the caller's alone.
 * Limits: 10000 rows a page, of /coins/list 200000; beside the bodies the arena holds at most twice
 * their bytes for strings that are not as sent, 2 kB a row and 160 bytes a refusal. Returns:
 * ST_REJECT when a page is not what its endpoint answers (then the poll has no rows), ST_AGAIN when
 * the arena is full. */
enum st transform_poll(const struct transform_input *in, struct json *json, struct arena *arena,
                       struct poll_rows *ret_rows, struct err *err) MUST_USE;

/* True when endpoint has a transform. */
bool transform_knows(const char *endpoint);

#endif
