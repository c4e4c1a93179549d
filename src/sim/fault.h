/* What the simulator can do wrong: one table of names, from which --help, the docs and the message
 * about an unknown name are made. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_FAULT_H
#define SIM_FAULT_H

#include "sim/errors.h"
#include "sim/liar.h"

#define SIM_MAX_FAULTS 16

struct fault_kind {
    const char *name, *help;
    enum sim_error error;           /* is answered instead of data */
    liar_leaves *leaves;            /* which coins are off the list; NULL */
    liar_rows *rows;                /* changes the rows of a page; NULL */
    bool is_first_page;             /* the first page is sent whatever page was asked for */
    int64_t age_us;                 /* the answer is as old as that */
    void (*text)(struct buf *body); /* changes the text of data; NULL */
    /* changes the answer, data or error; NULL */
    void (*answer)(struct http_response *res, int64_t now_us);
};

extern const struct fault_kind fault_kinds[];
extern const size_t n_fault_kinds;

struct fault {
    const struct fault_kind *kind;
    uint32_t every;           /* each Nth API request (1: all) */
    uint64_t from, until;     /* only requests from..until (0-based, until exclusive; 0: no end) */
    int64_t after_us, for_us; /* only in this span since the start (for 0: no end) */
    double rate;              /* of those by lot, the same lots for a seed; 1: all */
};

/* "429:every=3" "stall:from=10,until=20" "bom:rate=0.2,after=10s,for=1m" "html"; ST_REJECT names
 * what is known. */
enum st fault_parse(struct str text, struct fault *ret_fault, struct err *err) MUST_USE;

/* Does it happen to this request (0-based), so long after the start? */
bool fault_is_due(const struct fault *f, uint64_t request, int64_t elapsed_us, uint64_t seed);

/* "  name   what it does" lines. */
void fault_help(struct buf *b);

#endif
