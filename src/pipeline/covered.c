/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/covered.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/http_client.h"
#include "base/mem.h"
#include "extract/charts.h"
#include "tape/reader.h"
#include "tape/tape.h"

#include <stdlib.h>

#define MAX_PIECES (1024 * 1024)
#define MAX_COINS  ((size_t)64 * 1024 * 1024)
#define SETTLE_US  (36 * 60 * US_PER_S) /* as LATEST_US of extract/charts.c */
#define RECENT_US  (35 * 60 * US_PER_S) /* as CHART_SETTLE_US of transform/chart.h */

struct piece {
    uint32_t coin; /* place of its text */
    bool is_candle;
    int64_t step_us;
    struct span span;
};

struct covered {
    struct piece *pieces; /* by coin, kind, step, begin */
    size_t n, max;
    struct buf coins; /* texts, each with a NUL behind it */
};

static const char *coin_of(const struct covered *c, const struct piece *p)
{
    return c->coins.p + p->coin;
}

/* Polls of one coin mostly follow each other. */
static uint32_t keep_coin(struct covered *c, const char *coin)
{
    if (c->n > 0 && strcmp(coin_of(c, &c->pieces[c->n - 1]), coin) == 0)
        return c->pieces[c->n - 1].coin;
    const size_t at = c->coins.len;
    buf_add_z(&c->coins, coin);
    buf_add_char(&c->coins, '\0');
    return (uint32_t)at;
}

/* Of what was asked for that which the answer has for good, as the transform takes it: candles that
 * are whole; and of an answer up to when it was made, not the last point, which stands for then. */
static struct span span_of(const struct chart_asked *asked, int64_t made_us)
{
    const int64_t step_us = asked->step_us, settled_us = made_us - SETTLE_US;
    struct span span = {asked->from_us, asked->to_us < settled_us ? asked->to_us : settled_us};

    if (asked->is_candle) {
        span.from_us = time_floor(span.from_us + step_us - 1, step_us);
        span.until_us = time_floor(span.until_us, step_us);
    } else if (asked->to_us > made_us - RECENT_US) {
        span.until_us -= step_us;
    }
    return span;
}

static enum st add(struct covered *c, const struct chart_asked *asked, int64_t made_us,
                   struct err *err)
{
    const struct span span = span_of(asked, made_us);

    if (span.until_us <= span.from_us)
        return ST_OK;
    if (c->n == MAX_PIECES)
        return err_set(err, ST_REJECT,
                       "the tape of the backfill has more than %d polls; give it a "
                       "--data of its own",
                       MAX_PIECES);
    if (c->n == c->max) {
        c->max = c->max > 0 ? 2 * c->max : 256;
        c->pieces = mem_grow(c->pieces, c->max, sizeof(*c->pieces));
    }
    const uint32_t coin = keep_coin(c, asked->coin);
    c->pieces[c->n++] = (struct piece){coin, asked->is_candle, asked->step_us, span};
    return buf_check(&c->coins, "the coins of a backfill", err);
}

static enum st take_end(struct covered *c, struct tape_reader *reader,
                        const struct tape_record *end, struct err *err)
{
    struct chart_asked asked;
    struct tape_record page;
    struct err why = ERR_INIT;

    if (end->outcome != POLL_OK || end->n_pages != 1 ||
        tape_reader_get(reader, end->pages[0], &page, &why) != ST_OK || page.type != TAPE_PAGE)
        return ST_OK;
    const int64_t made_us = page.fetched_at_us - http_answer_age_us(page.headers);
    if (!chart_read_target(page.target, made_us, &asked))
        return ST_OK;
    return add(c, &asked, made_us, err);
}

static enum st read_all(struct covered *c, struct tape_reader *reader, struct err *err)
{
    struct tape_record record;

    for (;;) {
        struct err why = ERR_INIT;
        enum st st = tape_reader_next(reader, UINT64_MAX, &record, &why);
        if (st == ST_AGAIN && why.sys == 0)
            return ST_OK;
        if (st == ST_REJECT) /* damage: what was lost there is asked for again */
            continue;
        if (st != ST_OK) {
            *err = why;
            return st;
        }
        if (record.type == TAPE_END)
            st = take_end(c, reader, &record, err);
        if (st != ST_OK)
            return st;
    }
}

static int compare_key(const struct covered *c, const struct piece *p,
                       const struct covered_key *key)
{
    const int order = str_cmp(str_of(coin_of(c, p)), key->coin);

    if (order != 0)
        return order;
    if (p->is_candle != key->is_candle)
        return p->is_candle - key->is_candle;
    return (p->step_us > key->step_us) - (p->step_us < key->step_us);
}

static int compare(const void *a, const void *b, void *covered)
{
    const struct piece *x = a, *y = b;
    const struct covered_key key = {str_of(coin_of(covered, y)), y->is_candle, y->step_us};
    const int order = compare_key(covered, x, &key);

    return order != 0 ? order
                      : (x->span.from_us > y->span.from_us) - (x->span.from_us < y->span.from_us);
}

enum st covered_read(const char *data_dir, const char *job, struct covered **ret_covered,
                     struct err *err)
{
    struct covered *c = mem_new(1, sizeof(*c));
    struct tape_reader *reader = NULL;
    char dir[FILE_MAX_PATH];

    buf_init(&c->coins, MAX_COINS);
    enum st st = tape_stream_dir(data_dir, job, dir, err);
    if (st == ST_OK)
        st = tape_reader_open(dir, &reader, err);
    if (st == ST_OK)
        st = read_all(c, reader, err);
    tape_reader_close(reader);
    if (st != ST_OK) {
        covered_free(c);
        return st;
    }
    if (c->n > 0)
        qsort_r(c->pieces, c->n, sizeof(*c->pieces), compare, c);
    *ret_covered = c;
    return ST_OK;
}

void covered_free(struct covered *c)
{
    if (c == NULL)
        return;
    mem_free(c->pieces);
    buf_release(&c->coins);
    mem_free(c);
}

bool covered_next(const struct covered *c, const struct covered_key *key, struct span *rest,
                  struct span *ret_missing)
{
    size_t low = 0, high = c->n;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (compare_key(c, &c->pieces[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < c->n && compare_key(c, &c->pieces[low], key) == 0; low++) {
        const struct span *s = &c->pieces[low].span;
        if (s->from_us > rest->from_us)
            break;
        if (s->until_us > rest->from_us)
            rest->from_us = s->until_us;
    }
    if (rest->from_us >= rest->until_us)
        return false;
    *ret_missing = *rest;
    if (low < c->n && compare_key(c, &c->pieces[low], key) == 0 &&
        c->pieces[low].span.from_us < rest->until_us)
        ret_missing->until_us = c->pieces[low].span.from_us;
    rest->from_us = ret_missing->until_us;
    return true;
}
