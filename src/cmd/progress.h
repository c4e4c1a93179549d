/* How far a long work is: a bar on a terminal, else a line now and then; on stderr. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include "base/clock.h"

struct progress {
    const char *verb, *unit; /* "replay", "polls" */
    bool is_terminal, has_bar;
    int64_t start_us, shown_us; /* monotonic */
};

void progress_begin(struct progress *p, const char *verb, const char *unit);

/* Show it, unless that was just done. total 0: not known yet. */
void progress_show(struct progress *p, uint64_t done, uint64_t total, uint64_t rows);

/* Wipe the bar; the time since the beginning in seconds, at least a millisecond. */
double progress_end(struct progress *p);

#endif
