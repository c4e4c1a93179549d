/* What people want to be told of, in one line each:
 *
 *     COIN.COLUMN [in CUR] [change SPAN] < NUMBER [for SPAN] [of job NAME]    < <= > >=
 *     COIN stale > SPAN                              [for SPAN] [of job NAME]
 *     gap of job NAME [> SPAN]
 *     budget < PERCENT                               [for SPAN]
 *
 * A rule watches the polls of one job, so that what it makes of a tape is the same each time.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALERT_RULE_H
#define ALERT_RULE_H

#include "base/dec.h"
#include "base/err.h"

#define ALERT_WHEN_MAX 256 /* bytes of a condition, NUL included */
#define ALERT_COIN_MAX 129
#define ALERT_JOB_MAX  64

enum alert_kind {
    ALERT_VALUE,  /* a column against a number */
    ALERT_CHANGE, /* … against what it was a span ago, in percent of that */
    ALERT_STALE,  /* how old CoinGecko's own time of the coin's newest row is */
    ALERT_GAP,    /* how late a poll came that was promised, once one comes */
    ALERT_BUDGET, /* percent of the period's calls that are left */
};

enum alert_op { ALERT_LT, ALERT_LE, ALERT_GT, ALERT_GE };

struct alert_rule {
    char when[ALERT_WHEN_MAX]; /* as written, with single spaces */
    enum alert_kind kind;
    char coin[ALERT_COIN_MAX]; /* VALUE, CHANGE, STALE; else "" */
    size_t column;             /* of market_table: VALUE, CHANGE */
    char currency[16];         /* "": the job's */
    char job[ALERT_JOB_MAX];   /* "": the first that fits */
    enum alert_op op;
    struct dec limit;    /* VALUE; CHANGE and BUDGET: percent; exact */
    int64_t limit_us;    /* STALE, GAP */
    int64_t span_us;     /* CHANGE: how far back */
    int64_t for_us;      /* the condition must hold so long; 0: at once */
    const char *op_text; /* "<=" */
};

/* ST_REJECT with the cause and the mend, where there is one with what was meant. */
enum st alert_rule_parse(struct str text, struct alert_rule *ret_rule, struct err *err) MUST_USE;

/* "current_price" of VALUE and CHANGE, else the kind's name. */
const char *alert_rule_what(const struct alert_rule *rule);

#endif
