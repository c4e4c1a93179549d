/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/endpoints.h"
#include "tap.h"

static void the_first_n_coins_are_asked_for_in_pages_of_250(void)
{
    static const struct {
        uint32_t top, pages;
        const char *last; /* target of the last page */
    } rows[] = {
        {1, 1, "/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=1&page=1"},
        {100, 1, "/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=100&page=1"},
        {250, 1, "/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=250&page=1"},
        {251, 2, "/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=250&page=2"},
        {17400, 70, "/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=250&page=70"},
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
    buf_release(&target);
}

static void unknown_endpoints_are_none(void)
{
    CHECK(endpoint_find("coins/market") == NULL);
    CHECK(endpoint_find("") == NULL);
}

TAP_MAIN(TAP_CASE(the_first_n_coins_are_asked_for_in_pages_of_250),
         TAP_CASE(what_could_break_out_of_the_query_is_encoded),
         TAP_CASE(unknown_endpoints_are_none))
