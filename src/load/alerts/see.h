/* What a poll of the tape says about a rule. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_ALERTS_SEE_H
#define LOAD_ALERTS_SEE_H

#include "alert/alerts.h"
#include "transform/transform.h"

struct alerts_poll {
    const struct stream_id *stream;
    const struct tape_record *end;
    const struct poll_page *pages;
    size_t n_pages;
    const struct poll_rows *rows; /* NULL: it has none */
    int64_t budget;               /* calls in the period; 0: not known */
    int64_t spent;                /* of them, by all streams */
    bool is_simulated;            /* also where no answer says so */
};

/* False for a poll that says nothing of any rule: it was cut short, or by a wrong clock. */
bool alerts_see(const struct alert_rule *rule, const struct alerts_poll *poll,
                struct alert_seen *ret_seen);

/* What to tell of a rule that fired with this poll. */
void alerts_fact(const struct alert *alert, const struct alerts_poll *poll,
                 const struct alert_event *event, struct alert_fact *ret_fact);

#endif
