/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_v3/quotes.h"

#include "base/clock.h"

#include <stdio.h>

/* What CoinGecko knew of the coin's followers and developers, and knows no more. */
#define NOT_KNOWN_ANY_MORE                                                                    \
    "\"community_data\":{\"facebook_likes\":null,\"reddit_average_posts_48h\":0.0,"           \
    "\"reddit_average_comments_48h\":0.0,\"reddit_subscribers\":null,"                        \
    "\"reddit_accounts_active_48h\":0.0},"                                                    \
    "\"developer_data\":{\"forks\":null,\"stars\":null,\"subscribers\":null,"                 \
    "\"total_issues\":null,\"closed_issues\":null,\"pull_requests_merged\":null,"             \
    "\"pull_request_contributors\":null,\"code_additions_deletions_4_weeks\":{\"additions\":" \
    "null,\"deletions\":null},\"commit_count_4_weeks\":null},"                                \
    "\"public_interest_stats\":{\"alexa_rank\":null,\"bing_matches\":null}"

/* "30-12-2017"; "2017-12-30" but on the Demo host. */
static bool need_date(struct call *call, int64_t *ret_ts_us)
{
    char whole[TIME_TEXT];
    struct str date;

    if (!call_need(call, "date", &date))
        return false;
    const char *p = date.p;
    const bool is_day_first = date.len == 10 && p[2] == '-' && p[5] == '-';
    if (is_day_first)
        snprintf(whole, sizeof(whole), "%.4s-%.2s-%.2sT00:00:00Z", p + 6, p + 3, p);
    else
        snprintf(whole, sizeof(whole), "%.*sT00:00:00Z", (int)(date.len < 11 ? date.len : 11), p);
    if ((is_day_first || call->api->plan.host != HOST_DEMO) && time_parse(str_of(whole), ret_ts_us))
        return true;
    call_refuse(call, 400, "invalid date");
    return false;
}

void answer_history(struct call *call)
{
    struct market_query args = {.has_full_prices = true, .has_full_sizes = true};
    struct buf *b = &call->res->body;
    struct quotes quotes;

    if (!call_query(call)->driver->has_past) {
        call_unknown(call, "past that can be asked for");
        return;
    }
    if (!need_date(call, &args.at_us) || !call_history(call, args.at_us) ||
        !quotes_find(call, args, &quotes))
        return;
    buf_add_char(b, '{');
    add_cell(b, "id", &quotes.usd[MARKET_ID]);
    add_cell(b, "symbol", &quotes.usd[MARKET_SYMBOL]);
    add_cell(b, "name", &quotes.usd[MARKET_NAME]);
    if (!call_is_off(call, "localization"))
        quotes_add_names(b, &quotes);
    add_images(b, cell_text(&quotes.usd[MARKET_IMAGE]), false);
    /* coins that were not listed then, and days to come, have no figures */
    if (quotes.usd[MARKET_CURRENT_PRICE].kind != CELL_NULL && args.at_us <= call->now_us) {
        json_add_key(b, "market_data");
        buf_add_char(b, '{');
        quotes_add(b, "current_price", &quotes, MARKET_CURRENT_PRICE);
        quotes_add(b, "market_cap", &quotes, MARKET_MARKET_CAP);
        quotes_add(b, "total_volume", &quotes, MARKET_TOTAL_VOLUME);
        buf_add_char(b, '}');
        json_add_comma(b);
        buf_add_z(b, NOT_KNOWN_ANY_MORE);
    }
    buf_add_char(b, '}');
}

const struct operation op_history = {
    .summary = "what was known of a coin as a day began (UTC)",
    .takes =
        (const struct parameter[]){
            {"date", PARAMETER_PATTERN, "30-12-2025 or 2025-12-30",
             "^([0-9]{2}-[0-9]{2}-[0-9]{4}|[0-9]{4}-[0-9]{2}-[0-9]{2})$", 0, 0, true},
            TAKES_NAMES_OF_COIN,
            TAKES_END,
        },
    .gives = "{id:s,symbol:s,name:s,localization?:{*:s},image:{thumb:s,small:s},"
             "market_data?:{current_price:{*:n},market_cap:{*:n},total_volume:{*:n}},"
             "community_data?:{facebook_likes:z,reddit_average_posts_48h:n,"
             "reddit_average_comments_48h:n,reddit_subscribers:z,reddit_accounts_active_48h:n},"
             "developer_data?:{forks:z,stars:z,subscribers:z,total_issues:z,closed_issues:z,"
             "pull_requests_merged:z,pull_request_contributors:z,"
             "code_additions_deletions_4_weeks:{additions:z,deletions:z},commit_count_4_weeks:z},"
             "public_interest_stats?:{alexa_rank:z,bing_matches:z}}",
    .refuses = {404, 422, 501},
};
