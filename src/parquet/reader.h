/* Reading Apache Parquet: our own files, and those of other writers that hold flat columns and maps
 * of texts (pyarrow, DuckDB, Spark, delta-rs).
 *
 *     open → the footer: columns, row groups, their bounds, notes
 *     scan → column vectors, a batch of rows at a time (parquet_scan_…)
 *     rows → the same as cells, numbers exact (parquet_rows_…)
 *
 * Known: boolean, int32, int64, int96 (a time), float, double, texts; of them integers, decimals of
 * up to 18 digits, dates, timestamps; map<text, text>; encodings PLAIN, dictionaries, RLE,
 * DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY, BYTE_STREAM_SPLIT; zstd, snappy,
 * gzip or no compression; data pages of versions 1 and 2, checksums where pages have them. What
 * else a file has is refused by name where it is read: other columns of it can be.
 *
 * A file is believed in nothing. ST_REJECT names the file, the column, the row group and the byte.
 * In memory are the footer, and of each column that is scanned a window of the file, a dictionary
 * and a page. Files are read by ranges, so that they may lie in an object store.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PARQUET_READER_H
#define PARQUET_READER_H

#include "row/row.h"

#define PARQUET_MAX_FOOTER     ((size_t)256 * 1024 * 1024)
#define PARQUET_MAX_COLUMNS    4096
#define PARQUET_MAX_GROUPS     1000000
#define PARQUET_MAX_GROUP_ROWS ((size_t)64 * 1024 * 1024)
#define PARQUET_MAX_PAGE       ((size_t)128 * 1024 * 1024) /* unpacked */
#define PARQUET_MAX_PAIRS      4096                        /* of a map, in a row */
#define PARQUET_MAX_BATCH      4096                        /* rows */

/* Where the bytes are. */
struct parquet_source {
    /* Exactly len bytes from offset on; errors are handed on as they are. Only asked for what lies
     * within size. */
    enum st (*read_at)(void *ctx, uint64_t offset, size_t len, void *ret_bytes, struct err *err);
    void *ctx;
    uint64_t size;    /* of the whole file */
    const char *name; /* for messages; copied */
};

struct parquet_field {
    const char *name;    /* "a.b" nowhere: a nested column is one field */
    enum cell_kind kind; /* of its values: NUM, INT, TEXT, TIME; a map: TEXT; NULL: all are null */
    bool is_map;         /* map<text, text> */
    int scale;           /* NUM: the values are integers * 10^-scale; -1: doubles */
    const char *unknown; /* why it cannot be read ("a list"); NULL: it can */
};

struct parquet_group {
    size_t n_rows;
    uint64_t len; /* bytes of its columns in the file */
};

/* A value of a column, by the field's kind. Texts are borrowed. */
struct parquet_value {
    int64_t number; /* INT; TIME: µs UTC; NUM with a scale */
    double real;    /* NUM without a scale */
    struct str text;
};

/* What the footer says of a column in a row group: all values lie within, where it says so. */
struct parquet_bounds {
    bool has_nulls, has_min, has_max;
    size_t n_nulls;
    struct parquet_value min, max;
};

struct parquet_file;

/* Read the footer.
 * Owner:   *ret_file by parquet_close(), which takes NULL; what source points to until then.
 * Thread:  a file and its scans: one.
 * Returns: ST_REJECT when it is no Parquet file, or hostile; what read_at returned. */
enum st parquet_open(const struct parquet_source *source, struct parquet_file **ret_file,
                     struct err *err) MUST_USE;
void parquet_close(struct parquet_file *f);

size_t parquet_n_columns(const struct parquet_file *f);
const struct parquet_field *parquet_field(const struct parquet_file *f, size_t column);
size_t parquet_find(const struct parquet_file *f,
                    struct str name); /* n_columns: none is so named */

uint64_t parquet_n_rows(const struct parquet_file *f);
size_t parquet_n_groups(const struct parquet_file *f);
struct parquet_group parquet_group(const struct parquet_file *f, size_t group);

/* Texts of bounds are the file's, and live as long. Fields that cannot be read have no bounds. */
struct parquet_bounds parquet_bounds(const struct parquet_file *f, size_t group, size_t column);

/* A note of the file's metadata, the file's; STR_NONE: it has none of that key. */
struct str parquet_note(const struct parquet_file *f, struct str key);
struct str parquet_created_by(const struct parquet_file *f);

/* ---- columns ---- */

/* One column of a batch, row by row. */
struct parquet_vector {
    const struct parquet_field *field;
    uint8_t *is_there;  /* 1, or 0 for null, whose value is 0 or empty */
    int64_t *numbers;   /* INT, TIME, NUM with a scale */
    double *reals;      /* NUM without a scale; may be infinite or not a number */
    struct str *texts;  /* TEXT; UTF-8 without U+0000 */
    size_t *pairs_end;  /* maps: the pairs of row i end there, and those of row i + 1 begin */
    struct str *keys;   /* by pair */
    struct str *values; /* by pair; p NULL: null */
};

struct parquet_scan;

/* Begin to read some columns (indexes, borrowed for the call). ST_REJECT: one cannot be read.
 * Owner: *ret_scan by parquet_scan_free(), which takes NULL, before the file is closed. */
enum st parquet_scan_new(struct parquet_file *f, const size_t *columns, size_t n,
                         struct parquet_scan **ret_scan, struct err *err) MUST_USE;
void parquet_scan_free(struct parquet_scan *s);

/* Go to the first row of a row group. */
enum st parquet_scan_group(struct parquet_scan *s, size_t group, struct err *err) MUST_USE;

/* The next rows of that group, at most max_rows (and PARQUET_MAX_BATCH) of them; 0: it is over.
 * After an error the scan can go to another row group. */
enum st parquet_scan_next(struct parquet_scan *s, size_t max_rows, size_t *ret_n,
                          struct err *err) MUST_USE;

/* Of the i-th column that was asked for; its values are those of the last parquet_scan_next(), and
 * borrowed until the next call. */
const struct parquet_vector *parquet_scan_vector(const struct parquet_scan *s, size_t i);

/* ---- rows ---- */

struct parquet_rows;

/* Begin to read rows of these columns, by name. A column that the file does not have is null
 * throughout; ST_REJECT: one is of another kind. Numbers are those that were sent: of the column
 * "exact" where that has them (a text or a map), else what the shortest text of the double says.
 * Owner: columns are borrowed; *ret_rows by parquet_rows_free(), which takes NULL. */
enum st parquet_rows_new(struct parquet_file *f, const struct column *columns, size_t n_columns,
                         struct parquet_rows **ret_rows, struct err *err) MUST_USE;
void parquet_rows_free(struct parquet_rows *r);

enum st parquet_rows_group(struct parquet_rows *r, size_t group, struct err *err) MUST_USE;

/* The next rows: *ret_n times n_columns cells, row by row; 0: the row group is over. Cells and
 * their texts are borrowed until the next call. */
enum st parquet_rows_next(struct parquet_rows *r, size_t max_rows, const struct cell **ret_cells,
                          size_t *ret_n, struct err *err) MUST_USE;

#endif
