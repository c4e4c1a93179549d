/* What upstream may be asked for. Private to serve/upstream.c.
 *
 * From the OpenAPI documents of June 2026 of both of CoinGecko's hosts: every GET but /ping and
 * /key, which are answered here. What is not listed is not sent on: paths with 404, parameters are
 * left out, as CoinGecko ignores those that it does not know.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/upstream_paths.h"

#include <stdio.h>

struct upstream_path {
    const char *pattern;    /* below /api/v3; {} stands for any one part */
    const char *parameters; /* in the order in which they are sent; the others are left out */
};

/* clang-format off */
static const struct upstream_path paths[] = {
    {"/asset_platforms", "filter"},
    {"/coins/categories", "order"},
    {"/coins/categories/list", ""},
    {"/coins/list", "include_platform,status"},
    {"/coins/list/new", ""},
    {"/coins/markets",
     "vs_currency,ids,names,symbols,include_tokens,category,order,per_page,page,"
     "sparkline,price_change_percentage,locale,precision,include_rehypothecated"},
    {"/coins/top_gainers_losers", "vs_currency,duration,price_change_percentage,top_coins"},
    {"/coins/{}",
     "localization,tickers,market_data,community_data,developer_data,sparkline,"
     "include_categories_details,dex_pair_format"},
    {"/coins/{}/circulating_supply_chart", "days,interval"},
    {"/coins/{}/circulating_supply_chart/range", "from,to"},
    {"/coins/{}/contract/{}", ""},
    {"/coins/{}/contract/{}/market_chart", "vs_currency,days,interval,precision"},
    {"/coins/{}/contract/{}/market_chart/range", "vs_currency,from,to,precision,interval"},
    {"/coins/{}/history", "date,localization"},
    {"/coins/{}/market_chart", "vs_currency,days,interval,precision"},
    {"/coins/{}/market_chart/range", "vs_currency,from,to,precision,interval"},
    {"/coins/{}/ohlc", "vs_currency,days,precision,interval"},
    {"/coins/{}/ohlc/range", "vs_currency,from,to,interval"},
    {"/coins/{}/supply_breakdown", ""},
    {"/coins/{}/tickers", "exchange_ids,include_exchange_logo,page,order,depth,dex_pair_format"},
    {"/coins/{}/total_supply_chart", "days,interval"},
    {"/coins/{}/total_supply_chart/range", "from,to"},
    {"/derivatives", ""},
    {"/derivatives/exchanges", "order,per_page,page"},
    {"/derivatives/exchanges/list", ""},
    {"/derivatives/exchanges/{}", "include_tickers"},
    {"/entities/list", "entity_type,per_page,page"},
    {"/exchange_rates", ""},
    {"/exchanges", "per_page,page"},
    {"/exchanges/list", "status"},
    {"/exchanges/{}", "dex_pair_format"},
    {"/exchanges/{}/tickers", "coin_ids,include_exchange_logo,page,depth,order,dex_pair_format"},
    {"/exchanges/{}/volume_chart", "days"},
    {"/exchanges/{}/volume_chart/range", "from,to"},
    {"/global", ""},
    {"/global/decentralized_finance_defi", ""},
    {"/global/market_cap_chart", "days,vs_currency"},
    {"/insights", "page,per_page,coin_id,from,to"},
    {"/news", "page,per_page,coin_id,language,type"},
    {"/nfts/list", "order,per_page,page"},
    {"/nfts/markets", "asset_platform_id,order,per_page,page"},
    {"/nfts/{}", ""},
    {"/nfts/{}/contract/{}", ""},
    {"/nfts/{}/contract/{}/market_chart", "days"},
    {"/nfts/{}/market_chart", "days"},
    {"/nfts/{}/tickers", ""},
    {"/onchain/categories", "page,sort"},
    {"/onchain/categories/{}/pools", "include,page,sort"},
    {"/onchain/networks", "page"},
    {"/onchain/networks/new_pools", "include,page,include_gt_community_data"},
    {"/onchain/networks/trending_pools", "include,page,duration,include_gt_community_data"},
    {"/onchain/networks/{}/dexes", "page"},
    {"/onchain/networks/{}/dexes/{}/pools", "include,page,sort,include_gt_community_data"},
    {"/onchain/networks/{}/new_pools", "include,page,include_gt_community_data"},
    {"/onchain/networks/{}/pools", "include,page,sort,include_gt_community_data"},
    {"/onchain/networks/{}/pools/multi/{}", "include,include_volume_breakdown,include_composition"},
    {"/onchain/networks/{}/pools/{}", "include,include_volume_breakdown,include_composition"},
    {"/onchain/networks/{}/pools/{}/info", "include"},
    {"/onchain/networks/{}/pools/{}/ohlcv/{}",
     "aggregate,before_timestamp,limit,currency,token,include_empty_intervals"},
    {"/onchain/networks/{}/pools/{}/trades", "trade_volume_in_usd_greater_than,token"},
    {"/onchain/networks/{}/tokens/multi/{}", "include,include_composition,include_inactive_source"},
    {"/onchain/networks/{}/tokens/{}", "include,include_composition,include_inactive_source"},
    {"/onchain/networks/{}/tokens/{}/holders_chart", "days"},
    {"/onchain/networks/{}/tokens/{}/info", ""},
    {"/onchain/networks/{}/tokens/{}/ohlcv/{}",
     "aggregate,before_timestamp,limit,currency,include_empty_intervals,"
     "include_inactive_source"},
    {"/onchain/networks/{}/tokens/{}/pools",
     "include,include_inactive_source,page,sort,include_gt_community_data"},
    {"/onchain/networks/{}/tokens/{}/top_holders", "holders,include_pnl_details"},
    {"/onchain/networks/{}/tokens/{}/top_traders", "traders,sort,include_address_label"},
    {"/onchain/networks/{}/tokens/{}/trades", "trade_volume_in_usd_greater_than"},
    {"/onchain/networks/{}/trending_pools", "include,page,duration,include_gt_community_data"},
    {"/onchain/pools/megafilter",
     "networks,dexes,include,page,sort,fdv_usd_min,fdv_usd_max,reserve_in_usd_min,"
     "reserve_in_usd_max,h24_volume_usd_min,h24_volume_usd_max,pool_created_hour_min,"
     "pool_created_hour_max,tx_count_min,tx_count_max,tx_count_duration,buys_min,"
     "buys_max,buys_duration,sells_min,sells_max,sells_duration,"
     "price_change_percentage_min,price_change_percentage_max,"
     "price_change_percentage_duration,buy_tax_percentage_min,buy_tax_percentage_max,"
     "sell_tax_percentage_min,sell_tax_percentage_max,holder_count_min,"
     "holder_count_max,top_10_holders_percentage_min,top_10_holders_percentage_max,"
     "checks,include_unknown_honeypot_tokens"},
    {"/onchain/pools/trending_search", "include,pools"},
    {"/onchain/search/pools", "query,network,include,page"},
    {"/onchain/simple/networks/{}/token_price/{}",
     "include_market_cap,mcap_fdv_fallback,include_24hr_vol,include_24hr_price_change,"
     "include_total_reserve_in_usd,include_inactive_source"},
    {"/onchain/tokens/info_recently_updated", "include,network"},
    {"/public_treasury/{}", "holding_amount_change,holding_change_percentage"},
    {"/public_treasury/{}/transaction_history", "per_page,page,order,coin_ids"},
    {"/public_treasury/{}/{}/holding_chart", "days,include_empty_intervals"},
    {"/search", "query"},
    {"/search/trending", "show_max"},
    {"/simple/price",
     "vs_currencies,ids,names,symbols,include_tokens,include_market_cap,"
     "include_24hr_vol,include_24hr_change,include_last_updated_at,precision"},
    {"/simple/supported_vs_currencies", ""},
    {"/simple/token_price/{}",
     "contract_addresses,vs_currencies,include_market_cap,include_24hr_vol,"
     "include_24hr_change,include_last_updated_at,precision"},
    {"/token_lists/{}/all.json", ""},
    {"/{}/public_treasury/{}", "per_page,page,order"},
};
/* clang-format on */

/* A part of a path that stands for {}: dots alone would be another directory. */
static bool is_part(struct str part)
{
    size_t n_dots = 0;

    for (size_t i = 0; i < part.len; i++) {
        n_dots += part.p[i] == '.';
        if ((unsigned char)part.p[i] < ' ' || part.p[i] == 0x7f)
            return false;
    }
    return n_dots < part.len;
}

static bool matches(struct str path, const char *pattern)
{
    struct str left = str_of(pattern), want, part;
    bool has_more;

    do {
        has_more = str_cut(&path, '/', &part);
        if (str_cut(&left, '/', &want) != has_more)
            return false;
        if (str_eq(want, STR("{}")) ? !is_part(part) : !str_eq(want, part))
            return false;
    } while (has_more);
    return true;
}

/* NULL when nobody may ask for it. A fixed path comes before one with a {}. */
static const struct upstream_path *find(struct str path)
{
    const struct upstream_path *found = NULL;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (matches(path, paths[i].pattern) && (!found || !strstr(paths[i].pattern, "{}")))
            found = &paths[i];
    return found;
}

static void add_encoded(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            strchr("-._~,", c))
            buf_add_char(b, c);
        else
            buf_addf(b, "%%%02X", (unsigned)(unsigned char)c);
    }
}

bool upstream_write_target(const struct http_request *req, struct buf *ret_target)
{
    static const struct str root = {"/api/v3", 7};
    struct str path = http_path(req), part, name;

    if (!str_starts(path, root))
        return false;
    path = (struct str){path.p + root.len, path.len - root.len};
    if (path.len > 1 && path.p[path.len - 1] == '/')
        path.len--;
    const struct upstream_path *known = path.len > 0 && path.p[0] == '/' ? find(path) : NULL;
    if (!known || http_query_beyond(req, "at").p)
        return false;
    str_cut(&path, '/', &part);
    for (bool has_more = true; has_more;) {
        has_more = str_cut(&path, '/', &part);
        buf_add_char(ret_target, '/');
        add_encoded(ret_target, part);
    }
    char separator = '?';
    for (struct str names = str_of(known->parameters); names.len > 0;) {
        char text[64];
        str_cut(&names, ',', &name);
        snprintf(text, sizeof(text), "%.*s", STR_ARG(name));
        const struct str value = http_query_beyond(req, text);
        if (value.len == 0)
            continue;
        buf_addf(ret_target, "%c%s=", separator, text);
        add_encoded(ret_target, value);
        separator = '&';
    }
    return true;
}
