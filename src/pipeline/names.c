/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/names.h"

#include "base/json.h"
#include "base/mem.h"
#include "pipeline/demand.h"
#include "query/nearest.h"
#include "tape/reader.h"
#include "transform/coins.h"

#include <stdio.h>

#define FRESH_US  (7 * 86400 * US_PER_S)
#define MAX_ARENA ((size_t)64 * 1024 * 1024)
#define MAX_NAMES 200000 /* as the transform of /coins/list */
#define MAX_TOLD  10     /* unknown coins that are named */

struct names {
    struct arena arena;
    struct json *json;
    struct nearest_name *all;
    size_t n;
    struct coin_index *by_id;
};

static void release(struct names *names)
{
    arena_release(&names->arena);
    json_free(names->json);
}

/* ---- a list ---- */

static enum st read_object(struct json *json, struct nearest_name *ret_name, struct err *err)
{
    struct json_token key, value;
    enum st st;

    while ((st = json_next(json, &key, err)) == ST_OK && key.event == JSON_KEY) {
        st = json_next(json, &value, err);
        if (st == ST_OK && value.event == JSON_STRING && str_eq(key.text, STR("id")))
            ret_name->id = value.text;
        else if (st == ST_OK && value.event == JSON_STRING && str_eq(key.text, STR("symbol")))
            ret_name->symbol = value.text;
        else if (st == ST_OK)
            st = json_skip(json, &value, NULL, err);
        if (st != ST_OK)
            return st;
    }
    return st;
}

/* An array of ids, or of objects with one. */
static enum st read_list(struct names *names, struct str body, struct err *err)
{
    struct json_token token;

    names->all = arena_alloc(&names->arena, MAX_NAMES, sizeof(*names->all));
    names->by_id = coins_new(&names->arena, MAX_NAMES);
    if (names->all == NULL || names->by_id == NULL)
        return err_set(err, ST_AGAIN, "no memory for the list of names");
    enum st st = json_open(names->json, body, &names->arena, err);
    if (st == ST_OK)
        st = json_next(names->json, &token, err);
    while (st == ST_OK && (st = json_next(names->json, &token, err)) == ST_OK &&
           token.event != JSON_ARRAY_END && token.event != JSON_DONE && names->n < MAX_NAMES) {
        struct nearest_name *name = &names->all[names->n];
        *name = (struct nearest_name){.id = token.event == JSON_STRING ? token.text : STR_NONE};
        if (token.event == JSON_OBJECT_BEGIN)
            st = read_object(names->json, name, err);
        if (st == ST_OK && name->id.len > 0 &&
            coins_add(names->by_id, name->id, (uint32_t)names->n))
            names->n++;
    }
    return st;
}

/* The list of the stream's last ok poll, when that is fresh. ST_REJECT: there is none. */
static enum st load(struct pipeline *p, const char *job, struct names *names, struct err *err)
{
    struct tape_reader *reader = NULL;
    struct tape_record record;
    char dir[FILE_MAX_PATH];
    struct tape_record end = {.offset = 0};
    struct stream *stream = streams_find(&p->streams, job);
    struct str body;
    uint64_t page;

    if (stream == NULL || !tape_writer_last_end(stream->job.writer, &end))
        return err_set(err, ST_REJECT, "no poll of %s", job);
    const uint64_t offset = end.outcome == POLL_OK ? end.offset : end.prev_ok_end;
    enum st st = tape_stream_dir(p->setup.data_dir, job, dir, err);
    if (st == ST_OK)
        st = tape_reader_open(dir, &reader, err);
    if (st == ST_OK)
        st = tape_reader_get(reader, offset, &record, err);
    if (st == ST_OK &&
        (record.type != TAPE_END || record.n_pages != 1 || record.outcome != POLL_OK ||
         clock_wall_us(p->clock) - record.fetched_at_us > FRESH_US))
        st = err_set(err, ST_REJECT, "no fresh poll of %s", job);
    page = st == ST_OK ? record.pages[0] : 0;
    if (st == ST_OK)
        st = tape_reader_get(reader, page, &record, err);
    if (st == ST_OK)
        st = tape_reader_body(reader, &record, &names->arena, &body, err);
    if (st == ST_OK)
        st = read_list(names, body, err);
    tape_reader_close(reader);
    return st;
}

/* The same, asked for if need be. */
static enum st fetch(struct pipeline *p, const char *job, const char *endpoint, struct names *names,
                     bool (*go_on)(void *ctx), void *ctx, struct err *err)
{
    const struct selection whole = {.kind = SELECT_WHOLE};
    struct stream_id id = {.selection = "all"};
    struct err why = ERR_INIT;
    struct asked_poll poll;
    struct stream *stream;
    bool is_permanent;

    arena_init(&names->arena, MAX_ARENA);
    names->json = json_new();
    if (names->json == NULL)
        return err_set(err, ST_AGAIN, "no memory for the JSON parser");
    if (load(p, job, names, &why) == ST_OK)
        return ST_OK;
    snprintf(id.job, sizeof(id.job), "%s", job);
    snprintf(id.endpoint, sizeof(id.endpoint), "%s", endpoint);
    enum st st = demand_begin(p, &id, &whole, &stream, err);
    if (st != ST_OK)
        return st;
    st = demand_poll(p, stream, NULL, go_on, ctx, &poll, &is_permanent, err);
    demand_end(p, stream);
    if (st == ST_OK && poll.outcome != POLL_OK)
        st = err_set(err, is_permanent ? ST_REJECT : ST_AGAIN,
                     "the list of names cannot be had (%s): %s", endpoint, poll.error);
    return st == ST_OK ? load(p, job, names, err) : st;
}

/* ---- what is unknown ---- */

/* "what: no such …; did you mean …?" */
static void add_unknown(struct buf *b, const char *what, struct str wrong,
                        const struct names *names)
{
    struct buf near = BUF_INIT(512);

    buf_add_z(b, b->len > 0 ? "; " : "");
    buf_add_clean(b, wrong, 64);
    buf_addf(b, ": CoinGecko knows no such %s", what);
    nearest_add(&near, wrong, names->all, names->n);
    if (near.len > 0)
        buf_addf(b, ", did you mean %s?", buf_z(&near));
    buf_release(&near);
}

static enum st check(struct names *names, const char *what, struct str wanted, struct err *err)
{
    struct buf text = BUF_INIT(4096);
    size_t n = 0;
    struct str one;
    uint32_t row;
    enum st st = ST_OK;

    while (wanted.len > 0) {
        str_cut(&wanted, '\n', &one);
        if (one.len == 0 || coins_find(names->by_id, one, &row))
            continue;
        if (n++ < MAX_TOLD)
            add_unknown(&text, what, one, names);
    }
    if (n > MAX_TOLD)
        buf_addf(&text, "; and %zu more", n - MAX_TOLD);
    if (n > 0)
        st = err_set(err, ST_REJECT, "%s", buf_z(&text));
    buf_release(&text);
    return st;
}

enum st names_check(struct pipeline *p, const char *coins, const char *vs, bool (*go_on)(void *ctx),
                    void *ctx, struct err *err)
{
    struct names names = {.n = 0};

    enum st st =
        fetch(p, "vs-currencies", "simple/supported_vs_currencies", &names, go_on, ctx, err);
    if (st == ST_OK)
        st = check(&names, "currency", str_of(vs), err);
    release(&names);
    if (st != ST_OK)
        return st;
    names = (struct names){.n = 0};
    st = fetch(p, "coins-list", "coins/list", &names, go_on, ctx, err);
    if (st == ST_OK)
        st = check(&names, "coin", str_of(coins), err);
    release(&names);
    return st;
}
