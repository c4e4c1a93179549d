/* How fast the transform makes rows, against a bare walk over the same JSON in the same run.
 *
 *     transform_bench [FILE…]     pages of coins/markets; none: a made-up page of 250 coins
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/file.h"
#include "transform/transform.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_PAGES 64
#define ROUNDS    9 /* the best one counts: the others were disturbed */
#define ROUND_US  (200 * US_PER_MS)
#define MAX_ARENA ((size_t)256 << 20)

static const struct stream_id stream = {.job = "bench", .endpoint = "coins/markets"};
static struct poll_page pages[MAX_PAGES];
static size_t n_pages;

static _Noreturn void die(const char *why)
{
    fprintf(stderr, "transform_bench: %s\n", why);
    exit(EXIT_FAILURE);
}

static void make_page(struct buf *b)
{
    for (int i = 0; i < 250; i++) {
        buf_addf(b, "%c{\"id\":\"coin-%d\",\"symbol\":\"c%d\",\"name\":\"Coin %d\",", i ? ',' : '[',
                 i, i, i);
        buf_addf(b, "\"image\":\"https://assets.coingecko.com/coins/images/%d/large/c.png?1\",", i);
        buf_addf(b, "\"current_price\":%d.4517,\"market_cap\":5498%d176,\"market_cap_rank\":%d,",
                 i * 37, i, i + 1);
        buf_addf(b, "\"fully_diluted_valuation\":null,\"total_volume\":18%d04971.0,", i);
        buf_addf(b, "\"high_24h\":1.%d8e-05,\"low_24h\":0.00%d712,\"price_change_24h\":-12.%d1,", i,
                 i, i);
        buf_add_z(b, "\"price_change_percentage_24h\":-1.29467,");
        buf_addf(b, "\"market_cap_change_24h\":-6970843%d.37,", i);
        buf_add_z(b, "\"market_cap_change_percentage_24h\":-1.25206,");
        buf_add_z(b, "\"circulating_supply\":19325768.0,\"total_supply\":21000000.0,");
        buf_add_z(b, "\"max_supply\":21000000.0,\"ath\":69045,\"ath_change_percentage\":-59.42,");
        buf_add_z(b, "\"ath_date\":\"2021-11-10T14:24:11.849Z\",\"atl\":67.81,");
        buf_add_z(b, "\"atl_change_percentage\":41216.99162,");
        buf_add_z(b, "\"atl_date\":\"2013-07-06T00:00:00.000Z\",\"roi\":null,");
        buf_add_z(b, "\"last_updated\":\"2023-03-20T12:00:03.123Z\"}");
    }
    buf_add_char(b, ']');
}

static void add_page(struct arena *arena, struct str body)
{
    if (n_pages == MAX_PAGES)
        die("too many pages");
    pages[n_pages].record = (struct tape_record){.type = TAPE_PAGE, .offset = n_pages + 1};
    pages[n_pages].body = json_pad(arena, body);
    if (pages[n_pages++].body.p == NULL)
        die("no memory");
}

static size_t transform_all(struct json *json, struct arena *arena)
{
    const struct tape_record end = {.stream = &stream, .outcome = POLL_OK};
    struct err err = ERR_INIT;
    size_t n = 0;

    for (size_t i = 0; i < n_pages; i++) {
        struct transform_input in = {.end = &end, .pages = &pages[i], .n_pages = 1};
        struct poll_rows rows;
        arena_reset(arena);
        if (transform_poll(&in, json, arena, &rows, &err) != ST_OK)
            die(err.msg);
        n += rows.rows.n;
    }
    return n;
}

static size_t validate_all(struct json *json, struct arena *arena)
{
    struct err err = ERR_INIT;

    arena_reset(arena);
    for (size_t i = 0; i < n_pages; i++)
        if (json_validate(json, pages[i].body, arena, NULL, &err) != ST_OK)
            die(err.msg);
    return n_pages;
}

/* Seconds that one call takes: the best of several rounds. */
static double measure(size_t (*work)(struct json *, struct arena *), struct json *json,
                      struct arena *arena)
{
    double best = 1e9;

    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin = clock_mono_us(clock_system()), elapsed;
        int n = 0;
        do {
            work(json, arena);
            n++;
            elapsed = clock_mono_us(clock_system()) - begin;
        } while (elapsed < ROUND_US);
        double each = (double)elapsed / 1e6 / n;
        best = each < best ? each : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    struct buf body = BUF_INIT(TAPE_MAX_BODY);
    struct err err = ERR_INIT;
    struct json *json = json_new();
    struct arena keep, arena;

    arena_init(&keep, MAX_ARENA);
    arena_init(&arena, MAX_ARENA);
    if (argc < 2) {
        make_page(&body);
        add_page(&keep, buf_str(&body));
    }
    for (int i = 1; i < argc; i++) {
        buf_clear(&body);
        if (file_read(argv[i], &body, &err) != ST_OK)
            die(err.msg);
        add_page(&keep, buf_str(&body));
    }
    size_t n = transform_all(json, &arena);
    double transform = measure(transform_all, json, &arena);
    double walk = measure(validate_all, json, &arena);
    printf("transform  %.0f rows/s  %.2f us/row\n", (double)n / transform,
           transform * 1e6 / (double)n);
    printf("bare walk  %.0f rows/s  %.2f us/row\n", (double)n / walk, walk * 1e6 / (double)n);
    printf("ratio      %.2f\n", walk / transform);
    buf_release(&body);
    arena_release(&keep);
    arena_release(&arena);
    json_free(json);
    return EXIT_SUCCESS;
}
