/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/sparks.h"

#include "base/clock.h"
#include "serve/json.h"

#define MAX_IDS 60 /* of a look: what fits on a screen, as a store is asked for each hour */
#define STEP_US (3600 * US_PER_S)
#define N_STEPS ((size_t)7 * 24)

/* The price of each step; NULL where none is known. */
typedef const struct cell *spark[N_STEPS];

/* Of several jobs the first that knows a price. */
static void gather(const struct spark_query *args, const struct rows *rows, spark *sparks)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct cell *row = rows_at(rows, i);
        const size_t step = (size_t)((row[SPARK_SLOT].number - args->from_us) / args->step_us);
        for (size_t k = 0; k < args->n_ids; k++)
            if (str_eq(args->ids[k], cell_text(&row[SPARK_ID])) && !sparks[k][step])
                sparks[k][step] = &row[SPARK_PRICE];
    }
}

static bool is_empty(const spark *prices)
{
    for (size_t i = 0; i < N_STEPS; i++)
        if ((*prices)[i])
            return false;
    return true;
}

static bool is_named_before(const struct spark_query *args, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (str_eq(args->ids[i], args->ids[at]))
            return true;
    return false;
}

static void add_spark(struct buf *b, struct str id, const spark *prices)
{
    buf_add_json_str(b, id);
    buf_add_char(b, ':');
    for (size_t i = 0; i < N_STEPS; i++) {
        buf_add_char(b, i > 0 ? ',' : '[');
        if ((*prices)[i])
            cell_add_json(b, (*prices)[i]);
        else
            buf_add_z(b, "null");
    }
    buf_add_char(b, ']');
}

static void add_sparks(struct buf *b, const struct spark_query *args, const spark *sparks)
{
    size_t n = 0;

    buf_add_char(b, '{');
    json_add_text(b, "vs_currency", args->vs_currency);
    json_add_key(b, "from");
    buf_add_i64(b, args->from_us / US_PER_MS);
    json_add_key(b, "step");
    buf_add_i64(b, args->step_us / US_PER_MS);
    json_add_key(b, "prices");
    buf_add_char(b, '{');
    for (size_t i = 0; i < args->n_ids; i++) {
        if (is_empty(&sparks[i]) || is_named_before(args, i))
            continue;
        buf_add_z(b, n++ > 0 ? ",\n" : "\n");
        add_spark(b, args->ids[i], &sparks[i]);
    }
    buf_add_z(b, "}}\n");
}

/* False: refused. */
static bool read_args(const struct own *own, const struct http_request *req,
                      struct spark_query *args, struct http_response *res)
{
    *args = (struct spark_query){.vs_currency = http_query(req, "vs_currency"), .step_us = STEP_US};
    if (!own_read_ids(own, req, MAX_IDS, &args->ids, &args->n_ids, res) ||
        !own_read_moment(own, req, "at", &args->at_us, res))
        return false;
    if (args->n_ids == 0) {
        own_refuse(res, 400, "ids: which coins? name them as ?ids=bitcoin,ethereum");
        return false;
    }
    if (args->vs_currency.len == 0)
        args->vs_currency = STR("usd");
    const int64_t now_us = own_now_us(own);
    const int64_t until_us = args->at_us != 0 && args->at_us < now_us ? args->at_us : now_us;
    args->to_us = time_floor(until_us, STEP_US) + STEP_US;
    args->from_us = args->to_us - (int64_t)N_STEPS * STEP_US;
    return true;
}

void sparks_get(struct own *own, const struct http_request *req, struct http_response *res)
{
    struct spark_query args;
    struct rows rows = {.n = 0};
    struct err err = ERR_INIT;

    if (!own->query || !own->query->driver->sparks) {
        own_refuse_store(own, "sparklines", res);
        return;
    }
    if (!read_args(own, req, &args, res))
        return;
    spark *sparks = arena_zalloc(own->arena, args.n_ids, sizeof(*sparks));
    if (!sparks) {
        own_refuse(res, 503, "no memory for so many sparklines");
        return;
    }
    enum st st = own->query->driver->sparks(own->query, &args, own->arena, &rows, &err);
    if (st != ST_OK) {
        own_fail(res, st, &err);
        return;
    }
    gather(&args, &rows, sparks);
    add_sparks(&res->body, &args, sparks);
}

const struct operation op_sparks = {
    .summary = "hourly prices of some coins over the last 7 days, for lines without axes",
    .takes =
        (const struct parameter[]){
            {"ids", PARAMETER_WORDS, "which coins, at most 60", "bitcoin,ethereum", 0, 0, true},
            {"vs_currency", PARAMETER_TEXT, "usd unless said", "usd", 0, 0, false},
            TAKES_TIME("at", "the moment that they end at; now unless said"),
            TAKES_END,
        },
    .gives = "{vs_currency:s,from:i,step:i,prices:{*:[n?]}}",
    .refuses = {501},
};
