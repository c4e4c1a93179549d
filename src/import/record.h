/* A record of a CSV file (RFC 4180), cut into its fields. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMPORT_RECORD_H
#define IMPORT_RECORD_H

#include "base/buf.h"

#define RECORD_MAX_BYTES  ((size_t)4 * 1024 * 1024)
#define RECORD_MAX_FIELDS 512

struct record {
    char separator; /* as the header has it: , ; or a tab */
    struct str fields[RECORD_MAX_FIELDS];
    size_t n_fields;
    struct buf texts; /* of quoted fields */
};

void record_init(struct record *r);
void record_release(struct record *r);

/* For struct feed: the bytes of the record at the start of s. */
size_t record_measure(struct str s, bool is_last);

/* Cut a record, with or without its end of line; the fields live until the next one is cut, and no
 * longer than its bytes. NULL, or what is wrong with it. The header's says what the separator is;
 * a byte order mark is none of it. */
const char *record_cut_header(struct record *r, struct str header);
const char *record_cut(struct record *r, struct str record);

#endif
