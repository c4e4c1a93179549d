/* A page of any bytes through the transform of each endpoint, and a second one as the poll after
 * it: what stands behind the first NUL byte, or where there is none the same page again. What is
 * drift in them is told. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "row/tables.h"
#include "transform/drift_history.h"

#include <assert.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    struct json *json;
    struct arena arena;
    struct str bodies[2];
    bool is_same; /* both bodies */
};

static void check_drift(const struct poll_rows *poll)
{
    struct buf b = BUF_INIT(DRIFT_MAX_TEXT);

    drift_write(&b, poll->drifts, poll->n_drifts);
    assert(!b.is_overflow && str_is_utf8(buf_str(&b)));
    for (size_t i = 0; i < b.len; i++)
        assert((unsigned char)b.p[i] >= ' ' && b.p[i] != 0x7F);
    buf_release(&b);
}

static void tell_history(const struct poll_rows *polls)
{
    struct drift_history history;

    drift_history_init(&history);
    drift_history_begin(&history, STR("fuzz"));
    for (size_t i = 0; i < 2; i++)
        drift_history_poll(&history, &polls[i]);
    drift_history_end(&history);
    drift_history_sort(&history);
    for (size_t i = 0; i < history.n; i++) {
        const uint64_t n_polls = history.lines[i].span.n_polls;
        assert(n_polls >= 1 && n_polls <= 2 && history.lines[i].n_times <= 2);
    }
    drift_history_release(&history);
}

/* Twice the same poll gives twice the same rows, and in the second none that is new but of coins of
 * which something is refused. */
static void check_same(const struct poll_rows *first, const struct poll_rows *second)
{
    const struct table *table = first->rows.table;

    assert(second->rows.n == first->rows.n && second->n_absent == 0);
    const size_t n_same = table->whole_us > 0 ? second->rows.n : 0;
    assert(second->n_unchanged <= n_same && second->n_unchanged + second->n_refusals >= n_same);
    for (size_t i = 0; i < first->rows.n * table->n_columns; i++)
        assert(cell_equal(&first->rows.cells[i], &second->rows.cells[i]));
}

static void transform_both(struct run *run, const struct table *table)
{
    struct stream_id stream = {.job = "fuzz", .vs_currency = "usd"};
    struct tape_record end = {.type = TAPE_END, .offset = 2, .stream = &stream, .outcome = POLL_OK};
    struct poll_page page = {.record = {.type = TAPE_PAGE,
                                        .offset = 1,
                                        .page = 1,
                                        .stream = &stream,
                                        .target = STR("/coins/a%20b/market_chart?days=2"),
                                        .fetched_at_us = INT64_C(1795442400000000)},
                             .body = run->bodies[0]};
    struct transform_input in = {.end = &end, .pages = &page, .n_pages = 1};
    struct poll_rows polls[2];
    struct err err = ERR_INIT;

    snprintf(stream.endpoint, sizeof(stream.endpoint), "%s", table->endpoint);
    for (size_t i = 0; i < 2; i++) {
        page.body = run->bodies[i];
        if (transform_poll(&in, run->json, &run->arena, &polls[i], &err) != ST_OK) {
            assert(i == 0 || !run->is_same);
            return;
        }
        const struct poll_rows *p = &polls[i];
        assert(p->rows.table == table && p->rows.n + p->n_refusals >= p->rows_in);
        assert(p->rows.n <= p->rows_in && (i > 0 || (p->n_unchanged == 0 && p->n_absent == 0)));
        assert(p->n_unchanged <= p->rows.n);
        check_drift(p);
        in.prev_rows = in.prev_ok = p;
    }
    if (run->is_same)
        check_same(&polls[0], &polls[1]);
    tell_history(polls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, first;
    struct run run = {.json = json_new()};

    run.is_same = !str_cut(&rest, '\0', &first);
    arena_init(&run.arena, 64 << 20);
    run.bodies[0] = json_pad(&run.arena, first);
    run.bodies[1] = run.is_same ? run.bodies[0] : json_pad(&run.arena, rest);
    for (size_t i = 0; i < N_ROW_TABLES; i++)
        transform_both(&run, row_tables[i]);
    json_free(run.json);
    arena_release(&run.arena);
    return 0;
}
