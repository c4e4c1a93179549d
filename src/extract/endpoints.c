/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/endpoints.h"

#include "extract/charts.h"

#define MAX_FIXED 512 /* bytes of a target without its ids */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static size_t encoded_len(const char *z)
{
    size_t len = 0;

    for (; *z; z++)
        len += is_plain(*z) ? 1 : 3;
    return len;
}

static void add_encoded(struct buf *b, const char *z)
{
    for (; *z; z++) {
        if (is_plain(*z))
            buf_add_char(b, *z);
        else
            buf_addf(b, "%%%02X", (unsigned)(unsigned char)*z);
    }
}

/* Everything else is left to CoinGecko's defaults: what a default is today is part of the data. A
 * sweep goes by id, as ranks move while it runs; parts of a list have one page each. */
static void add_markets(const struct stream_id *id, const struct selection *selection,
                        uint32_t per_page, uint32_t page, struct buf *ret_target)
{
    bool is_all = selection->kind == SELECT_ALL, is_list = selection->kind == SELECT_IDS;

    buf_add_z(ret_target, "/coins/markets?vs_currency=");
    add_encoded(ret_target, id->vs_currency);
    if (selection->kind == SELECT_CATEGORY) {
        buf_add_z(ret_target, "&category=");
        add_encoded(ret_target, selection->category);
    }
    buf_addf(ret_target, "&order=%s&per_page=%u&page=%u", is_all ? "id_asc" : "market_cap_desc",
             (unsigned)per_page, is_list ? 1 : (unsigned)page);
    if (is_list)
        buf_add_z(ret_target, "&ids=");
}

static void add_whole(const struct stream_id *id, const struct selection *selection,
                      uint32_t per_page, uint32_t page, struct buf *ret_target)
{
    (void)per_page, (void)page;
    buf_addf(ret_target, "/%s%s", id->endpoint, selection->is_inactive ? "?status=inactive" : "");
}

static void add_asked(const struct stream_id *id, const struct selection *selection,
                      uint32_t per_page, uint32_t page, struct buf *ret_target)
{
    (void)id, (void)per_page, (void)page;
    buf_add_z(ret_target, selection->target);
}

static void add_chart(const struct stream_id *id, const struct selection *selection,
                      uint32_t per_page, uint32_t page, struct buf *ret_target)
{
    (void)per_page, (void)page;
    chart_target(selection->chart, id->vs_currency, ret_target);
}

static const struct endpoint endpoints[] = {
    {.name = "coins/markets",
     .top = JSON_ARRAY_BEGIN,
     .of = JSON_OBJECT_BEGIN,
     .is_what = "an array of coins",
     .marks = {"image", "current_price", "market_cap_rank", "total_volume", "last_updated"},
     .max_per_page = 250,
     .add_target = add_markets},
    {.name = "coins/list",
     .top = JSON_ARRAY_BEGIN,
     .of = JSON_OBJECT_BEGIN,
     .is_what = "an array of coins",
     .marks = {"symbol"},
     .add_target = add_whole},
    {.name = "global",
     .top = JSON_OBJECT_BEGIN,
     .of = JSON_OBJECT_BEGIN,
     .is_what = "an object with data",
     .add_target = add_whole},
    {.name = "simple/supported_vs_currencies",
     .top = JSON_ARRAY_BEGIN,
     .of = JSON_STRING,
     .is_what = "an array of currencies",
     .add_target = add_whole},
    /* no job's: what callers ask for, whatever that is */
    {.name = TAPE_UPSTREAM, .top = JSON_DONE, .is_what = "JSON", .add_target = add_asked},
    {.name = "coins/market_chart",
     .top = JSON_OBJECT_BEGIN,
     .of = JSON_ARRAY_BEGIN,
     .key = "prices",
     .is_what = "an object with prices",
     .add_target = add_chart},
    {.name = "coins/ohlc",
     .top = JSON_ARRAY_BEGIN,
     .of = JSON_ARRAY_BEGIN,
     .is_what = "an array of candles",
     .add_target = add_chart},
};

const struct endpoint *endpoint_find(const char *name)
{
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++)
        if (strcmp(endpoints[i].name, name) == 0)
            return &endpoints[i];
    return NULL;
}

/* Pages of the first `top`; all are of one size, as page n begins where n - 1 of that size end. */
static uint32_t pages_of(const struct endpoint *ep, uint32_t top)
{
    return top / ep->max_per_page + (top % ep->max_per_page > 0);
}

uint32_t endpoint_per_page(const struct endpoint *ep, const struct selection *selection)
{
    uint32_t top =
        selection->kind == SELECT_TOP || selection->kind == SELECT_CATEGORY ? selection->top : 0;

    if (top == 0)
        return ep->max_per_page;
    return top / pages_of(ep, top) + (top % pages_of(ep, top) > 0);
}

/* What a target has room for beside all that is no id. */
static size_t ids_room(const struct endpoint *ep, const struct stream_id *id,
                       const struct selection *selection)
{
    struct buf fixed = BUF_INIT(MAX_FIXED);

    ep->add_target(id, selection, ep->max_per_page, 1, &fixed);
    size_t len = fixed.len;
    buf_release(&fixed);
    return ENDPOINT_MAX_TARGET - len;
}

/* The end of the part of the list that begins at `from`: as many ids as fit, but one. */
static size_t part_end(const struct endpoint *ep, const struct selection *selection, size_t from,
                       size_t room)
{
    size_t to = from + 1, len = encoded_len(selection->ids[from]);

    while (to < selection->n_ids && to - from < ep->max_per_page) {
        len += 1 + encoded_len(selection->ids[to]);
        if (len > room)
            break;
        to++;
    }
    return to;
}

uint32_t endpoint_pages(const struct endpoint *ep, const struct stream_id *id,
                        const struct selection *selection)
{
    uint32_t n_pages = 0;

    switch (selection->kind) {
    case SELECT_TOP:
    case SELECT_CATEGORY:
        return pages_of(ep, selection->top);
    case SELECT_IDS: {
        size_t room = ids_room(ep, id, selection);
        for (size_t at = 0; at < selection->n_ids; n_pages++)
            at = part_end(ep, selection, at, room);
        return n_pages;
    }
    case SELECT_WHOLE:
    case SELECT_CHART:
        return 1;
    case SELECT_ALL:
        break;
    }
    return 0;
}

void endpoint_target(const struct endpoint *ep, const struct stream_id *id,
                     const struct selection *selection, uint32_t page, struct buf *ret_target)
{
    size_t from = 0, to = 0;

    ep->add_target(id, selection, endpoint_per_page(ep, selection), page, ret_target);
    if (selection->kind != SELECT_IDS)
        return;
    size_t room = ids_room(ep, id, selection);
    for (uint32_t part = 0; part < page && to < selection->n_ids; part++) {
        from = to;
        to = part_end(ep, selection, from, room);
    }
    for (size_t i = from; i < to; i++) {
        if (i > from)
            buf_add_char(ret_target, ',');
        add_encoded(ret_target, selection->ids[i]);
    }
}
