/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/endpoints.h"
#include "tap.h"

/* Pages of one size, of at most 250 coins: so that not 500 come where 300 are wanted. */
static void the_first_n_coins_are_asked_for_in_equal_pages(void)
{
    static const struct {
        uint32_t top, pages;
        const char *last; /* target of the last page */
    } rows[] = {
        {1, 1, "/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=1&page=1"},
        {100, 1, "/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=100&page=1"},
        {250, 1, "/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=250&page=1"},
        {251, 2, "/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=126&page=2"},
        {300, 2, "/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=150&page=2"},
        {1000, 4, "/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=250&page=4"},
        {17400, 70, "/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=249&page=70"},
        {UINT32_MAX, 17179870, NULL},
    };
    const struct endpoint *ep = endpoint_find("coins/markets");
    struct stream_id id = {.vs_currency = "usd"};

    CHECK(ep != NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf target = BUF_INIT(256);
        const struct selection top = {.kind = SELECT_TOP, .top = rows[i].top};
        CHECK_EQ(endpoint_pages(ep, &id, &top), rows[i].pages);
        endpoint_target(ep, &id, &top, rows[i].pages, &target);
        if (rows[i].last)
            CHECK_STR(buf_str(&target), rows[i].last);
        buf_release(&target);
    }
}

static void what_could_break_out_of_the_query_is_encoded(void)
{
    struct stream_id id = {.vs_currency = "u&x=1 #\xC3\xA9"};
    const struct selection top = {.kind = SELECT_TOP, .top = 1};
    struct buf target = BUF_INIT(256);

    endpoint_target(endpoint_find("coins/markets"), &id, &top, 1, &target);
    CHECK_STR(buf_str(&target), "/coins/markets?vs_currency=u%26x%3D1%20%23%C3%A9"
                                "&order=market_cap_desc&per_page=1&page=1");
    const char *const ids[] = {"-x", "1move token", "boringdao-[old]", "hive_dollar", "a&b,c\r\n"};
    const struct selection list = {.kind = SELECT_IDS, .ids = ids, .n_ids = 5};
    buf_clear(&target);
    id = (struct stream_id){.vs_currency = "usd"};
    endpoint_target(endpoint_find("coins/markets"), &id, &list, 1, &target);
    CHECK_STR(buf_str(&target), "/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=250"
                                "&page=1&ids=-x,1move%20token,boringdao-%5Bold%5D,hive_dollar,"
                                "a%26b%2Cc%0D%0A");
    buf_release(&target);
}

static void sweeps_and_categories_are_asked_for_by_their_own_order(void)
{
    static const struct {
        struct selection selection;
        uint32_t page, pages;
        const char *target;
    } rows[] = {
        {{.kind = SELECT_ALL}, 70, 0, "&order=id_asc&per_page=250&page=70"},
        {{.kind = SELECT_CATEGORY, .category = "layer-1"},
         2,
         0,
         "&category=layer-1&order=market_cap_desc&per_page=250&page=2"},
        {{.kind = SELECT_CATEGORY, .category = "a&b=c", .top = 300},
         2,
         2,
         "&category=a%26b%3Dc&order=market_cap_desc&per_page=150&page=2"},
        {{.kind = SELECT_CATEGORY, .category = "layer-1", .top = 20},
         1,
         1,
         "&category=layer-1&order=market_cap_desc&per_page=20&page=1"},
    };
    const struct endpoint *ep = endpoint_find("coins/markets");
    const struct stream_id id = {.vs_currency = "usd"};
    const struct str head = STR("/coins/markets?vs_currency=usd");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf target = BUF_INIT(256);
        CHECK_EQ(endpoint_pages(ep, &id, &rows[i].selection), rows[i].pages);
        endpoint_target(ep, &id, &rows[i].selection, rows[i].page, &target);
        CHECK(str_starts(buf_str(&target), head));
        CHECK_STR(((struct str){target.p + head.len, target.len - head.len}), rows[i].target);
        buf_release(&target);
    }
}

#define MAX_LIST 1200

/* Ids of so many bytes each, in order; every 7th has a byte that a URL must spell as three. */
static const char *const *make_ids(size_t n, size_t len)
{
    static char texts[MAX_LIST][200];
    static const char *ids[MAX_LIST];

    for (size_t i = 0; i < n; i++) {
        memset(texts[i], 'x', len);
        texts[i][len] = '\0';
        char number[24];
        snprintf(number, sizeof(number), "%04zu", i);
        memcpy(texts[i], number, 4);
        if (i % 7 == 0 && len > 4)
            texts[i][4] = ' ';
        ids[i] = texts[i];
    }
    return ids;
}

static void lists_are_split_by_number_and_length_and_no_id_is_lost(void)
{
    static const struct {
        size_t n, len;
        uint32_t pages;
    } rows[] = {
        {1, 4, 1},    {1, 128, 1},  {250, 4, 1},   {251, 4, 2},     {1200, 4, 5},
        {200, 12, 2}, {600, 20, 7}, {100, 128, 8}, {1200, 128, 86},
    };
    const struct endpoint *ep = endpoint_find("coins/markets");
    const struct stream_id id = {.vs_currency = "usd"};
    struct buf target = BUF_INIT(8192);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct selection list = {
            .kind = SELECT_IDS, .ids = make_ids(rows[i].n, rows[i].len), .n_ids = rows[i].n};
        size_t n_ids = 0;
        CHECK_EQ(endpoint_pages(ep, &id, &list), rows[i].pages);
        for (uint32_t page = 1; page <= rows[i].pages; page++) {
            buf_clear(&target);
            endpoint_target(ep, &id, &list, page, &target);
            CHECK(target.len <= ENDPOINT_MAX_TARGET);
            CHECK(strstr(buf_z(&target), "&per_page=250&page=1&ids="));
            const char *at = strstr(buf_z(&target), "&ids=") + 4;
            size_t n_here = 0;
            for (; at; at = strchr(at + 1, ','), n_here++, n_ids++)
                CHECK_EQ(strncmp(at + 1, list.ids[n_ids], 4), 0);
            CHECK(n_here <= 250);
        }
        CHECK_EQ(n_ids, rows[i].n);
    }
    buf_release(&target);
}

static void unknown_endpoints_are_none(void)
{
    CHECK(endpoint_find("coins/market") == NULL);
    CHECK(endpoint_find("") == NULL);
}

static void what_has_no_pages_is_one_request(void)
{
    static const struct {
        const char *endpoint, *target;
        bool is_inactive;
    } rows[] = {
        {"coins/list", "/coins/list", false},
        {"coins/list", "/coins/list?status=inactive", true},
        {"global", "/global", false},
        {"simple/supported_vs_currencies", "/simple/supported_vs_currencies", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct endpoint *ep = endpoint_find(rows[i].endpoint);
        const struct selection whole = {.kind = SELECT_WHOLE, .is_inactive = rows[i].is_inactive};
        struct buf target = BUF_INIT(256);
        struct stream_id id = {.vs_currency = ""};
        snprintf(id.endpoint, sizeof(id.endpoint), "%s", rows[i].endpoint);
        CHECK_EQ(endpoint_pages(ep, &id, &whole), 1);
        endpoint_target(ep, &id, &whole, 1, &target);
        CHECK_STR(buf_str(&target), rows[i].target);
        buf_release(&target);
    }
}

TAP_MAIN(TAP_CASE(the_first_n_coins_are_asked_for_in_equal_pages),
         TAP_CASE(what_could_break_out_of_the_query_is_encoded),
         TAP_CASE(sweeps_and_categories_are_asked_for_by_their_own_order),
         TAP_CASE(lists_are_split_by_number_and_length_and_no_id_is_lost),
         TAP_CASE(what_has_no_pages_is_one_request), TAP_CASE(unknown_endpoints_are_none))
