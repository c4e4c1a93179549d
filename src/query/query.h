/* The read interface of every store: SQLite, memory, the simulator's market.
 *
 * Threads: one query object belongs to one thread at a time. Answers live in the caller's arena.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include "base/err.h"
#include "query/history.h"
#include "row/market.h"

enum market_order {
    ORDER_MARKET_CAP_DESC, /* coins without a market cap last, as CoinGecko sorts */
    ORDER_MARKET_CAP_ASC,
    ORDER_VOLUME_DESC,
    ORDER_VOLUME_ASC,
    ORDER_ID_ASC,
    ORDER_ID_DESC,
};

/* Coins that are as if they were not there. */
struct market_filter {
    /* rank: NULL or INT */
    bool (*is_out)(const struct market_filter *f, struct str id, const struct cell *rank);
};

struct market_query {
    struct str vs_currency;
    const struct str *ids; /* only these coins; n_ids 0: all */
    size_t n_ids;
    struct str category; /* only its coins; empty: all. Only one that has_category() knows */
    enum market_order order;
    uint32_t per_page; /* 1..250; 0: all */
    uint32_t page;     /* from 1 */

    const struct market_filter *filter; /* NULL: none. Heeded by the simulator's stores only */

    /* Heeded by stores that make their figures; others give what they were sent. */
    int64_t at_us;           /* as it was at that moment; 0: at the query's. Only where has_past */
    int64_t max_stale_us;    /* of a moment: without what was told or confirmed last longer before
                                it; 0: with all. Where has_moments */
    bool has_full_prices;    /* prices unrounded */
    bool has_full_sizes;     /* so caps and volumes */
    bool has_sparkline;      /* hourly prices of 7 days */
    bool has_rehypothecated; /* wrapped and staked coins too, with their rank */
};

struct poll_query {
    struct str job;
    int64_t before_us; /* only slots before it; INT64_MAX: from the newest on */
    uint32_t limit;    /* about so many, as slots come whole */
};

/* A chart of one coin: what lies in (from, to], a step apart. */
struct chart_query {
    struct str id, vs_currency;
    int64_t from_us, to_us;
    int64_t step_us; /* at most CHART_MAX steps */
};

#define CHART_MAX 10000

/* What some coins cost from from_us on, a step apart, until to_us. */
struct spark_query {
    struct str vs_currency;
    const struct str *ids;
    size_t n_ids;
    int64_t from_us, to_us; /* of polls' slots; from_us a whole hour */
    int64_t step_us;        /* whole hours */
    int64_t at_us;          /* as it was known at that moment; 0: at the query's */
};

/* The rows of a coin that came in [from, until). */
struct rows_query {
    struct str id, vs_currency; /* id empty: of all coins */
    int64_t from_us, until_us;
    size_t n_expected; /* about, to make room at once; 0: nobody knows */
};

/* What a coin was worth at a moment. */
struct price_query {
    struct str id, vs_currency;
    int64_t at_us;
};

/* The last price that was known then, and who told it. */
struct known_price {
    struct cell price; /* NUM */
    int64_t known_us;  /* when it came, or was confirmed */
    struct str job;    /* of the poll */
    int64_t slot_us;
};

/* One figure of the market as a whole, named as CoinGecko's /global names it. */
struct figure {
    struct str name; /* "total_market_cap" */
    struct str part; /* "usd"; empty: the figure has no parts */
    struct cell value;
};

/* Where a coin's contract is. */
struct coin_contract {
    struct str platform, address; /* both empty: a coin of its own chain */
    int64_t decimals;             /* -1: not known */
};

/* What a coin was called since some time. */
struct coin_label {
    int64_t since_us;
    struct str symbol, name;
};

/* What is known of a coin besides its figures; texts may be empty. */
struct coin_info {
    struct str id, symbol, name, image, description, homepage;
    const struct coin_contract *contracts;
    size_t n_contracts;
    const struct str *categories; /* their names */
    size_t n_categories;
    int64_t genesis_us;                  /* INT64_MIN: not known */
    int64_t first_seen_us, last_seen_us; /* in any answer; 0: not known. Last: to the hour */
    const struct coin_label *labels;     /* oldest first */
    size_t n_labels;
};

struct category {
    struct str id, name, content;
    struct cell market_cap, market_cap_change_24h, volume_24h;
    struct str top_ids[3], top_images[3];
    size_t n_top;
    int64_t updated_us;
};

struct platform {
    struct str id, name, shortname, native_coin_id, image;
    int64_t chain; /* -1: it has no number */
};

struct gap_query {
    struct str job;
    int64_t since_us; /* only gaps that lasted beyond it */
    int64_t now_us;   /* a gap that nothing ended lasts until now */
};

struct coverage_query {
    struct str job;
    int64_t from_us, until_us; /* as coverage_begin() takes them */
    int64_t now_us;
};

struct query;

struct query_driver {
    /* The latest row of each coin, columns of market_table. No such currency: no rows. */
    enum st (*market)(struct query *q, const struct market_query *args, struct arena *arena,
                      struct rows *ret_rows, struct err *err) MUST_USE;

    /* How many of these coins market() has in a currency, and when that was seen last of which it
     * is longest ago; 0: none. Of now only; NULL where the store cannot say. */
    enum st (*seen)(struct query *q, struct str vs_currency, const struct str *ids, size_t n_ids,
                    struct arena *arena, size_t *ret_n, int64_t *ret_us, struct err *err) MUST_USE;

    /* Every coin known, or that is listed where that is known, ordered by id: rows of coin_table.
     */
    enum st (*coins)(struct query *q, struct arena *arena, struct rows *ret_rows,
                     struct err *err) MUST_USE;

    /* Currencies that market() can answer. */
    enum st (*currencies)(struct query *q, struct arena *arena, struct str **ret_currencies,
                          size_t *ret_n, struct err *err) MUST_USE;

    /* True when market() knows the coins of this category. NULL: the store knows none. */
    bool (*has_category)(struct query *q, struct str category);

    /* What not every store knows; NULL where it does not. No such coin or currency: no rows. */

    /* The market as a whole, parts of a figure one after the other. None: nobody collects it. */
    enum st (*global)(struct query *q, struct arena *arena, struct figure **ret_figures,
                      size_t *ret_n, struct err *err) MUST_USE;

    bool has_past;      /* market() heeds at_us */
    bool has_moments;   /* every answer heeds query.at_us */
    bool has_contracts; /* info() knows them, and categories */

    /* Prices, caps and volumes, oldest first: rows of series_table. */
    enum st (*series)(struct query *q, const struct chart_query *args, struct arena *arena,
                      struct rows *ret_rows, struct err *err) MUST_USE;

    /* Prices of the first poll in each step, of each job one after the other: rows of spark_table.
     * Steps without a poll have none. */
    enum st (*sparks)(struct query *q, const struct spark_query *args, struct arena *arena,
                      struct rows *ret_rows, struct err *err) MUST_USE;

    /* Candles, oldest first; the last may be unfinished: rows of ohlc_table. */
    enum st (*ohlc)(struct query *q, const struct chart_query *args, struct arena *arena,
                    struct rows *ret_rows, struct err *err) MUST_USE;

    /* Every row of a coin, oldest first, or of all, coin by coin by their ids; columns of
     * market_table. Rows that had not changed are not among them. */
    enum st (*rows)(struct query *q, const struct rows_query *args, struct arena *arena,
                    struct rows *ret_rows, struct err *err) MUST_USE;

    /* The last price of a coin that a poll told by then; *ret_is_known false: none did. */
    enum st (*price)(struct query *q, const struct price_query *args, struct arena *arena,
                     struct known_price *ret_price, bool *ret_is_known, struct err *err) MUST_USE;

    /* Every name that any coin has had, ordered by id: rows of coin_table. */
    enum st (*names)(struct query *q, struct arena *arena, struct rows *ret_rows,
                     struct err *err) MUST_USE;

    /* One coin; *ret_is_known false: there is none of that id. */
    enum st (*info)(struct query *q, struct str id, struct arena *arena, struct coin_info *ret_info,
                    bool *ret_is_known, struct err *err) MUST_USE;

    /* Coins that are listed no more, ordered by id: rows of coin_table. None: nobody collects them.
     */
    enum st (*inactive)(struct query *q, struct arena *arena, struct rows *ret_rows,
                        struct err *err) MUST_USE;

    /* The coins listed last, newest first, at most 200: rows of new_coin_table. No table: nobody
     * collects them. */
    enum st (*newest)(struct query *q, struct arena *arena, struct rows *ret_rows,
                      struct err *err) MUST_USE;

    enum st (*categories)(struct query *q, struct arena *arena, struct category **ret_categories,
                          size_t *ret_n, struct err *err) MUST_USE;

    enum st (*platforms)(struct query *q, struct arena *arena, struct platform **ret_platforms,
                         size_t *ret_n, struct err *err) MUST_USE;

    /* What happened, NULL in stores that do not keep it; of a job not known: no rows. */

    /* Polls of a job, newest slot first: rows of poll_table. */
    enum st (*polls)(struct query *q, const struct poll_query *args, struct arena *arena,
                     struct rows *ret_rows, struct err *err) MUST_USE;

    /* Gaps of a job, newest first: rows of gap_table. */
    enum st (*gaps)(struct query *q, const struct gap_query *args, struct arena *arena,
                    struct rows *ret_rows, struct err *err) MUST_USE;

    /* Coins that a job of coins/markets has or had, by id, a row for each absence that lasted
     * beyond since_us, at least one: rows of member_table. */
    enum st (*members)(struct query *q, const struct gap_query *args, struct arena *arena,
                       struct rows *ret_rows, struct err *err) MUST_USE;

    /* What was refused, of all jobs, at most limit, newest slot first: rows of refusal_table. */
    enum st (*refusals)(struct query *q, uint32_t limit, struct arena *arena, struct rows *ret_rows,
                        struct err *err) MUST_USE;

    /* Values that are hardly true, in the same way: rows of flag_table. */
    enum st (*flags)(struct query *q, uint32_t limit, struct arena *arena, struct rows *ret_rows,
                     struct err *err) MUST_USE;

    /* A job by days, the oldest first, each whether it has polls or not: rows of coverage_table. */
    enum st (*coverage)(struct query *q, const struct coverage_query *args, struct arena *arena,
                        struct rows *ret_rows, struct err *err) MUST_USE;

    /* Spans of transform versions, by job: rows of span_table. Reads every poll: not for a thread
     * that somebody waits for. */
    enum st (*spans)(struct query *q, struct arena *arena, struct rows *ret_rows,
                     struct err *err) MUST_USE;

    /* Every job whose polls are there, by its name: rows of known_job_table. */
    enum st (*jobs)(struct query *q, struct arena *arena, struct rows *ret_rows,
                    struct err *err) MUST_USE;

    /* What stores can say of themselves; NULL where they cannot. */

    /* A number that is another one after every change of what they answer. Cheap. */
    enum st (*version)(struct query *q, uint64_t *ret_version, struct err *err) MUST_USE;

    /* When the market in this currency was seen last; 0: never. */
    enum st (*known_at)(struct query *q, struct str vs_currency, int64_t *ret_us,
                        struct err *err) MUST_USE;

    void (*close)(struct query *q);
};

struct query {
    const struct query_driver *driver;
    void *state;
    /* The owner may set these between two questions. */
    int64_t
        timeout_us; /* what takes longer to answer is ST_AGAIN, in stores that can tell; 0: none */
    int64_t at_us;  /* answers tell what was known at that moment; 0: now. Where has_moments */
};

/* coin_table's columns: id, symbol, name */
extern const struct table coin_table;
enum { COIN_ID, COIN_SYMBOL, COIN_NAME, N_COIN_COLUMNS };

/* … and activated_at */
extern const struct table new_coin_table;
enum { NEW_COIN_ACTIVATED_AT = N_COIN_COLUMNS, N_NEW_COIN_COLUMNS };

/* A point of a chart: its time, NUMs, whence it is */
extern const struct table series_table;
enum {
    SERIES_TIME,
    SERIES_PRICE,
    SERIES_MARKET_CAP,
    SERIES_TOTAL_VOLUME,
    SERIES_SOURCE,
    N_SERIES_COLUMNS
};

/* A coin's price by a poll: its id, the slot, NUM */
extern const struct table spark_table;
enum { SPARK_ID, SPARK_SLOT, SPARK_PRICE, N_SPARK_COLUMNS };

/* A candle: when it closes, NUMs; where the store knows them, what came with its last price */
extern const struct table ohlc_table;
enum {
    OHLC_TIME,
    OHLC_OPEN,
    OHLC_HIGH,
    OHLC_LOW,
    OHLC_CLOSE,
    OHLC_MARKET_CAP,
    OHLC_TOTAL_VOLUME,
    N_OHLC_COLUMNS
};

/* Order and cut rows of market_table in place as args ask: for stores without SQL. By id also rows
 * of other tables that begin with it. */
void query_arrange(const struct market_query *args, struct rows *rows);

#endif
