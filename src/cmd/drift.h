/* geckotape tape drift: a dated report of every change of the API that a tape has seen. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_DRIFT_H
#define CMD_DRIFT_H

#include "transform/drift_history.h"

struct drift_report {
    struct drift_history history;
    int64_t since_us;    /* slots before are not looked at */
    uint64_t n_without;  /* polls that bear rows and gave none */
    uint64_t n_problems; /* damaged places */
};

/* Read a stream into the report; what is damaged is named on stderr, counted and stepped over. job
 * lives as long as the report. */
enum st drift_read(struct drift_report *r, const char *job, const char *dir,
                   struct err *err) MUST_USE;

/* Sort what there is and print it on stdout: a table, or a line of JSON for each change. */
enum st drift_print(struct drift_report *r, bool is_json, struct err *err) MUST_USE;

#endif
