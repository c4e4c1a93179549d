/* What an alert says: made when it fires, kept in the outbox, worded when it is sent. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALERT_MESSAGE_H
#define ALERT_MESSAGE_H

#include "alert/machine.h"
#include "base/buf.h"

#define ALERT_ID_MAX   96
#define ALERT_SAID_MAX 200
#define ALERT_TEXT_MAX 4096 /* bytes of a text, and of a JSON object */

/* What is late by more than this says so; and if it is of a backlog, one of each rule is enough. */
#define ALERT_OLD_US (5 * 60 * INT64_C(1000000))

struct alert_fact {
    char id[ALERT_ID_MAX]; /* "<stream>-<offset>-<hash of the rule>": of a tape always the same */
    int64_t at_us;         /* when the poll knew it */
    char said[ALERT_SAID_MAX]; /* "59812.5 usd" */
    char value[DEC_MAX_TEXT];  /* "59812.5"; "": the rule has none */
    char before[DEC_MAX_TEXT]; /* CHANGE: what it is compared with */
    char job[ALERT_JOB_MAX];
    char currency[16];
    bool is_simulated;
    int64_t n_earlier; /* so many of a backlog gave way to this one */
};

/* Word what the event says; id, job, currency and is_simulated are the caller's. */
void alert_fact_say(const struct alert_rule *rule, const struct alert_event *event, int64_t budget,
                    struct alert_fact *fact);

/* The text for people, one line, and the JSON object for programs. */
void alert_fact_write(const struct alert_rule *rule, const struct alert_fact *fact, int64_t now_us,
                      struct buf *text, struct buf *json);

#endif
