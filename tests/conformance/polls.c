/* SPDX-License-Identifier: Apache-2.0 */
#include "polls.h"

#include "base/json.h"
#include "row/market.h"
#include "transform/coins.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_COINS 16

struct made_stream made_stream(const char *job, uint8_t digit)
{
    struct made_stream s = {.id = {.endpoint = "coins/markets", .selection = "top=250"}};

    snprintf(s.id.job, sizeof(s.id.job), "%s", job);
    snprintf(s.id.vs_currency, sizeof(s.id.vs_currency), "%s", strstr(job, "eur") ? "eur" : "usd");
    memset(s.id.uuid, digit, sizeof(s.id.uuid));
    return s;
}

static void add_coin(struct made_poll *p, struct str word, struct buf *body)
{
    bool is_unchanged = word.p[0] == '*';
    struct str price = {word.p + is_unchanged, word.len - is_unchanged}, id;
    size_t n = p->rows.rows.n++;
    struct cell *row = rows_at(&p->rows.rows, n);

    str_cut(&price, '=', &id);
    for (size_t i = 0; i < N_MARKET_COLUMNS; i++)
        row[i] = CELL_NONE;
    row[MARKET_ID] = row[MARKET_SYMBOL] = row[MARKET_NAME] = cell_of_text(arena_str(&p->arena, id));
    row[MARKET_FETCHED_AT] = cell_of_time(p->end.slot_us + US_PER_S);
    if (cell_of_num(arena_str(&p->arena, price), &row[MARKET_CURRENT_PRICE]) != DEC_OK)
        abort();
    row[MARKET_LAST_UPDATED] = cell_of_time(p->end.slot_us);
    coins_add(p->rows.coins, cell_text(&row[MARKET_ID]), (uint32_t)n);
    p->rows.is_unchanged[n] = is_unchanged;
    p->rows.n_unchanged += is_unchanged;
    buf_addf(body, "%s{\"id\":\"%.*s\",\"current_price\":%.*s}", n > 0 ? "," : "", STR_ARG(id),
             STR_ARG(price));
}

static void add_rows(struct made_poll *p, const char *rows, struct buf *body)
{
    struct str rest = str_of(rows), word;
    struct str *absent = arena_alloc(&p->arena, MAX_COINS, sizeof(*absent));

    p->rows.rows = (struct rows){
        .table = &market_table,
        .cells = arena_alloc(&p->arena, MAX_COINS * N_MARKET_COLUMNS, sizeof(struct cell))};
    p->rows.is_unchanged = arena_zalloc(&p->arena, MAX_COINS, sizeof(bool));
    p->rows.coins = coins_new(&p->arena, MAX_COINS);
    while (rest.len > 0) {
        str_cut(&rest, ' ', &word);
        if (word.p[0] == '-')
            absent[p->rows.n_absent++] =
                arena_str(&p->arena, (struct str){word.p + 1, word.len - 1});
        else
            add_coin(p, word, body);
    }
    p->rows.absent = absent;
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
