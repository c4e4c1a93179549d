/* Look at every record of a stream: what it holds, and whether it is whole. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAPE_VERIFY_H
#define TAPE_VERIFY_H

#include "base/err.h"
#include "tape/record.h"

struct tape_summary {
    uint64_t n_segments, n_sealed, n_records, n_polls;
    uint64_t first_offset, last_offset; /* 0, 0: empty */
    int64_t first_us, last_us;          /* when the first and the last record came */
    uint64_t body_bytes, file_bytes;
    uint64_t n_problems;
};

struct tape_verify_setup {
    const char *dir; /* tape_stream_dir() */
    bool has_bodies; /* also unpack every body and check it */
    /* Called for each damaged place, missing offset or contradiction; text: "file: byte: what". */
    void (*problem)(void *context, const char *text);
    void *context;
};

/* Walk the whole stream, also beside its writer. ST_OK also when there are problems; ST_AGAIN when
 * the disk cannot be read. A directory that does not exist is an empty stream. */
enum st tape_verify(const struct tape_verify_setup *setup, struct tape_summary *ret_summary,
                    struct err *err) MUST_USE;

#endif
