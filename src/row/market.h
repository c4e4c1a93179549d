/* The columns of one coin in one answer of /coins/markets, listed once.
 *
 * Source: CoinGecko's OpenAPI document of 2026-06-22 (26 fields always sent; those after
 * last_updated only on request or for rehypothecated coins). Every number may be null; so may
 * everything but id, symbol and name. Sinks put slot and job in front of it; coin names live in
 * their own table there.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROW_MARKET_H
#define ROW_MARKET_H

#include "row/row.h"

/*  id, name (= JSON key unless flattened), kind, NOT_NULL or MAYBE, json key or NULL, unit, help */
/* clang-format off */
#define MARKET_COLUMNS(X)                                                                                      \
    X(ID, "id", TEXT, NOT_NULL, "id", "", "CoinGecko's name of the coin; stable")                              \
    X(SYMBOL, "symbol", TEXT, NOT_NULL, "symbol", "", "ticker symbol; not unique, may be empty")               \
    X(NAME, "name", TEXT, NOT_NULL, "name", "", "display name")                                                \
    X(IMAGE, "image", TEXT, MAYBE, "image", "", "URL of the logo")                                             \
    X(FETCHED_AT, "fetched_at", TIME, NOT_NULL, NULL, "UTC", "when the page holding this row was received")    \
    X(CURRENT_PRICE, "current_price", NUM, MAYBE, "current_price", "vs_currency", "price of one coin")         \
    X(MARKET_CAP, "market_cap", NUM, MAYBE, "market_cap", "vs_currency", "market capitalisation")              \
    X(MARKET_CAP_RANK, "market_cap_rank", INT, MAYBE, "market_cap_rank", "rank", "rank by market cap")         \
    X(FULLY_DILUTED_VALUATION, "fully_diluted_valuation", NUM, MAYBE, "fully_diluted_valuation",               \
      "vs_currency", "price times the maximal supply")                                                         \
    X(TOTAL_VOLUME, "total_volume", NUM, MAYBE, "total_volume", "vs_currency", "traded in 24 hours")           \
    X(HIGH_24H, "high_24h", NUM, MAYBE, "high_24h", "vs_currency", "highest price in 24 hours")                \
    X(LOW_24H, "low_24h", NUM, MAYBE, "low_24h", "vs_currency", "lowest price in 24 hours")                    \
    X(PRICE_CHANGE_24H, "price_change_24h", NUM, MAYBE, "price_change_24h", "vs_currency",                     \
      "price change in 24 hours")                                                                              \
    X(PRICE_CHANGE_PERCENTAGE_24H, "price_change_percentage_24h", NUM, MAYBE, "price_change_percentage_24h",   \
      "percent", "price change in 24 hours")                                                                   \
    X(MARKET_CAP_CHANGE_24H, "market_cap_change_24h", NUM, MAYBE, "market_cap_change_24h", "vs_currency",      \
      "market cap change in 24 hours")                                                                         \
    X(MARKET_CAP_CHANGE_PERCENTAGE_24H, "market_cap_change_percentage_24h", NUM, MAYBE,                        \
      "market_cap_change_percentage_24h", "percent", "market cap change in 24 hours")                          \
    X(CIRCULATING_SUPPLY, "circulating_supply", NUM, MAYBE, "circulating_supply", "coins", "coins in the market") \
    X(TOTAL_SUPPLY, "total_supply", NUM, MAYBE, "total_supply", "coins", "coins that exist")                   \
    X(MAX_SUPPLY, "max_supply", NUM, MAYBE, "max_supply", "coins", "coins that will ever exist")               \
    X(ATH, "ath", NUM, MAYBE, "ath", "vs_currency", "all-time high")                                           \
    X(ATH_CHANGE_PERCENTAGE, "ath_change_percentage", NUM, MAYBE, "ath_change_percentage", "percent",          \
      "change since the all-time high")                                                                        \
    X(ATH_DATE, "ath_date", TIME, MAYBE, "ath_date", "UTC", "when the all-time high was")                      \
    X(ATL, "atl", NUM, MAYBE, "atl", "vs_currency", "all-time low")                                            \
    X(ATL_CHANGE_PERCENTAGE, "atl_change_percentage", NUM, MAYBE, "atl_change_percentage", "percent",          \
      "change since the all-time low")                                                                         \
    X(ATL_DATE, "atl_date", TIME, MAYBE, "atl_date", "UTC", "when the all-time low was")                       \
    X(ROI_TIMES, "roi_times", NUM, MAYBE, NULL, "times", "return on the initial offering: times")              \
    X(ROI_CURRENCY, "roi_currency", TEXT, MAYBE, NULL, "", "return on the initial offering: in which currency") \
    X(ROI_PERCENTAGE, "roi_percentage", NUM, MAYBE, NULL, "percent", "return on the initial offering")         \
    X(LAST_UPDATED, "last_updated", TIME, MAYBE, "last_updated", "UTC",                                        \
      "CoinGecko's own time of the row; data, never a key: it goes backwards")                                 \
    X(RANK_WITH_REHYPOTHECATED, "market_cap_rank_with_rehypothecated", INT, MAYBE,                             \
      "market_cap_rank_with_rehypothecated", "rank", "rank that counts wrapped and staked coins too")          \
    X(SPARKLINE_IN_7D, "sparkline_in_7d", TEXT, MAYBE, NULL, "vs_currency", "hourly prices of 7 days, as a JSON array") \
    X(CHANGE_1H, "price_change_percentage_1h_in_currency", NUM, MAYBE,                                         \
      "price_change_percentage_1h_in_currency", "percent", "price change in 1 hour")                           \
    X(CHANGE_24H, "price_change_percentage_24h_in_currency", NUM, MAYBE,                                       \
      "price_change_percentage_24h_in_currency", "percent", "price change in 24 hours, full precision")        \
    X(CHANGE_7D, "price_change_percentage_7d_in_currency", NUM, MAYBE,                                         \
      "price_change_percentage_7d_in_currency", "percent", "price change in 7 days")                           \
    X(CHANGE_14D, "price_change_percentage_14d_in_currency", NUM, MAYBE,                                       \
      "price_change_percentage_14d_in_currency", "percent", "price change in 14 days")                         \
    X(CHANGE_30D, "price_change_percentage_30d_in_currency", NUM, MAYBE,                                       \
      "price_change_percentage_30d_in_currency", "percent", "price change in 30 days")                         \
    X(CHANGE_200D, "price_change_percentage_200d_in_currency", NUM, MAYBE,                                     \
      "price_change_percentage_200d_in_currency", "percent", "price change in 200 days")                       \
    X(CHANGE_1Y, "price_change_percentage_1y_in_currency", NUM, MAYBE,                                         \
      "price_change_percentage_1y_in_currency", "percent", "price change in 1 year")

/* clang-format on */

enum market_column {
#define MARKET_ENUM(id, ...) MARKET_##id,
    MARKET_COLUMNS(MARKET_ENUM)
#undef MARKET_ENUM
        N_MARKET_COLUMNS
};

extern const struct table market_table;

#endif
