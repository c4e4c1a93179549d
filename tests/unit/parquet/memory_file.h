/* A Parquet file in memory, as the writer writes it and the reader reads it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_MEMORY_FILE_H
#define TESTS_MEMORY_FILE_H

#include "base/buf.h"
#include "parquet/reader.h"
#include "parquet/writer.h"

#include <stdlib.h>

struct memory_file {
    struct buf bytes;
    size_t n_reads, longest; /* of read_at */
};

#define MEMORY_FILE {.bytes = BUF_INIT((size_t)1 << 30)}

static inline enum st memory_write(void *ctx, struct str bytes, struct err *err)
{
    struct memory_file *f = ctx;

    buf_add_str(&f->bytes, bytes);
    return buf_check(&f->bytes, "the file", err);
}

/* Asked for no byte that is not there. */
static inline enum st memory_read(void *ctx, uint64_t offset, size_t len, void *ret_bytes,
                                  struct err *err)
{
    struct memory_file *f = ctx;

    if (offset > f->bytes.len || len > f->bytes.len - offset)
        return err_set(err, ST_FATAL, "asked for what is not in the file");
    memcpy(ret_bytes, f->bytes.p + offset, len);
    f->n_reads++;
    f->longest = len > f->longest ? len : f->longest;
    return ST_OK;
}

static inline struct parquet_source memory_source(struct memory_file *f)
{
    return (struct parquet_source){
        .read_at = memory_read, .ctx = f, .size = f->bytes.len, .name = "x.parquet"};
}

#endif
