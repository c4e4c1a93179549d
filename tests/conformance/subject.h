/* The driver under test, and how to look into its store without it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONFORMANCE_SUBJECT_H
#define TESTS_CONFORMANCE_SUBJECT_H

#include "load/sink.h"

struct subject {
    const char *scheme;
    bool has_store;     /* something can be read back */
    bool is_persistent; /* and it survives the process */

    /* A URL of a store that is not there yet, in the fresh directory dir. */
    void (*make_url)(const char *dir, char *ret_url, size_t size);

    /* Keep a store alive that lives as long as somebody has it open; NULL: no need. */
    void (*hold)(const struct sink_url *url);
    void (*let_go)(void);

    /* Append "coin=price " for each row of the slot, coins sorted. For stores of the latest rows
     * only, this is asked for the newest slot. */
    void (*show)(const char *dir, const struct sink_url *url, const char *job, int64_t slot_us,
                 struct buf *ret_text);
};

extern const struct subject subject;

#endif
