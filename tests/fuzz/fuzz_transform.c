/* A page of any bytes through the transform of coins/markets, and the same page again as the poll
 * after it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "row/market.h"
#include "transform/transform.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream_id stream = {
        .job = "markets-usd", .endpoint = "coins/markets", .vs_currency = "usd"};
    struct tape_record end = {.type = TAPE_END, .offset = 2, .stream = &stream, .outcome = POLL_OK};
    struct poll_page page = {
        .record = {
            .type = TAPE_PAGE, .offset = 1, .page = 1, .stream = &stream, .fetched_at_us = 1}};
    struct json *json = json_new();
    struct poll_rows first, second;
    struct err err = ERR_INIT;
    struct arena arena;

    arena_init(&arena, 64 << 20);
    page.body = json_pad(&arena, (struct str){(const char *)data, size});
    struct transform_input in = {.end = &end, .pages = &page, .n_pages = 1};
    if (transform_poll(&in, json, &arena, &first, &err) == ST_OK) {
        assert(first.rows.n + first.n_refusals >= first.rows_in || first.n_refusals > 0);
        assert(first.rows.n <= first.rows_in && first.n_unchanged == 0 && first.n_absent == 0);
        in.prev_rows = in.prev_ok = &first;
        enum st st = transform_poll(&in, json, &arena, &second, &err);
        assert(st == ST_OK && second.rows.n == first.rows.n && second.n_absent == 0);
        assert(second.n_unchanged == second.rows.n);
        for (size_t i = 0; i < first.rows.n * N_MARKET_COLUMNS; i++)
            assert(cell_equal(&first.rows.cells[i], &second.rows.cells[i]));
    }
    json_free(json);
    arena_release(&arena);
    return 0;
}
