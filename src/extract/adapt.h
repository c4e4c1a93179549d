/* How far apart the polls of an adaptive job are, by what they showed: from every slot of its grid
 * to one in many. Pure arithmetic over headers and bodies. Inside extract/ only.
 *
 * A body is compared with the one before by its pieces, cut at each '{': about a row each. All is
 * learned anew after a restart, which begins with polls close together.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_ADAPT_H
#define EXTRACT_ADAPT_H

#include "base/str.h"

/* Hashes of a poll's pieces. */
struct adapt_pieces {
    uint64_t *all;
    size_t n, max;
};

struct adapt {
    struct adapt_pieces known; /* of the last ok poll, sorted */
    struct adapt_pieces seen;  /* of the one under way */
    int64_t known_slot_us;     /* 0: there was none */
    int64_t same_until_us;     /* a cache has the answers seen until then */
};

/* Zeroed is a good one. Owner: adapt_release(). */
void adapt_release(struct adapt *a);

/* A poll begins; what one before showed that did not end well is forgotten. */
void adapt_begin(struct adapt *a);

/* A good page of it; now_us: wall clock. */
void adapt_see(struct adapt *a, struct str headers, struct str body, int64_t now_us);

/* The poll of slot_us ended well. The next one is due no earlier than this moment, which is from
 * least_us to most_us after the slot. */
int64_t adapt_settle(struct adapt *a, int64_t slot_us, int64_t least_us, int64_t most_us);

/* So many slots, at least 1, should lie between two polls: n_new of n pieces had changed, `apart`
 * slots after the poll before. */
double adapt_stride(double apart, size_t n_new, size_t n);

/* How long from now on a cache gives the same answer, by its headers; 0: it does not say. */
int64_t adapt_same_for_us(struct str headers);

#endif
