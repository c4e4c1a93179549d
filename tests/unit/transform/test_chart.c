/* What becomes of the answers of market_chart and ohlc, by the rules of CoinGecko's series. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "polls.h"

#include "row/chart_candle.h"
#include "row/chart_point.h"
#include "tap.h"

#define MS      1000
#define MINUTE  (60 * US_PER_S)
#define CHART   "/api/v3/coins/bitcoin/market_chart?vs_currency=usd&"
#define RANGE   "/api/v3/coins/bitcoin/market_chart/range?vs_currency=usd&"
#define CANDLES "/api/v3/coins/bitcoin/ohlc?vs_currency=usd&"

static struct poll_rows p;

/* One answer, made at `at` (of SLOT's day). */
static enum st answer(const char *target, int64_t fetched_us, const char *headers, const char *body)
{
    struct stream_id stream = {.endpoint = "coins/market_chart"};
    struct poll_page page = {.record = {.offset = 1,
                                        .page = 1,
                                        .fetched_at_us = fetched_us,
                                        .target = str_of(target),
                                        .headers = str_of(headers)},
                             .body = json_pad(&bodies, str_of(body))};
    struct tape_record end = {
        .stream = &stream, .offset = 2, .slot_us = fetched_us, .outcome = POLL_OK};
    struct transform_input in = {&end, &page, 1, NULL, NULL};

    if (strstr(target, "/ohlc"))
        snprintf(stream.endpoint, sizeof(stream.endpoint), "coins/ohlc");
    return transform_poll(&in, json, &arena, &p, &err);
}

/* Prices of some times, in seconds since SLOT, as a body. */
static const char *prices(const char *times)
{
    struct str rest = str_of(times), word;
    struct buf b = BUF_INIT(64 * 1024);
    int64_t s;

    buf_add_z(&b, "{\"prices\":[");
    for (bool is_first = true; str_cut(&rest, ' ', &word), word.len > 0; is_first = false) {
        if (!str_to_i64(word, INT64_MIN, INT64_MAX, &s))
            abort();
        buf_addf(&b, "%s[%lld,%lld.50]", is_first ? "" : ",", (long long)(SLOT / MS + s * 1000),
                 (long long)s);
    }
    buf_add_z(&b, "],\"market_caps\":[],\"total_volumes\":[]}");
    return kept_text(&b);
}

/* The times of the rows in seconds since SLOT, "step: " before them. */
static const char *times(void)
{
    struct buf b = BUF_INIT(4096);

    for (size_t i = 0; i < p.rows.n; i++) {
        const struct cell *row = rows_at(&p.rows, i);
        if (i == 0)
            buf_addf(&b, "%lld:", (long long)row[CHART_POINT_STEP].number);
        buf_addf(&b, " %lld", (long long)((row[0].number - SLOT) / US_PER_S));
    }
    return kept_text(&b);
}

static void a_point_is_a_row_with_its_digits(void)
{
    start();
    CHECK_OK(answer(CHART "days=1", SLOT, "",
                    "{\"prices\":[[1795438800357,43000.279740181286],[1795439100000,9.68e-06],"
                    "[1795442390000,1]],"
                    "\"market_caps\":[[1795438800357,0.0],[1795439100000,null],[1795442390000,1]],"
                    "\"total_volumes\":[[1795438800357,1e3],[1795442390000,1]]}"),
             err);
    CHECK_EQ(p.rows.n, 2);
    CHECK_EQ(p.rows_in, 2);
    CHECK_EQ(p.n_refusals, 0);
    const struct cell *row = rows_at(&p.rows, 0);
    CHECK_EQ(row[CHART_POINT_AT].number, INT64_C(1795438800357000));
    CHECK_STR(cell_text(&row[CHART_POINT_AT]), "2026-11-23T13:00:00.357Z");
    CHECK_STR(cell_text(&row[CHART_POINT_COIN]), "bitcoin");
    CHECK_EQ(row[CHART_POINT_STEP].number, 300);
    CHECK_STR(cell_text(&row[CHART_POINT_PRICE]), "43000.279740181286");
    CHECK_STR(cell_text(&row[CHART_POINT_MARKET_CAP]), "0.0");
    CHECK_STR(cell_text(&row[CHART_POINT_TOTAL_VOLUME]), "1e3");
    row = rows_at(&p.rows, 1);
    CHECK_STR(cell_text(&row[CHART_POINT_PRICE]), "9.68e-06");
    CHECK_EQ(row[CHART_POINT_MARKET_CAP].kind, CELL_NULL);
    CHECK_EQ(row[CHART_POINT_TOTAL_VOLUME].kind, CELL_NULL);
}

static void the_present_is_no_row_however_it_is_told(void)
{
    start();
    CHECK_OK(answer(CHART "days=2", SLOT, "", prices("-7180 -3600 -20")), err);
    CHECK_Z(times(), "3600: -7180 -3600");
    /* twice, the second time going back */
    CHECK_OK(answer(CHART "days=2", SLOT, "", prices("-7180 -3600 -20 -21")), err);
    CHECK_Z(times(), "3600: -7180 -3600");
    /* not yet there when a cache got it */
    CHECK_OK(answer(CHART "days=2", SLOT, "", prices("-7180 -3600 -1200")), err);
    CHECK_Z(times(), "3600: -7180 -3600");
    CHECK_OK(answer(CHART "days=1", SLOT + 2 * HOUR, "cf-cache-status: HIT\nage: 7200\n",
                    prices("-600 -300 -20")),
             err);
    CHECK_Z(times(), "300: -600 -300");
    /* a range that ended long ago ends with a point as the others */
    CHECK_OK(answer(RANGE "from=1795000000&to=1795434000", SLOT, "", prices("-12000 -9000")), err);
    CHECK_Z(times(), "3600: -12000 -9000");
    CHECK_OK(answer(RANGE "from=1795000000&to=1795442400", SLOT, "", prices("-7180 -3600 -10")),
             err);
    CHECK_Z(times(), "3600: -7180 -3600");
    /* so does the chart of a coin that is no more */
    CHECK_OK(answer(CHART "days=max", SLOT, "", prices("-8640000 -8553600 -8467200")), err);
    CHECK_Z(times(), "86400: -8640000 -8553600 -8467200");
}

/* SLOT is 14:00. */
static void a_day_is_stored_when_it_has_settled(void)
{
    start();
    CHECK_OK(answer(CHART "days=365", SLOT - 13 * HOUR - 30 * MINUTE, "",
                    prices("-223200 -136800 -50400 -48610")),
             err);
    CHECK_Z(times(), "86400: -223200 -136800");
    CHECK_OK(
        answer(CHART "days=365", SLOT - 13 * HOUR, "", prices("-223200 -136800 -50400 -46810")),
        err);
    CHECK_Z(times(), "86400: -223200 -136800 -50400");
}

static void missing_and_backward_times_are_taken_as_they_came(void)
{
    start();
    CHECK_OK(answer(CHART "days=365", SLOT, "",
                    prices("-50400 -568800 -482400 -309600 -223200 -136800 -5")),
             err);
    CHECK_Z(times(), "86400: -50400 -568800 -482400 -309600 -223200 -136800");
    CHECK_EQ(p.n_refusals, 0);
}

static void a_point_that_is_none_costs_itself(void)
{
    start();
    CHECK_OK(answer(CHART "days=30", SLOT, "",
                    "{\"prices\":[[1795400000000,1],7,[1795403600000],[\"x\",2],[],"
                    "[1795400000000,3],[1795407200000,{}],[1795440000000,1]],\"new\":1}"),
             err);
    CHECK_EQ(p.rows.n, 2);
    CHECK_EQ(p.n_refusals, 6);
    CHECK_STR(p.refusals[0].coin, "bitcoin");
    CHECK_Z(p.refusals[3].reason, "wrong type");
    CHECK_STR(p.refusals[3].value, "[]");
    CHECK_Z(p.refusals[4].reason, "duplicate key");
    CHECK_STR(p.refusals[5].field, "prices");
    CHECK_STR(p.refusals[5].value, "{}");
    CHECK_Z(drift_of(&p, EVERY_KIND),
            "missing: market_caps, total_volumes; new: new; retyped: prices (object -> boolean)");
}

static void what_is_no_chart_is_refused_whole(void)
{
    start();
    CHECK_EQ(answer(CHART "days=1", SLOT, "", "{\"market_caps\":[]}"), ST_REJECT);
    CHECK(strstr(err.msg, "no array \"prices\""));
    err = (struct err)ERR_INIT;
    CHECK_EQ(answer(CHART "days=1", SLOT, "", "{\"prices\":[],\"prices\":[]}"), ST_REJECT);
    err = (struct err)ERR_INIT;
    CHECK_EQ(answer("/made", SLOT, "", "{\"prices\":[]}"), ST_REJECT);
    CHECK(strstr(err.msg, "names no coin: /made"));
    err = (struct err)ERR_INIT;
    CHECK_OK(answer(CHART "days=1", SLOT, "", "{\"prices\":[]}"), err);
    CHECK_EQ(p.rows.n, 0);
}

static void candles_that_a_span_cuts_are_not_whole_however_old_they_are(void)
{
    start();
    /* from 10:30 to 13:30, in a time that is long over: 11:00 and 14:00 are the parts at its ends
     */
    CHECK_OK(
        answer("/api/v3/coins/bitcoin/ohlc/range?vs_currency=usd&interval=hourly&from=1795429800&"
               "to=1795440600",
               SLOT + 9 * 24 * HOUR, "",
               "[[1795431600000,1,1,1,1],[1795435200000,2,2,2,2],[1795438800000,3,3,3,3],"
               "[1795442400000,4,4,4,4]]"),
        err);
    CHECK_EQ(p.rows.n, 2);
    CHECK_STR(cell_text(&rows_at(&p.rows, 0)[CHART_CANDLE_AT]), "2026-11-23T12:00:00.000Z");
    CHECK_STR(cell_text(&rows_at(&p.rows, 1)[CHART_CANDLE_AT]), "2026-11-23T13:00:00.000Z");
}

/* SLOT is 14:00; a candle is told by its close. */
static void candles_at_both_ends_are_not_whole(void)
{
    start();
    CHECK_OK(answer(CANDLES "days=1", SLOT + 10 * MINUTE, "",
                    "[[1795357800000,1,1,1,1],[1795359600000,5,5,5,5],[1795435200000,1.0,3,0.5,2],"
                    "[1795437000000,2,2,2,2],[1795444200000,9,9,9,9]]"),
             err);
    CHECK_EQ(p.rows.n, 3);
    const struct cell *row = rows_at(&p.rows, 1);
    CHECK_STR(cell_text(&row[CHART_CANDLE_AT]), "2026-11-23T12:00:00.000Z");
    CHECK_STR(cell_text(&row[CHART_CANDLE_OPEN]), "1.0");
    CHECK_STR(cell_text(&row[CHART_CANDLE_LOW]), "0.5");
    CHECK_EQ(row[CHART_CANDLE_STEP].number, 1800);
    /* the newest one may be older than its close: it was made before */
    CHECK_OK(answer(CANDLES "days=1", SLOT + 20 * MINUTE, "",
                    "[[1795440600000,1,1,1,1],[1795442400000,5,5,5,5]]"),
             err);
    CHECK_EQ(p.rows.n, 1);
    CHECK_OK(answer(CANDLES "days=1", SLOT + 40 * MINUTE, "",
                    "[[1795440600000,1,1,1,1],[1795442400000,5,5,5,5]]"),
             err);
    CHECK_EQ(p.rows.n, 2);
}

TAP_MAIN(TAP_CASE(a_point_is_a_row_with_its_digits),
         TAP_CASE(the_present_is_no_row_however_it_is_told),
         TAP_CASE(a_day_is_stored_when_it_has_settled),
         TAP_CASE(missing_and_backward_times_are_taken_as_they_came),
         TAP_CASE(a_point_that_is_none_costs_itself), TAP_CASE(what_is_no_chart_is_refused_whole),
         TAP_CASE(candles_that_a_span_cuts_are_not_whole_however_old_they_are),
         TAP_CASE(candles_at_both_ends_are_not_whole))
