/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_v3/call.h"

/* As /global orders them; a store may know others, which follow. */
static const char *const order[] = {
    "active_cryptocurrencies",
    "upcoming_icos",
    "ongoing_icos",
    "ended_icos",
    "markets",
    "total_market_cap",
    "total_volume",
    "market_cap_percentage",
    "market_cap_change_percentage_24h_usd",
    "volume_change_percentage_24h_usd",
    "updated_at",
};

#define N_ORDERED (sizeof(order) / sizeof(order[0]))

static size_t place_of(struct str name)
{
    size_t i = 0;

    while (i < N_ORDERED && !str_eq(name, str_of(order[i])))
        i++;
    return i;
}

/* One figure with all its parts, which stand together. Returns where the next one begins. */
static size_t add_figure(struct buf *b, const struct figure *figures, size_t i, size_t n)
{
    const struct str name = figures[i].name;

    json_add_comma(b);
    buf_add_json_str(b, name);
    buf_add_char(b, ':');
    if (figures[i].part.len == 0) {
        cell_add_json(b, &figures[i].value);
        return i + 1;
    }
    buf_add_char(b, '{');
    for (; i < n && str_eq(figures[i].name, name); i++) {
        json_add_comma(b);
        buf_add_json_str(b, figures[i].part);
        buf_add_char(b, ':');
        cell_add_json(b, &figures[i].value);
    }
    buf_add_char(b, '}');
    return i;
}

static const char what[] = "figures of the whole market";

void answer_global(struct call *call)
{
    struct buf *b = &call->res->body;
    struct query *q = call_query(call);
    struct err err = ERR_INIT;
    struct figure *figures;
    size_t n;

    if (!q->driver->global) {
        call_unknown(call, what);
        return;
    }
    enum st st = q->driver->global(q, call_arena(call), &figures, &n, &err);
    if (st != ST_OK) {
        call_fail(call, st, &err);
        return;
    }
    if (n == 0) {
        call_not_collected(call, what, "endpoint: global");
        return;
    }
    buf_add_z(b, "{\"data\":{");
    for (size_t place = 0; place <= N_ORDERED; place++)
        for (size_t i = 0; i < n;) {
            if (place_of(figures[i].name) == place)
                i = add_figure(b, figures, i, n);
            else
                i++;
        }
    buf_add_z(b, "}}");
}

const struct operation op_global = {
    .summary = "the market as a whole",
    .gives = "{data:{*:n?|{*:n?}}}",
    .refuses = {404, 501},
};
