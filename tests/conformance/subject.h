/* The driver under test, and how to look into its store without it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONFORMANCE_SUBJECT_H
#define TESTS_CONFORMANCE_SUBJECT_H

#include "load/sink.h"

struct subject {
    const char *scheme;
    bool has_store;     /* something can be read back */
    bool is_persistent; /* and it survives the process */
    bool shows_texts;   /* also rows that are of no coins */
    bool is_of_markets; /* it shows no rows but those of markets */

    /* A URL behind which nothing is now, but may be later; NULL: it is a file's. */
    const char *unreachable;

    /* A URL of a store that is not there yet, in the fresh directory dir. */
    void (*make_url)(const char *dir, char *ret_url, size_t size);

    /* Keep a store alive that lives as long as somebody has it open; NULL: no need. */
    void (*hold)(const struct sink_url *url);
    void (*let_go)(void);

    /* Append "id=value " for each row of the slot, ids sorted: of a market its price, of a list the
     * name, of /global the value, "id= " of a currency. For stores of the latest rows only, this is
     * asked for the newest slot. */
    void (*show)(const char *dir, const struct sink_url *url, const char *job, int64_t slot_us,
                 struct buf *ret_text);

    /* Append "id=detail " for each flag of the slot's rows, ids sorted; NULL: it keeps none. */
    void (*show_flags)(const struct sink_url *url, const char *job, int64_t slot_us,
                       struct buf *ret_text);

    /* Have the store refuse rows of this price, as its owner can; NULL: a store refuses no rows. */
    void (*forbid)(const struct sink_url *url, const char *price);

    /* Append "loaded=drift " for each poll of the slot, sorted, nothing behind = where there is no
     * drift; NULL: it keeps no polls. */
    void (*show_drift)(const struct sink_url *url, const char *job, int64_t slot_us,
                       struct buf *ret_text);
};

extern const struct subject subject;

#endif
