/* Values that are well-formed and hardly true: kept as they came, and flagged by the rule they
 * break.
 *
 * A row breaks a rule by itself or against the row of its coin in the poll before. The latter is
 * flagged each time; the former when it begins, and in the first poll of each hour while it lasts.
 * Limits were chosen so that what they flag in real answers is rare; the share of rows that they
 * flag in 1550 rows of 15 captures, 2023-01 to 2026-04, stands with each.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_QUALITY_H
#define TRANSFORM_QUALITY_H

#include "transform/transform.h"

/*  id, name, help, measured */
/* clang-format off */
#define QUALITY_RULES(X)                                                                                       \
    X(PRICE_JUMP, "price_jump", "`current_price` more than doubled, or fell to less than half, since the row " \
      "before, at most a day ago", "none: the widest change in 24 hours is +53 %, its 99th percentile 16 %")   \
    X(RANK_JUMP, "rank_jump", "`market_cap_rank` moved by more than 50 places and by more than half of the "   \
      "better rank since the row before, at most a day ago",                                                   \
      "within a day not known; within 39 to 115 days 1 % of coins moved by 43 to 57 places")                   \
    X(SUPPLY_JUMP, "supply_jump", "`circulating_supply` or `total_supply` changed by more than a quarter "     \
      "since the row before, at most a day ago",                                                               \
      "within a day not known; within 39 to 115 days the median is 0.1 to 1.9 %, the 90th percentile 6 to 40 %") \
    X(CAP_MISMATCH, "cap_mismatch", "`market_cap` is not price times circulating supply, by a quarter or more", \
      "0.1 % of rows: one coin; the 99th percentile is off by 1.5 %")                                          \
    X(CAP_IMPLAUSIBLE, "cap_implausible", "`market_cap` of a coin without a rank above every ranked coin's, "   \
      "where the poll has the first one, or twice that of the best-ranked coin",                               \
      "none; an unranked new coin of 20.5 trillion stood above bitcoin for an hour on 2026-03-11")             \
    X(NEGATIVE, "negative", "a price, cap, volume or supply below zero", "none")                               \
    X(HIGH_BELOW_LOW, "high_below_low", "`high_24h` below `low_24h`", "none")                                  \
    X(PRICE_OFF_DAY, "price_off_day", "`current_price` more than 10 % above `high_24h` or below `low_24h`",    \
      "none: the farthest is 1.2 % off")                                                                       \
    X(PRICE_OFF_RECORD, "price_off_record", "`current_price` more than 2 % above `ath` or below `atl`",        \
      "none: the farthest is 0.4 % off")                                                                       \
    X(SUPPLY_ORDER, "supply_order", "more coins circulate than exist, or exist than ever will, by 5 %",        \
      "0.6 % of rows: three coins")                                                                            \
    X(STALE, "stale", "`last_updated` more than a day before the answer came", "0.3 % of rows: five coins, up to 11 days")

/* clang-format on */

enum quality_rule {
#define QUALITY_ENUM(id, ...) QUALITY_##id,
    QUALITY_RULES(QUALITY_ENUM)
#undef QUALITY_ENUM
        N_QUALITY_RULES
};

struct quality_rule_def {
    const char *name, *help, *measured;
};

extern const struct quality_rule_def quality_rules[N_QUALITY_RULES];

struct quality_flag {
    uint32_t row; /* of the poll's */
    enum quality_rule rule;
    struct str detail; /* the values: "current_price 1.5 -> 3.2", "high_24h 1, low_24h 2" */
};

/* Find p->flags and p->quality; in rows of another table than market there are none. */
enum st quality_find(const struct transform_input *in, struct poll_rows *p, struct arena *arena,
                     struct err *err) MUST_USE;

#endif
