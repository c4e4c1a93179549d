/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/rule.h"
#include "base/clock.h"
#include "row/market.h"
#include "tap.h"

static void every_form_is_read(void)
{
    struct err err = ERR_INIT;
    struct alert_rule r;

    CHECK(alert_rule_parse(STR("bitcoin.current_price<60000.50  for 2m of job a"), &r, &err) ==
          ST_OK);
    CHECK(r.kind == ALERT_VALUE && r.op == ALERT_LT && r.column == MARKET_CURRENT_PRICE);
    CHECK(r.limit.mant == 600005 && r.limit.exp == -1 && r.for_us == 120 * US_PER_S);
    CHECK_Z(r.when, "bitcoin.current_price < 60000.50 for 2m of job a");
    CHECK_Z(r.coin, "bitcoin");
    CHECK_Z(r.job, "a");
    CHECK(alert_rule_parse(STR("0.exchange.volume in eur change 90d >= -100%"), &r, &err) == ST_OK);
    CHECK(r.kind == ALERT_CHANGE && r.op == ALERT_GE && r.column == MARKET_TOTAL_VOLUME);
    CHECK_Z(r.coin, "0.exchange");
    CHECK_Z(r.currency, "eur");
    CHECK(alert_rule_parse(STR("a.rank <= 10"), &r, &err) == ST_OK && r.op == ALERT_LE);
    CHECK(alert_rule_parse(STR("a.price_change_percentage_24h > -5%"), &r, &err) == ST_OK);
    CHECK(alert_rule_parse(STR("a stale > 10m for 1h"), &r, &err) == ST_OK);
    CHECK(r.kind == ALERT_STALE && r.limit_us == 600 * US_PER_S && r.for_us == 3600 * US_PER_S);
    CHECK(alert_rule_parse(STR("gap of job usd > 5m"), &r, &err) == ST_OK);
    CHECK(r.kind == ALERT_GAP && r.limit_us == 300 * US_PER_S);
    CHECK(alert_rule_parse(STR("gap of job usd"), &r, &err) == ST_OK && r.limit_us == 0);
    CHECK(alert_rule_parse(STR("budget <= 0.5%"), &r, &err) == ST_OK && r.kind == ALERT_BUDGET);
}

static void what_is_no_rule_is_refused(void)
{
    static const char *const wrong[] = {
        "",
        "bitcoin",
        "bitcoin.price",
        "bitcoin.price <",
        "bitcoin.price < ",
        "bitcoin.price < 5 5",
        "bitcoin.price << 5",
        "bitcoin.price == 5",
        "bitcoin.price < 5e",
        "bitcoin.price < 0x5",
        "bitcoin.price < 1234567890.1234567891",
        "bitcoin.price < 5%",
        "bitcoin.price < -1",
        "bitcoin.price < 0",
        "bitcoin.rank < 1.5",
        "bitcoin.image < 1",
        "bitcoin.ath_date < 1",
        ".price < 1",
        "bitcoin. < 1",
        "bitcoin.price in < 1",
        "bitcoin.price change > 5%",
        "bitcoin.price change 91d > 5%",
        "bitcoin.price change 1h > 5",
        "bitcoin.price change 1h > 0.0000001%",
        "bitcoin.price change 1h > 1000001%",
        "bitcoin.price_change_24h change 1h > 5%",
        "bitcoin.price < 5 for",
        "bitcoin.price < 5 for 0s",
        "bitcoin.price < 5 for 1m for 1m",
        "bitcoin.price < 5 of usd",
        "bitcoin.price < 5 of job",
        "bitcoin.price < 5 of job a of job b",
        "bitcoin stale < 5m",
        "bitcoin stale > 5",
        "gap",
        "gap of usd",
        "gap of job usd for 5m",
        "budget < 10",
        "budget > 10%",
        "budget < 0%",
        "budget < 101%",
        "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct err err = ERR_INIT;
        struct alert_rule r;
        if (alert_rule_parse(str_of(wrong[i]), &r, &err) != ST_REJECT || err.msg[0] == '\0')
            TAP_FAIL("taken: \"%s\"", wrong[i]);
    }
}

TAP_MAIN(TAP_CASE(every_form_is_read), TAP_CASE(what_is_no_rule_is_refused))
