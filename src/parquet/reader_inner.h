/* What the parts of the reader share: footer.c, schema.c, leaf.c, cursor.c, values.c,
 * reader.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PARQUET_READER_INNER_H
#define PARQUET_READER_INNER_H

#include "parquet/decode.h"
#include "parquet/reader.h"
#include "parquet/thrift.h"
#include "parquet/unpack.h"

/* As the format numbers them. */
enum physical {
    PHYSICAL_BOOLEAN,
    PHYSICAL_INT32,
    PHYSICAL_INT64,
    PHYSICAL_INT96,
    PHYSICAL_FLOAT,
    PHYSICAL_DOUBLE,
    PHYSICAL_BYTES,
    PHYSICAL_FIXED,
};

/* How a stored number becomes a field's. */
enum meaning {
    MEANS_ITSELF,
    MEANS_MILLIS, /* of times */
    MEANS_NANOS,
    MEANS_DAYS,
    MEANS_JULIAN, /* INT96: nanoseconds of a day, and its Julian number */
    MEANS_UNSIGNED,
    MEANS_BIG_ENDIAN, /* FIXED: a decimal */
};

enum encoding {
    ENCODING_PLAIN = 0,
    ENCODING_PLAIN_DICTIONARY = 2,
    ENCODING_RLE = 3,
    ENCODING_BIT_PACKED = 4,
    ENCODING_DELTA = 5,
    ENCODING_DELTA_LENGTH = 6,
    ENCODING_DELTA_TEXT = 7,
    ENCODING_DICTIONARY = 8,
    ENCODING_SPLIT = 9,
};

/* A column as files have it: of a map there are two. */
struct leaf {
    enum physical physical;
    size_t width; /* bytes of a value; BYTES, BOOLEAN: 0 */
    enum meaning meaning;
    uint8_t max_def, max_rep;
};

/* Number of a value of a fixed width (not BOOLEAN), as vectors have it: of FLOAT and DOUBLE the
 * bits of a double. False: see leaf_why(). */
bool leaf_value(const struct leaf *l, const uint8_t *plain, int64_t *ret) MUST_USE;
/* The same from the number that INT32 or INT64 hold. */
bool leaf_mean(const struct leaf *l, int64_t stored, int64_t *ret) MUST_USE;
const char *leaf_why(const struct leaf *l);

/* A column of a row group. */
struct chunk_meta {
    int codec;
    uint64_t at, len, n_values; /* with nulls */
    const char *why;            /* it cannot be read; NULL: it can */

    bool has_nulls, has_min, has_max;
    uint64_t n_nulls;
    struct str min, max; /* in the footer */
};

struct column_at {
    struct parquet_field field;
    size_t leaf; /* its first */
};

struct group_at {
    struct bytes footer; /* from its struct on */
    struct parquet_group info;
};

struct parquet_file {
    struct parquet_source source;
    char *name;
    uint8_t *footer;
    struct arena names;
    struct column_at *columns;
    size_t n_columns;
    struct leaf *leaves;
    size_t n_leaves;
    struct group_at *groups;
    size_t n_groups;
    uint64_t n_rows;
    struct bytes notes; /* the list; empty: none */
    struct str created_by;
    ZSTD_DCtx *zstd;
};

/* Of a row group, by leaf: n_leaves of them. ST_REJECT: damaged; not after open. */
enum st footer_chunks(const struct parquet_file *f, const struct group_at *g,
                      struct chunk_meta *ret_chunks, struct err *err) MUST_USE;

/* The list of a schema, of a file that has none yet. */
enum st footer_read_schema(struct parquet_file *f, struct thrift_in *t,
                           const struct thrift_field *of, struct err *err) MUST_USE;

/* ST_REJECT, with the place in front. */
enum st footer_bad(const struct parquet_file *f, struct err *err, const char *why);

enum st footer_read(struct parquet_file *f, struct bytes footer, struct err *err) MUST_USE;

/* ---- the values of a leaf in a row group, page by page ---- */

struct dictionary {
    struct buf bytes;
    size_t n;
    int64_t *numbers;
    struct str *texts;
};

struct cursor {
    struct parquet_file *f;
    const struct leaf *leaf;
    const char *column; /* for messages */
    size_t group;
    struct chunk_meta meta;

    uint64_t at, end;     /* in the file: the next page's header; where the chunk ends */
    uint64_t values_left; /* on pages to come */
    struct buf window;    /* of the file */
    uint64_t window_at;
    struct buf page; /* unpacked */
    struct dictionary dictionary;
    bool has_dictionary;

    /* The page at hand. */
    uint64_t page_at; /* its header, for messages */
    size_t page_left; /* entries, with nulls */
    struct hybrid rep, def;
    int encoding;
    struct bytes values;
    size_t n_split, at_split; /* BYTE_STREAM_SPLIT: values, and the next */
    struct hybrid words;      /* of the dictionary; booleans */
    size_t bit;               /* booleans, PLAIN */
    struct delta delta, prefixes;
    struct buf before, texts; /* DELTA_BYTE_ARRAY: the text before, those of a call */

    uint32_t *scratch; /* levels, words: PARQUET_MAX_BATCH */
    uint64_t *numbers; /* the same */
};

void cursor_start(struct cursor *c, struct parquet_file *f, const struct leaf *leaf,
                  const char *column);
void cursor_release(struct cursor *c);

void cursor_begin(struct cursor *c, size_t group, const struct chunk_meta *meta);

/* Have entries at hand; page_left stays 0 at the chunk's end. */
enum st cursor_page(struct cursor *c, struct err *err) MUST_USE;

/* Levels of the next n entries (at most page_left and PARQUET_MAX_BATCH), then the values of those
 * that are there. ret_rep: NULL where the leaf is not repeated. */
enum st cursor_levels(struct cursor *c, size_t n, uint32_t *ret_rep, uint32_t *ret_def,
                      struct err *err) MUST_USE;
enum st cursor_numbers(struct cursor *c, size_t n, int64_t *ret, struct err *err) MUST_USE;
/* Borrowed until the next call, or the next page. */
enum st cursor_texts(struct cursor *c, size_t n, struct str *ret, struct err *err) MUST_USE;

/* A page of n entries begins with these values. False: they are damaged, or the encoding is not
 * known for the type. */
bool values_begin(struct cursor *c, size_t n, struct bytes in, bool *ret_is_known) MUST_USE;

/* PLAIN ones. */
enum st cursor_take_text(const struct cursor *c, struct bytes *in, struct str *ret,
                         struct err *err) MUST_USE;
enum st cursor_take_numbers(const struct cursor *c, struct bytes *in, size_t n, int64_t *ret,
                            struct err *err) MUST_USE;

/* ST_REJECT, with the place in front. */
enum st cursor_bad(const struct cursor *c, struct err *err, const char *fmt, ...) PRINTF(3, 4);

#endif
