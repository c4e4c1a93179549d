/* Polls made by hand, for tests of what stores them: a stream that counts its own offsets, and rows
 * of (coin, price). Everything lives in the poll's arena. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONFORMANCE_POLLS_H
#define TESTS_CONFORMANCE_POLLS_H

#include "load/sink.h"
#include "transform/quality.h"

struct made_stream {
    struct stream_id id;
    struct position at; /* the last poll's end */
    uint64_t last_rows_end, last_ok_end;
};

/* job, and a digit that makes the stream's UUID. A job with "list", "global" or "currencies" in its
 * name is of that endpoint, others of coins/markets. */
struct made_stream made_stream(const char *job, uint8_t digit);

struct made_poll {
    struct arena arena;
    struct tape_record end;
    struct poll_page *pages;
    size_t n_pages;
    struct poll_rows rows;
    struct quality_flag *flags; /* of rows */
    struct sink_load load;
};

#define T0      INT64_C(1795444200000000) /* 2026-11-23T14:30:00Z */
#define SLOT(n) (T0 + (n) * INT64_C(30000000))

/* The next poll of the stream: rows like "bitcoin=1.5 ethereum=2"; "*" in front of a coin marks its
 * row as unchanged since the stream's last poll with rows; "-coin" says it is absent from the
 * stream's last ok poll; "~field" says it is new. A price below zero is flagged. Of a list the
 * value is the coin's name, of currencies it is nothing. NULL: failed. Release with made_release().
 */
void made_poll(struct made_poll *p, struct made_stream *stream, int64_t slot_us,
               enum poll_outcome outcome, const char *rows);
void made_release(struct made_poll *p);

#endif
