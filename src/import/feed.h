/* A file of records (lines), read through a window. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMPORT_FEED_H
#define IMPORT_FEED_H

#include "base/buf.h"

struct feed {
    int fd;
    const char *path;
    struct buf window; /* its bytes of the file, and room for JSON_PADDING behind */
    uint64_t at;       /* where in the file it begins */
    size_t used;       /* bytes of it that were handed out */
    bool is_over;      /* the file has nothing behind it */
    uint64_t line;     /* number of the line that comes next, from 1 */
    /* Bytes of the record at the start of s with its end of line; 0: s does not hold its end. With
     * is_last s is all there is. */
    size_t (*measure)(struct str s, bool is_last);
};

/* ST_REJECT when it is no readable regular file. Owner: feed_close(). */
enum st feed_open(struct feed *f, const char *path, size_t max_record,
                  size_t (*measure)(struct str s, bool is_last), struct err *err) MUST_USE;
void feed_close(struct feed *f);

/* Go to a record's first byte, the first of line `line`. */
void feed_seek(struct feed *f, uint64_t at, uint64_t line);

/* The next record with its end of line, and where it begins. *ret_len 0 at the end. ST_REJECT when
 * a record is longer than max_record, or does not end: its first line is passed over, whole. Where
 * a record can have several lines, what comes next may then be its inside. Borrowed until the next
 * call. */
enum st feed_next(struct feed *f, struct str *ret_record, uint64_t *ret_at, uint64_t *ret_line,
                  struct err *err) MUST_USE;

/* Nothing is left that feed_next() could hand out. May be false in front of the end. */
bool feed_is_at_end(const struct feed *f);

/* measure() of plain lines. */
size_t feed_line(struct str s, bool is_last);

#endif
