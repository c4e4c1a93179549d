/* What of the billing period may be spent beside the jobs. Private to pipeline/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_SPARE_H
#define PIPELINE_SPARE_H

#include "status/status.h"

struct spare {
    bool has_bound;     /* else nothing of the following holds */
    uint64_t all, left; /* of the period's calls */
    uint64_t wanted;    /* by all slots of the jobs until its end, and by their polls under way */
    uint64_t calls;     /* what no job wants of it, and a tenth of what is left at least: a job that
                         * wants more than there is would leave nothing, ever */
    int64_t until_us;   /* the period's end */
};

struct spare spare_now(struct status *status, int64_t now_us);

/* Is one more call to spare, of a work that had `first` to spare when it began, and has made n? */
bool spare_has_one(const struct spare *now, const struct spare *first, uint64_t n);

#endif
