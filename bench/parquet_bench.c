/* How fast rows become Parquet, and how small: 250 coins of a made-up market, coin by coin.
 *
 *     parquet_bench FILE [POLLS]     500,000 rows of 25 columns by default; FILE stays
 *
 * Prints bytes a row, and rows for each second of CPU; what makes the rows is not counted.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/shortest.h"
#include "parquet/writer.h"
#include "row/market.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define COINS   250
#define SLOT_US (30 * US_PER_S)
#define BEGIN_S 1764000000

static const enum market_column shown[] = {
    MARKET_ID,
    MARKET_SYMBOL,
    MARKET_NAME,
    MARKET_IMAGE,
    MARKET_FETCHED_AT,
    MARKET_CURRENT_PRICE,
    MARKET_MARKET_CAP,
    MARKET_MARKET_CAP_RANK,
    MARKET_FULLY_DILUTED_VALUATION,
    MARKET_TOTAL_VOLUME,
    MARKET_HIGH_24H,
    MARKET_LOW_24H,
    MARKET_PRICE_CHANGE_24H,
    MARKET_PRICE_CHANGE_PERCENTAGE_24H,
    MARKET_MARKET_CAP_CHANGE_24H,
    MARKET_MARKET_CAP_CHANGE_PERCENTAGE_24H,
    MARKET_CIRCULATING_SUPPLY,
    MARKET_TOTAL_SUPPLY,
    MARKET_ATH,
    MARKET_ATH_CHANGE_PERCENTAGE,
    MARKET_ATH_DATE,
    MARKET_ATL,
    MARKET_ATL_CHANGE_PERCENTAGE,
    MARKET_ATL_DATE,
    MARKET_LAST_UPDATED,
};
#define N_SHOWN (sizeof(shown) / sizeof(shown[0]))

static uint64_t seed = 88172645463325252U;

static double chance(void) /* [0, 1) */
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (double)(seed >> 11) * 0x1p-53;
}

/* A number of so many significant digits; 0: the shortest text of the double. */
static struct cell num(double x, int digits)
{
    char text[40];
    struct dec d;

    const size_t len = digits > 0 ? (size_t)snprintf(text, sizeof(text), "%.*e", digits - 1, x)
                                  : shortest_format(x, text);
    if (dec_parse((struct str){text, len}, &d) != DEC_OK)
        abort();
    return cell_of_dec(d, STR_NONE);
}

struct coin {
    char id[24], symbol[8], name[24], image[64];
    double price, yesterday, cap, volume, high, low, supply, ath, atl;
    int rank;
};

static void make_coin(struct coin *c, int i)
{
    snprintf(c->id, sizeof(c->id), "coin-number-%03d", i);
    snprintf(c->symbol, sizeof(c->symbol), "c%03d", i);
    snprintf(c->name, sizeof(c->name), "Coin Number %03d", i);
    snprintf(c->image, sizeof(c->image),
             "https://coin-images.coingecko.com/coins/images/%d/large/c.png", i);
    c->price = pow(10, chance() * 7 - 2.5);
    c->supply = floor(pow(10, 6 + chance() * 5));
    c->volume = c->price * c->supply * 0.03;
    c->yesterday = c->price * 1.01;
    c->high = c->price * 1.02;
    c->low = c->price * 0.97;
    c->ath = c->price * 3;
    c->atl = c->price / 90;
    c->rank = i + 1;
}

/* Prices have six digits, sizes are whole, changes what a double makes of two of them. Two of three
 * polls find the coin as it was. */
static void make_row(struct coin *c, int coin, int poll, struct cell *row)
{
    const int64_t slot_us = BEGIN_S * (int64_t)US_PER_S + poll * SLOT_US;

    if (poll > 0 && chance() < 2.0 / 3) {
        memcpy(row, row - N_SHOWN, N_SHOWN * sizeof(*row));
        row[4] = cell_of_time(slot_us + (int64_t)(chance() * 300000));
        return;
    }
    c->price *= 1 + (chance() - 0.5) * 0.002;
    c->yesterday *= 1 + (chance() - 0.5) * 0.002;
    c->volume *= 1 + (chance() - 0.5) * 0.004;
    c->high = poll % 97 == coin % 97 || c->price > c->high ? c->price * 1.01 : c->high;
    c->low = poll % 89 == coin % 89 || c->price < c->low ? c->price * 0.99 : c->low;
    c->rank += chance() < 0.01 ? (chance() < 0.5 && c->rank > 1 ? -1 : 1) : 0;
    const double cap = floor(c->price * c->supply), change = c->price - c->yesterday;
    size_t i = 0;
    row[i++] = cell_of_text(str_of(c->id));
    row[i++] = cell_of_text(str_of(c->symbol));
    row[i++] = cell_of_text(str_of(c->name));
    row[i++] = cell_of_text(str_of(c->image));
    row[i++] = cell_of_time(slot_us + (int64_t)(chance() * 300000));
    row[i++] = num(c->price, 6);
    row[i++] = num(cap, 12);
    row[i++] = cell_of_int(c->rank);
    row[i++] = coin % 5 == 0 ? CELL_NONE : num(cap * 1.3, 12);
    row[i++] = num(floor(c->volume), 10);
    row[i++] = num(c->high, 6);
    row[i++] = num(c->low, 6);
    row[i++] = num(change, 0);
    row[i++] = num(change / c->yesterday * 100, 6);
    row[i++] = num(cap * change / c->yesterday, 11);
    row[i++] = num(change / c->yesterday * 99, 6);
    row[i++] = num(c->supply, 12);
    row[i++] = num(c->supply, 12);
    row[i++] = num(c->ath, 6);
    row[i++] = num((c->price / c->ath - 1) * 100, 7);
    row[i++] = cell_of_time((BEGIN_S - 1000000 * coin) * (int64_t)US_PER_S);
    row[i++] = num(c->atl, 6);
    row[i++] = num((c->price / c->atl - 1) * 100, 8);
    row[i++] = cell_of_time((BEGIN_S - 2000000 * coin) * (int64_t)US_PER_S);
    row[i++] = cell_of_time(slot_us - 1000 * (int64_t)(chance() * 60000));
}

static enum st write_to(void *ctx, struct str bytes, struct err *err)
{
    return file_write_all(*(const int *)ctx, bytes.p, bytes.len, "the file", err);
}

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    const int polls = argc > 2 ? atoi(argv[2]) : 2000; /* NOLINT(cert-err34-c): by hand */
    struct column columns[N_SHOWN];
    struct err err = ERR_INIT;
    double spent_s = 0;

    int fd = argc > 1 ? open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
    if (fd < 0 || polls < 1) {
        fprintf(stderr, "parquet_bench FILE [POLLS]\n");
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < N_SHOWN; i++)
        columns[i] = market_table.columns[shown[i]];
    struct parquet *p = parquet_new(&(struct parquet_options){
        .columns = columns,
        .n_columns = N_SHOWN,
        .sort = {0, 4},
        .n_sort = 2,
        .write = write_to,
        .ctx = &fd,
    });
    struct cell *rows = mem_new((size_t)polls * N_SHOWN, sizeof(*rows));
    enum st st = ST_OK;
    for (int coin = 0; coin < COINS; coin++) {
        struct coin c;
        make_coin(&c, coin);
        for (int i = 0; i < polls; i++)
            make_row(&c, coin, i, rows + (size_t)i * N_SHOWN);
        const double begin_s = cpu_s();
        if (st == ST_OK)
            st = parquet_add_rows(p, rows, (size_t)polls, N_SHOWN, NULL, &err);
        spent_s += cpu_s() - begin_s;
    }
    const double begin_s = cpu_s();
    if (st == ST_OK)
        st = parquet_finish(p, NULL, 0, &err);
    spent_s += cpu_s() - begin_s;
    const off_t len = lseek(fd, 0, SEEK_END);
    parquet_free(p);
    mem_free(rows);
    close(fd);
    if (st != ST_OK) {
        fprintf(stderr, "parquet_bench: %s\n", err.msg);
        return EXIT_FAILURE;
    }
    const double n = (double)COINS * polls;
    printf("parquet: %.0f rows of %zu columns, %.1f B a row, %.2f M rows/s of CPU\n", n, N_SHOWN,
           (double)len / n, n / spent_s / 1e6);
    return EXIT_SUCCESS;
}
