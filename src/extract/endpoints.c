/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/endpoints.h"

static void add_encoded(struct buf *b, const char *z)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (; *z; z++) {
        if (strchr(plain, *z))
            buf_add_char(b, *z);
        else
            buf_addf(b, "%%%02X", (unsigned)(unsigned char)*z);
    }
}

/* Everything else is left to CoinGecko's defaults: what a default is today is part of the data. */
static void add_markets(const struct stream_id *id, uint32_t per_page, uint32_t page,
                        struct buf *ret_target)
{
    buf_add_z(ret_target, "/coins/markets?vs_currency=");
    add_encoded(ret_target, id->vs_currency);
    buf_addf(ret_target, "&order=market_cap_desc&per_page=%u&page=%u", (unsigned)per_page,
             (unsigned)page);
}

static const struct endpoint endpoints[] = {
    {.name = "coins/markets",
     .top = JSON_ARRAY_BEGIN,
     .is_what = "an array of coins",
     .max_per_page = 250,
     .add_target = add_markets},
};

const struct endpoint *endpoint_find(const char *name)
{
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++)
        if (strcmp(endpoints[i].name, name) == 0)
            return &endpoints[i];
    return NULL;
}

uint32_t endpoint_per_page(const struct endpoint *ep, uint32_t top)
{
    return top < ep->max_per_page ? top : ep->max_per_page;
}

uint32_t endpoint_pages(const struct endpoint *ep, uint32_t top)
{
    return top / ep->max_per_page + (top % ep->max_per_page > 0);
}

void endpoint_target(const struct endpoint *ep, const struct stream_id *id, uint32_t top,
                     uint32_t page, struct buf *ret_target)
{
    ep->add_target(id, endpoint_per_page(ep, top), page, ret_target);
}
