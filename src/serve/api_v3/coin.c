/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_v3/quotes.h"

#include "base/clock.h"
#include "serve/shape.h"

#include <math.h>

/* What is known of no coin, in CoinGecko's words for nothing. */
#define LINKS_NOT_KNOWN                                                                      \
    ",\"whitepaper\":\"\",\"blockchain_site\":[],\"official_forum_url\":[],\"chat_url\":[]," \
    "\"announcement_url\":[],\"snapshot_url\":null,\"twitter_screen_name\":\"\","            \
    "\"facebook_username\":\"\",\"bitcointalk_thread_identifier\":null,"                     \
    "\"telegram_channel_identifier\":\"\",\"subreddit_url\":\"\","                           \
    "\"repos_url\":{\"github\":[],\"bitbucket\":[]}}"
#define COMMUNITY_NOT_KNOWN                                                          \
    ",\"community_data\":{\"facebook_likes\":null,\"reddit_average_posts_48h\":0.0," \
    "\"reddit_average_comments_48h\":0.0,\"reddit_subscribers\":0,"                  \
    "\"reddit_accounts_active_48h\":0,\"telegram_channel_user_count\":null}"
#define DEVELOPERS_NOT_KNOWN                                                             \
    ",\"developer_data\":{\"forks\":0,\"stars\":0,\"subscribers\":0,\"total_issues\":0," \
    "\"closed_issues\":0,\"pull_requests_merged\":0,\"pull_request_contributors\":0,"    \
    "\"code_additions_deletions_4_weeks\":{\"additions\":0,\"deletions\":0},"            \
    "\"commit_count_4_weeks\":0,\"last_4_weeks_commit_activity_series\":[]}"

enum form {
    EACH, /* a figure in each currency */
    ONE,  /* the figure of usd */
    IS_NULL,
    IS_EMPTY, /* a figure in no currency */
    ROI,
    RATIO,   /* of market cap and valuation */
    ENDLESS, /* whether there is no maximal supply */
};

static const struct {
    const char *key;
    enum form form;
    size_t column;
} market_data[] = {
    {"current_price", EACH, MARKET_CURRENT_PRICE},
    {"total_value_locked", IS_NULL, 0},
    {"mcap_to_tvl_ratio", IS_NULL, 0},
    {"fdv_to_tvl_ratio", IS_NULL, 0},
    {"roi", ROI, 0},
    {"ath", EACH, MARKET_ATH},
    {"ath_change_percentage", EACH, MARKET_ATH_CHANGE_PERCENTAGE},
    {"ath_date", EACH, MARKET_ATH_DATE},
    {"atl", EACH, MARKET_ATL},
    {"atl_change_percentage", EACH, MARKET_ATL_CHANGE_PERCENTAGE},
    {"atl_date", EACH, MARKET_ATL_DATE},
    {"market_cap", EACH, MARKET_MARKET_CAP},
    {"fully_diluted_valuation", EACH, MARKET_FULLY_DILUTED_VALUATION},
    {"market_cap_fdv_ratio", RATIO, 0},
    {"market_cap_rank", ONE, MARKET_MARKET_CAP_RANK},
    {"outstanding_token_value_usd", IS_NULL, 0},
    {"market_cap_rank_with_rehypothecated", ONE, MARKET_RANK_WITH_REHYPOTHECATED},
    {"total_volume", EACH, MARKET_TOTAL_VOLUME},
    {"high_24h", EACH, MARKET_HIGH_24H},
    {"low_24h", EACH, MARKET_LOW_24H},
    {"price_change_24h", ONE, MARKET_PRICE_CHANGE_24H},
    {"price_change_percentage_24h", ONE, MARKET_PRICE_CHANGE_PERCENTAGE_24H},
    {"price_change_percentage_7d", ONE, MARKET_CHANGE_7D},
    {"price_change_percentage_14d", ONE, MARKET_CHANGE_14D},
    {"price_change_percentage_30d", ONE, MARKET_CHANGE_30D},
    {"price_change_percentage_60d", IS_NULL, 0},
    {"price_change_percentage_200d", ONE, MARKET_CHANGE_200D},
    {"price_change_percentage_1y", ONE, MARKET_CHANGE_1Y},
    {"market_cap_change_24h", ONE, MARKET_MARKET_CAP_CHANGE_24H},
    {"market_cap_change_percentage_24h", ONE, MARKET_MARKET_CAP_CHANGE_PERCENTAGE_24H},
    {"price_change_24h_in_currency", EACH, MARKET_PRICE_CHANGE_24H},
    {"price_change_percentage_1h_in_currency", EACH, MARKET_CHANGE_1H},
    {"price_change_percentage_24h_in_currency", EACH, MARKET_CHANGE_24H},
    {"price_change_percentage_7d_in_currency", EACH, MARKET_CHANGE_7D},
    {"price_change_percentage_14d_in_currency", EACH, MARKET_CHANGE_14D},
    {"price_change_percentage_30d_in_currency", EACH, MARKET_CHANGE_30D},
    {"price_change_percentage_60d_in_currency", IS_EMPTY, 0},
    {"price_change_percentage_200d_in_currency", EACH, MARKET_CHANGE_200D},
    {"price_change_percentage_1y_in_currency", EACH, MARKET_CHANGE_1Y},
    {"market_cap_change_24h_in_currency", EACH, MARKET_MARKET_CAP_CHANGE_24H},
    {"market_cap_change_percentage_24h_in_currency", EACH, MARKET_MARKET_CAP_CHANGE_PERCENTAGE_24H},
    {"total_supply", ONE, MARKET_TOTAL_SUPPLY},
    {"max_supply", ONE, MARKET_MAX_SUPPLY},
    {"max_supply_infinite", ENDLESS, 0},
    {"circulating_supply", ONE, MARKET_CIRCULATING_SUPPLY},
    {"outstanding_supply", IS_NULL, 0},
    {"last_updated", ONE, MARKET_LAST_UPDATED},
};

/* To two places, as CoinGecko writes it. */
static void add_ratio(struct buf *b, const char *key, const struct cell *row)
{
    const struct cell *cap = &row[MARKET_MARKET_CAP];
    const struct cell *whole = &row[MARKET_FULLY_DILUTED_VALUATION];
    double ratio = NAN;
    bool is_same;

    if (cap->kind != CELL_NULL && whole->kind != CELL_NULL)
        ratio = dec_to_double(cell_dec(cap), cell_text(cap), &is_same) /
                dec_to_double(cell_dec(whole), cell_text(whole), &is_same);
    json_add_key(b, key);
    if (isfinite(ratio))
        buf_addf(b, "%.2f", ratio);
    else
        buf_add_z(b, "null");
}

static void add_market_data(struct buf *b, const struct quotes *quotes)
{
    const struct cell *usd = quotes->usd;

    json_add_key(b, "market_data");
    buf_add_char(b, '{');
    for (size_t i = 0; i < sizeof(market_data) / sizeof(market_data[0]); i++) {
        const char *key = market_data[i].key;
        switch (market_data[i].form) {
        case EACH:
            quotes_add(b, key, quotes, market_data[i].column);
            break;
        case ONE:
            add_cell(b, key, &usd[market_data[i].column]);
            break;
        case IS_NULL:
            json_add_text(b, key, STR_NONE);
            break;
        case IS_EMPTY:
            json_add_key(b, key);
            buf_add_z(b, "{}");
            break;
        case ROI:
            add_roi(b, usd);
            break;
        case RATIO:
            add_ratio(b, key, usd);
            break;
        case ENDLESS:
            json_add_key(b, key);
            buf_add_z(b, usd[MARKET_MAX_SUPPLY].kind == CELL_NULL ? "true" : "false");
            break;
        }
    }
}

static void add_detail_platforms(struct buf *b, const struct coin_info *info)
{
    json_add_key(b, "detail_platforms");
    buf_add_char(b, '{');
    for (size_t i = 0; i < info->n_contracts; i++) {
        const struct coin_contract *contract = &info->contracts[i];
        const struct cell decimals =
            contract->decimals < 0 ? CELL_NONE : cell_of_int(contract->decimals);
        json_add_comma(b);
        buf_add_json_str(b, contract->platform);
        buf_add_z(b, ":{");
        add_cell(b, "decimal_place", &decimals);
        json_add_text(b, "contract_address", contract->address);
        buf_add_char(b, '}');
    }
    buf_add_char(b, '}');
}

static void add_links(struct buf *b, const struct coin_info *info)
{
    json_add_key(b, "description");
    buf_add_char(b, '{');
    json_add_text(b, "en", info->description.p ? info->description : STR(""));
    buf_add_z(b, "},\"links\":{");
    add_texts(b, "homepage", &info->homepage, info->homepage.len > 0);
    buf_add_z(b, LINKS_NOT_KNOWN);
}

static void add_genesis(struct buf *b, int64_t genesis_us)
{
    char text[TIME_TEXT];

    time_format(genesis_us == INT64_MIN ? 0 : genesis_us, text);
    json_add_text(b, "genesis_date",
                  genesis_us == INT64_MIN ? STR_NONE
                                          : (struct str){text, sizeof("2009-01-03") - 1});
}

/* What it is. */
static void add_description(struct call *call, const struct quotes *quotes,
                            const struct coin_info *info)
{
    struct buf *b = &call->res->body;
    const struct cell *usd = quotes->usd;
    const bool is_token = info->n_contracts > 0 && info->contracts[0].platform.len > 0;

    add_cell(b, "id", &usd[MARKET_ID]);
    add_cell(b, "symbol", &usd[MARKET_SYMBOL]);
    add_cell(b, "name", &usd[MARKET_NAME]);
    add_cell(b, "web_slug", &usd[MARKET_ID]);
    json_add_text(b, "asset_platform_id", is_token ? info->contracts[0].platform : STR_NONE);
    json_add_key(b, "platforms");
    add_contracts(b, info, true);
    add_detail_platforms(b, info);
    buf_add_z(b, ",\"block_time_in_minutes\":0,\"hashing_algorithm\":null");
    add_texts(b, "categories", info->categories, info->n_categories);
    buf_add_z(b, ",\"preview_listing\":false,\"public_notice\":null,\"additional_notices\":[],"
                 "\"has_supply_breakdown\":false");
    if (!call_is_off(call, "localization"))
        quotes_add_names(b, quotes);
    add_links(b, info);
    add_images(b, cell_text(&usd[MARKET_IMAGE]), true);
    buf_add_z(b, ",\"country_origin\":\"\"");
    add_genesis(b, info->genesis_us);
    buf_add_z(b, ",\"sentiment_votes_up_percentage\":null,\"sentiment_votes_down_percentage\":"
                 "null,\"watchlist_portfolio_users\":0");
    add_cell(b, "market_cap_rank", &usd[MARKET_MARKET_CAP_RANK]);
    add_cell(b, "market_cap_rank_with_rehypothecated", &usd[MARKET_RANK_WITH_REHYPOTHECATED]);
}

/* What it costs. */
static void add_figures(struct call *call, const struct quotes *quotes)
{
    struct buf *b = &call->res->body;

    if (!call_is_off(call, "market_data")) {
        add_market_data(b, quotes);
        if (call_flag(call, "sparkline"))
            add_sparkline(b, "sparkline_7d", &quotes->usd[MARKET_SPARKLINE_IN_7D]);
        buf_add_char(b, '}');
    }
    if (!call_is_off(call, "community_data"))
        buf_add_z(b, COMMUNITY_NOT_KNOWN);
    if (!call_is_off(call, "developer_data"))
        buf_add_z(b, DEVELOPERS_NOT_KNOWN);
    buf_add_z(b, ",\"status_updates\":[]");
    add_cell(b, "last_updated", &quotes->usd[MARKET_LAST_UPDATED]);
    if (!call_is_off(call, "tickers"))
        buf_add_z(b, ",\"tickers\":[]");
}

void answer_coin(struct call *call)
{
    const struct market_query args = {.has_rehypothecated = true,
                                      .has_sparkline = call_flag(call, "sparkline")};
    struct coin_info info = {.genesis_us = INT64_MIN};
    struct query *q = call_query(call);
    struct err err = ERR_INIT;
    struct quotes quotes;
    enum st st = ST_OK;
    bool is_known;

    if (!quotes_find(call, args, &quotes))
        return;
    if (q->driver->info)
        st = q->driver->info(q, call->id, call_arena(call), &info, &is_known, &err);
    if (st != ST_OK) {
        call_fail(call, st, &err);
        return;
    }
    buf_add_char(&call->res->body, '{');
    add_description(call, &quotes, &info);
    add_figures(call, &quotes);
    buf_add_char(&call->res->body, '}');
}

void api_v3_market_data_shape(struct buf *b)
{
    for (size_t i = 0; i < sizeof(market_data) / sizeof(market_data[0]); i++) {
        const struct column *column = &market_table.columns[market_data[i].column];
        buf_addf(b, "%s%s:", i > 0 ? "," : "{", market_data[i].key);
        switch (market_data[i].form) {
        case EACH: /* where there is none, the currency is left out */
            buf_addf(b, "{*:%c}", shape_of_column(column)[0]);
            break;
        case ONE:
            buf_addf(b, "%c?", shape_of_column(column)[0]);
            break;
        case IS_NULL:
            buf_add_z(b, "z");
            break;
        case IS_EMPTY:
            buf_add_z(b, "{*:n}");
            break;
        case ROI:
            buf_add_z(b, "{times:n?,currency:s?,percentage:n?}?");
            break;
        case RATIO:
            buf_add_z(b, "n?");
            break;
        case ENDLESS:
            buf_add_z(b, "b");
            break;
        }
    }
    buf_add_z(b, ",sparkline_7d?:{price:[n?]}}");
}

const struct operation op_coin = {
    .summary = "all that is known of a coin",
    .takes =
        (const struct parameter[]){
            TAKES_NAMES_OF_COIN,
            TAKES_FLAG("tickers", "with none of them; true unless said"),
            TAKES_FLAG("market_data", "with its figures; true unless said"),
            TAKES_FLAG("community_data", "with nothing known; true unless said"),
            TAKES_FLAG("developer_data", "with nothing known; true unless said"),
            TAKES_FLAG("sparkline", "prices of 7 days as well"),
            TAKES_END,
        },
    .gives = "{id:s,symbol:s,name:s,web_slug:s,asset_platform_id:s?,platforms:{*:s},"
             "detail_platforms:{*:{decimal_place:i?,contract_address:s}},"
             "block_time_in_minutes:i,hashing_algorithm:z,categories:[s],preview_listing:b,"
             "public_notice:z,additional_notices:[s],has_supply_breakdown:b,localization?:{*:s},"
             "description:{en:s},"
             "links:{homepage:[s],whitepaper:s,blockchain_site:[s],official_forum_url:[s],"
             "chat_url:[s],announcement_url:[s],snapshot_url:z,twitter_screen_name:s,"
             "facebook_username:s,bitcointalk_thread_identifier:z,telegram_channel_identifier:s,"
             "subreddit_url:s,repos_url:{github:[s],bitbucket:[s]}},"
             "image:{thumb:s,small:s,large:s},country_origin:s,genesis_date:d?,"
             "sentiment_votes_up_percentage:z,sentiment_votes_down_percentage:z,"
             "watchlist_portfolio_users:i,market_cap_rank:i?,"
             "market_cap_rank_with_rehypothecated:i?,market_data?:@market_data,"
             "community_data?:{facebook_likes:z,reddit_average_posts_48h:n,"
             "reddit_average_comments_48h:n,reddit_subscribers:i,reddit_accounts_active_48h:i,"
             "telegram_channel_user_count:z},"
             "developer_data?:{forks:i,stars:i,subscribers:i,total_issues:i,closed_issues:i,"
             "pull_requests_merged:i,pull_request_contributors:i,"
             "code_additions_deletions_4_weeks:{additions:i,deletions:i},commit_count_4_weeks:i,"
             "last_4_weeks_commit_activity_series:[i]},"
             "status_updates:[*],last_updated:t?,tickers?:[*]}",
    .refuses = {404, 501},
};
