/* SPDX-License-Identifier: Apache-2.0 */
#include "polls.h"

#include "base/json.h"
#include "row/global.h"
#include "row/listing.h"
#include "row/market.h"
#include "row/tables.h"
#include "transform/coins.h"
#include "transform/drift.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_COINS 64

static enum row_table table_of(const char *job)
{
    static const struct {
        const char *word;
        enum row_table table;
    } words[] = {
        {"list", TABLE_LISTING}, {"global", TABLE_GLOBAL}, {"currencies", TABLE_VS_CURRENCY}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strstr(job, words[i].word))
            return words[i].table;
    return TABLE_MARKET;
}

struct made_stream made_stream(const char *job, uint8_t digit)
{
    enum row_table table = table_of(job);
    struct made_stream s = {.id = {.selection = "top=250"}};
    const char *currency = strstr(job, "eur") ? "eur" : "usd";

    snprintf(s.id.endpoint, sizeof(s.id.endpoint), "%s", row_tables[table]->endpoint);
    snprintf(s.id.job, sizeof(s.id.job), "%s", job);
    snprintf(s.id.vs_currency, sizeof(s.id.vs_currency), "%s",
             table == TABLE_MARKET ? currency : "");
    memset(s.id.uuid, digit, sizeof(s.id.uuid));
    return s;
}

/* What a row has beside its id and fetched_at. Returns its price, if it has one. */
static const struct cell *fill_row(struct made_poll *p, struct cell *row, struct str id,
                                   struct str value)
{
    struct cell *number = NULL;

    if (p->rows.rows.table == &market_table) {
        row[MARKET_SYMBOL] = row[MARKET_NAME] = cell_of_text(id);
        row[MARKET_LAST_UPDATED] = cell_of_time(p->end.slot_us);
        number = &row[MARKET_CURRENT_PRICE];
    } else if (p->rows.rows.table == &listing_table) {
        row[LISTING_SYMBOL] = cell_of_text(id);
        row[LISTING_NAME] = cell_of_text(value);
    } else if (p->rows.rows.table == &global_table) {
        struct str part = id, figure;
        if (str_cut(&part, '.', &figure))
            row[GLOBAL_PART] = cell_of_text(part);
        row[GLOBAL_FIGURE] = cell_of_text(figure);
        number = &row[GLOBAL_VALUE];
    }
    if (number && cell_of_num(value, number) != DEC_OK)
        abort();
    return p->rows.rows.table == &market_table ? number : NULL;
}

static void add_row(struct made_poll *p, struct str word, struct buf *body)
{
    bool is_unchanged = word.p[0] == '*';
    struct str value = {word.p + is_unchanged, word.len - is_unchanged}, id;
    size_t n = p->rows.rows.n++;
    const struct table *t = p->rows.rows.table;
    struct cell *row = rows_at(&p->rows.rows, n);

    str_cut(&value, '=', &id);
    id = arena_str(&p->arena, id);
    for (size_t i = 0; i < t->n_columns; i++)
        row[i] = CELL_NONE;
    row[ROW_ID] = cell_of_text(id);
    row[t->first_stored] = cell_of_time(p->end.slot_us + US_PER_S);
    const struct cell *number = fill_row(p, row, id, arena_str(&p->arena, value));
    if (number && number->number < 0)
        p->flags[p->rows.n_flags++] = (struct quality_flag){
            .row = (uint32_t)n, .rule = QUALITY_NEGATIVE, .detail = cell_text(number)};
    coins_add(p->rows.coins, id, (uint32_t)n);
    p->rows.is_unchanged[n] = is_unchanged;
    p->rows.n_unchanged += is_unchanged;
    buf_addf(body, "%s{\"id\":\"%.*s\",\"current_price\":%.*s}", n > 0 ? "," : "", STR_ARG(id),
             STR_ARG(value));
}

static void add_rows(struct made_poll *p, const char *rows, struct buf *body)
{
    struct str rest = str_of(rows), word;
    p->flags = arena_alloc(&p->arena, MAX_COINS, sizeof(*p->flags));
    struct str *absent = arena_alloc(&p->arena, MAX_COINS, sizeof(*absent));
    struct drift *drifts = arena_zalloc(&p->arena, MAX_COINS, sizeof(*drifts));

    p->rows.rows = (struct rows){
        .table = row_tables[row_table_of(p->end.stream->endpoint)],
        .cells = arena_alloc(&p->arena, MAX_COINS * N_MARKET_COLUMNS, sizeof(struct cell))};
    p->rows.is_unchanged = arena_zalloc(&p->arena, MAX_COINS, sizeof(bool));
    p->rows.coins = coins_new(&p->arena, MAX_COINS);
    while (rest.len > 0) {
        str_cut(&rest, ' ', &word);
        if (word.p[0] == '-')
            absent[p->rows.n_absent++] =
                arena_str(&p->arena, (struct str){word.p + 1, word.len - 1});
        else if (word.p[0] == '~')
            drifts[p->rows.n_drifts++] = (struct drift){
                .kind = DRIFT_NEW,
                .field = arena_str(&p->arena, (struct str){word.p + 1, word.len - 1})};
        else
            add_row(p, word, body);
    }
    p->rows.absent = absent;
    p->rows.drifts = drifts;
    p->rows.flags = p->flags;
    p->rows.rows_in = (uint32_t)p->rows.rows.n;
}

void made_poll(struct made_poll *p, struct made_stream *s, int64_t slot_us,
               enum poll_outcome outcome, const char *rows)
{
    struct buf body = BUF_INIT(64 * 1024);

    *p = (struct made_poll){.n_pages = rows ? 1 : 0};
    arena_init(&p->arena, 16 << 20);
    uint64_t *offsets = arena_zalloc(&p->arena, 1, sizeof(*offsets));
    offsets[0] = rows ? s->at.offset + 1 : 0;
    p->end = (struct tape_record){
        .type = TAPE_END,
        .offset = s->at.offset + 1 + p->n_pages,
        .stream = &s->id,
        .slot_us = slot_us,
        .fetched_at_us = slot_us + 2 * US_PER_S,
        .started_us = slot_us,
        .next_due_us = slot_us + 30 * US_PER_S,
        .outcome = outcome,
        .first_offset = s->at.offset + 1,
        .pages = offsets,
        .n_pages = 1,
        .attempts = 1,
        .error = rows ? STR_NONE : STR("HTTP 429"),
    };
    p->end.hash = p->end.offset * 0x9e3779b97f4a7c15u ^ s->id.uuid[0];
    p->rows = (struct poll_rows){.end_offset = p->end.offset, .slot_us = slot_us};
    buf_add_char(&body, '[');
    if (rows)
        add_rows(p, rows, &body);
    buf_add_char(&body, ']');
    if (p->rows.n_unchanged > 0)
        p->rows.unchanged_since = s->last_rows_end;
    p->rows.absent_since = outcome == POLL_OK ? s->last_ok_end : 0;
    p->pages = arena_zalloc(&p->arena, 1, sizeof(*p->pages));
    p->pages[0].record = (struct tape_record){.type = TAPE_PAGE,
                                              .offset = offsets[0],
                                              .page = 1,
                                              .status = 200,
                                              .stream = &s->id,
                                              .slot_us = slot_us,
                                              .fetched_at_us = slot_us + US_PER_S};
    p->pages[0].body = json_pad(&p->arena, buf_str(&body));
    buf_release(&body);
    p->load = (struct sink_load){
        .stream = &s->id,
        .end = &p->end,
        .pages = p->pages,
        .n_pages = p->n_pages,
        .rows = rows ? &p->rows : NULL,
        .http_status = rows ? 200 : 429,
        .old = s->at,
        .new = {.offset = p->end.offset, .hash = p->end.hash},
        .is_last = true,
    };
    s->at = p->load.new;
    if (rows)
        s->last_rows_end = p->end.offset;
    if (rows && outcome == POLL_OK)
        s->last_ok_end = p->end.offset;
}

void made_release(struct made_poll *p)
{
    arena_release(&p->arena);
}
