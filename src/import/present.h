/* What is on an import's stream already: walked beside the source, in the order of time. Private to
 * import/.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMPORT_PRESENT_H
#define IMPORT_PRESENT_H

#include "base/err.h"
#include "tape/reader.h"

/* A hash over the pages of a poll, by the hashes of their bodies. */
struct poll_hash {
    uint8_t bytes[16];
};

struct present {
    struct tape_reader *reader;
    bool is_there;  /* the stream has records */
    bool is_pruned; /* what stood before the first record was removed */
    bool has_any;   /* a poll with rows was seen */
    bool is_over;
    int64_t first_us, slot_us; /* of the first, and of the one that is next */
    struct poll_hash hash;     /* of the one that is next */
    struct poll_hash last;     /* of the one before */
};

enum present_state { PRESENT_NEW, PRESENT_ON_TAPE, PRESENT_LATE };

enum st present_open(struct present *p, const char *data_dir, const char *job,
                     struct err *err) MUST_USE;
void present_close(struct present *p);

/* Where a time stands against the stream; times must be asked for in ascending order. After
 * PRESENT_ON_TAPE and PRESENT_NEW p->last is the hash of the newest poll up to it. */
enum st present_find(struct present *p, int64_t slot_us, enum present_state *ret_state,
                     struct err *err) MUST_USE;

/* Add one more page: its body, or the hash of its body that a record has. */
void poll_hash_add(struct poll_hash *h, const uint8_t body_hash[16]);
void poll_hash_body(struct str body, uint8_t ret_hash[16]);

#endif
