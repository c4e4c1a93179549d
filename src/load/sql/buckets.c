/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/buckets.h"

#include "base/mem.h"
#include "load/sql/candles.h"
#include "row/market.h"

#include <assert.h>

/* Answers that come later than this after their slot, or so much before it, are left to SQL: it
 * looks for those of a bucket among the slots of an hour or two. */
#define MAX_SPAN_US (CANDLE_1H_US / 2)

/* Up to so many digits every store has a number exactly. */
#define PLAIN_MANTISSA INT64_C(1000000000000000)
#define PLAIN_EXPONENT 200

static const int64_t lengths_us[N_BUCKET_LEVELS] = {CANDLE_5M_US, CANDLE_1H_US};

/* An exact number; or none. */
struct number {
    int64_t mant;
    int16_t exp;
    bool is_there;
};

struct bucket_candle {
    struct number values[N_CANDLE_VALUES];
    int64_t first_us, last_us; /* of a price */
    uint32_t n_rows, n_unpriced;
};

/* What a row tells of its coin. */
struct point {
    int64_t at_us;
    struct number price, market_cap, total_volume;
    bool is_row; /* else the poll left it out */
};

/* ---- memory ---- */

struct buckets *buckets_of(const struct buckets_of_jobs *all, int64_t job_id)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->jobs[i].job_id == job_id)
            return &all->jobs[i];
    return NULL;
}

static struct buckets *find_or_add(struct buckets_of_jobs *all, int64_t job_id)
{
    struct buckets *b = buckets_of(all, job_id);

    if (b)
        return b;
    all->jobs = mem_grow(all->jobs, all->n + 1, sizeof(*all->jobs));
    b = &all->jobs[all->n++];
    *b = (struct buckets){.job_id = job_id};
    return b;
}

void buckets_forget(struct buckets *b)
{
    for (size_t level = 0; level < N_BUCKET_LEVELS; level++) {
        for (size_t i = 0; i < b->levels[level].n; i++)
            mem_free(b->levels[level].list[i].candles);
        mem_free(b->levels[level].list);
        mem_free(b->levels[level].spare.candles);
    }
    mem_free(b->coin_ids);
    mem_free(b->places);
    *b = (struct buckets){.job_id = b->job_id};
}

void buckets_forget_all(struct buckets_of_jobs *all)
{
    for (size_t i = 0; i < all->n; i++)
        buckets_forget(&all->jobs[i]);
}

void buckets_release(struct buckets_of_jobs *all)
{
    buckets_forget_all(all);
    mem_free(all->jobs);
    *all = (struct buckets_of_jobs){.n = 0};
}

/* Its memory is for the next one, so that a load like the one before allocates nothing. */
static void drop(struct buckets *b, struct bucket_level_list *l, struct bucket *bucket)
{
    if (l->spare.candles == NULL) {
        l->spare = *bucket;
        return;
    }
    b->n_candles -= bucket->max;
    mem_free(bucket->candles);
}

void buckets_drop_old(struct buckets *b)
{
    const int64_t until_us = time_floor(b->slot_us, CANDLE_5M_US);

    for (size_t level = 0; level < N_BUCKET_LEVELS; level++) {
        struct bucket_level_list *l = &b->levels[level];
        size_t n = 0;
        for (size_t i = 0; i < l->n; i++) {
            if (l->list[i].until_us > until_us)
                l->list[n++] = l->list[i];
            else
                drop(b, l, &l->list[i]);
        }
        l->n = n;
    }
}

/* ---- coins and buckets ---- */

/* Where the coin's place is written, or would be. */
static uint32_t *slot_of(const struct buckets *b, int64_t coin_id)
{
    size_t at = (size_t)((uint64_t)coin_id * UINT64_C(0x9e3779b97f4a7c15) >> 32);

    assert(b->places);
    for (;; at++) {
        uint32_t *slot = &b->places[at & (b->n_places - 1)];
        if (*slot == 0 || b->coin_ids[*slot - 1] == coin_id)
            return slot;
    }
}

static bool make_places(struct buckets *b)
{
    const size_t n = b->n_places > 0 ? 2 * b->n_places : 1024;

    uint32_t *places = mem_try(NULL, n * sizeof(*places));
    if (places == NULL)
        return false;
    memset(places, 0, n * sizeof(*places));
    mem_free(b->places);
    b->places = places;
    b->n_places = n;
    for (size_t i = 0; i < b->n_coins; i++)
        *slot_of(b, b->coin_ids[i]) = (uint32_t)i + 1;
    return true;
}

static bool place_of(struct buckets *b, int64_t coin_id, size_t *ret_place)
{
    if (2 * b->n_coins >= b->n_places && !make_places(b))
        return false;
    uint32_t *slot = slot_of(b, coin_id);
    if (*slot == 0) {
        if (b->n_coins == b->max_coins) {
            const size_t max = b->max_coins > 0 ? 2 * b->max_coins : 256;
            int64_t *coin_ids = mem_try(b->coin_ids, max * sizeof(*coin_ids));
            if (coin_ids == NULL)
                return false;
            b->coin_ids = coin_ids;
            b->max_coins = max;
        }
        b->coin_ids[b->n_coins++] = coin_id;
        *slot = (uint32_t)b->n_coins;
    }
    *ret_place = *slot - 1;
    return true;
}

/* The index of the bucket that begins at from_us, or where it belongs: mostly the last. */
static size_t index_of(const struct bucket_level_list *l, int64_t from_us)
{
    size_t at = l->n;

    while (at > 0 && l->list[at - 1].from_us >= from_us)
        at--;
    return at;
}

static struct bucket *find(const struct buckets *b, enum bucket_level level, int64_t at_us)
{
    const struct bucket_level_list *l = &b->levels[level];
    const int64_t from_us = time_floor(at_us, lengths_us[level]);
    const size_t at = index_of(l, from_us);

    return at < l->n && l->list[at].from_us == from_us ? &l->list[at] : NULL;
}

static bool find_or_make(struct buckets *b, enum bucket_level level, int64_t from_us,
                         struct bucket **ret_bucket)
{
    struct bucket_level_list *l = &b->levels[level];
    const size_t at = index_of(l, from_us);

    assert(l->list || at == l->n);
    if (at == l->n || l->list[at].from_us != from_us) {
        if (l->n == l->max) {
            const size_t max = l->max > 0 ? 2 * l->max : 8;
            struct bucket *list = mem_try(l->list, max * sizeof(*list));
            if (list == NULL)
                return false;
            l->list = list;
            l->max = max;
        }
        memmove(&l->list[at + 1], &l->list[at], (l->n - at) * sizeof(*l->list));
        l->list[at] = (struct bucket){.from_us = from_us,
                                      .until_us = from_us + lengths_us[level],
                                      .candles = l->spare.candles,
                                      .max = l->spare.max};
        if (l->spare.candles)
            memset(l->spare.candles, 0, l->spare.max * sizeof(*l->spare.candles));
        l->spare = (struct bucket){.n = 0};
        l->n++;
    }
    *ret_bucket = &l->list[at];
    return true;
}

static bool make_room(struct buckets *b, struct bucket *bucket)
{
    const size_t max = b->n_coins + b->n_coins / 8 + 16;

    if (b->n_candles + max - bucket->max > BUCKETS_MAX_CANDLES)
        return false;
    struct bucket_candle *candles = mem_try(bucket->candles, max * sizeof(*candles));
    if (candles == NULL)
        return false;
    memset(candles + bucket->n, 0, (max - bucket->n) * sizeof(*candles));
    b->n_candles += max - bucket->max;
    bucket->candles = candles;
    bucket->max = max;
    return true;
}

/* ---- adding ---- */

/* Do all stores have the number as it is? False: one of them may keep its text. */
static bool read_number(const struct cell *c, struct number *ret_number)
{
    const struct dec d = cell_dec(c);
    int64_t integer;
    bool is_same = true;

    *ret_number = (struct number){.is_there = false};
    if (c->kind == CELL_NULL)
        return true;
    if (c->kind != CELL_NUM || !d.is_exact)
        return false;
    if (d.mant >= PLAIN_MANTISSA || d.mant <= -PLAIN_MANTISSA || d.exp < -PLAIN_EXPONENT ||
        d.exp > PLAIN_EXPONENT)
        if (!dec_to_i64(d, &integer))
            (void)dec_to_double(d, cell_text(c), &is_same);
    *ret_number = (struct number){.mant = d.mant, .exp = d.exp, .is_there = true};
    return is_same;
}

static int compare(struct number a, struct number b)
{
    return a.exp == b.exp
               ? (a.mant > b.mant) - (a.mant < b.mant)
               : dec_compare((struct dec){a.mant, a.exp, true}, (struct dec){b.mant, b.exp, true});
}

static void add_point(struct bucket_candle *c, const struct point *p)
{
    struct number *v = c->values;

    c->n_rows += p->is_row;
    c->n_unpriced += !p->price.is_there;
    if (!p->price.is_there)
        return;
    if (!v[CANDLE_OPEN].is_there) {
        c->first_us = p->at_us;
        v[CANDLE_OPEN] = v[CANDLE_HIGH] = v[CANDLE_LOW] = p->price;
        v[CANDLE_OPEN_MARKET_CAP] = p->market_cap;
        v[CANDLE_OPEN_TOTAL_VOLUME] = p->total_volume;
    } else if (compare(p->price, v[CANDLE_HIGH]) > 0) {
        v[CANDLE_HIGH] = p->price;
    } else if (compare(p->price, v[CANDLE_LOW]) < 0) {
        v[CANDLE_LOW] = p->price;
    }
    c->last_us = p->at_us;
    v[CANDLE_CLOSE] = p->price;
    v[CANDLE_MARKET_CAP] = p->market_cap;
    v[CANDLE_TOTAL_VOLUME] = p->total_volume;
}

/* When a poll's answers came. */
struct span {
    int64_t from_us, to_us;
};

static struct span span_of(const struct tape_record *end)
{
    return (struct span){.from_us = end->started_us != 0 ? end->started_us : end->slot_us,
                         .to_us = end->fetched_at_us};
}

/* Into the buckets of all levels that it is of. */
static bool add_to_buckets(struct buckets *b, int64_t coin_id, const struct point *p,
                           struct bucket *hints[N_BUCKET_LEVELS])
{
    size_t place;

    if (!place_of(b, coin_id, &place))
        return false;
    for (size_t level = 0; level < N_BUCKET_LEVELS; level++) {
        struct bucket *bucket = hints[level];
        if (bucket == NULL || p->at_us < bucket->from_us || p->at_us >= bucket->until_us)
            bucket = hints[level] = find(b, (enum bucket_level)level, p->at_us);
        if (bucket == NULL || (place >= bucket->max && !make_room(b, bucket)))
            return false;
        bucket->n = place >= bucket->n ? place + 1 : bucket->n;
        add_point(&bucket->candles[place], p);
    }
    return true;
}

static bool read_point(const struct buckets_poll *poll, size_t i, struct span span,
                       struct point *ret_point)
{
    const struct cell *row = rows_at(&poll->load->rows->rows, i);

    ret_point->is_row = !poll->may_skip || !poll->load->rows->is_unchanged[i];
    ret_point->at_us = ret_point->is_row ? row[MARKET_FETCHED_AT].number : span.to_us;
    return row[MARKET_FETCHED_AT].kind == CELL_TIME && ret_point->at_us >= span.from_us &&
           ret_point->at_us <= span.to_us &&
           read_number(&row[MARKET_CURRENT_PRICE], &ret_point->price) &&
           read_number(&row[MARKET_MARKET_CAP], &ret_point->market_cap) &&
           read_number(&row[MARKET_TOTAL_VOLUME], &ret_point->total_volume);
}

static uint64_t mix(uint64_t sum, uint64_t value)
{
    sum = (sum ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ sum >> 29;
}

static uint64_t poll_sum(int64_t slot_us, uint64_t offset, uint64_t n_stored, uint64_t n_unchanged)
{
    return mix(mix(mix((uint64_t)slot_us, offset), n_stored), n_unchanged);
}

/* The buckets that the poll may have rows in know it. */
static bool add_poll(struct buckets *b, const struct buckets_poll *poll, struct span span)
{
    const struct tape_record *end = poll->load->end;
    struct bucket *bucket;

    for (size_t level = 0; level < N_BUCKET_LEVELS; level++)
        for (int64_t at_us = time_floor(span.from_us, lengths_us[level]); at_us <= span.to_us;
             at_us += lengths_us[level]) {
            if (!find_or_make(b, (enum bucket_level)level, at_us, &bucket))
                return false;
            bucket->n_polls++;
            bucket->sum += poll_sum(end->slot_us, end->offset, poll->n_stored, poll->n_unchanged);
        }
    return true;
}

static bool add(struct buckets *b, const struct buckets_poll *poll)
{
    const struct rows *rows = &poll->load->rows->rows;
    const struct tape_record *end = poll->load->end;
    const struct span span = span_of(end);
    struct bucket *hints[N_BUCKET_LEVELS] = {NULL};
    struct point point;

    if (span.to_us < span.from_us || span.to_us - end->slot_us > MAX_SPAN_US ||
        end->slot_us - span.from_us > MAX_SPAN_US || !add_poll(b, poll, span))
        return false;
    for (size_t i = 0; i < rows->n; i++) {
        if (!read_point(poll, i, span, &point))
            return false;
        if ((point.is_row || point.price.is_there) &&
            !add_to_buckets(b, poll->coin_ids[i], &point, hints))
            return false;
    }
    b->has_polls = true;
    b->slot_us = end->slot_us;
    b->finished_us = span.to_us;
    return true;
}

void buckets_add(struct buckets_of_jobs *all, int64_t job_id, const struct buckets_poll *poll)
{
    struct buckets *b = find_or_add(all, job_id);
    const struct tape_record *end = poll->load->end;

    if (b->has_polls && (end->slot_us <= b->slot_us || span_of(end).from_us <= b->finished_us))
        buckets_forget(b);
    if (!add(b, poll))
        buckets_forget(b);
}

/* ---- writing ---- */

enum st buckets_find(const struct buckets *b, struct db *db, enum bucket_level level,
                     int64_t from_us, const struct bucket **ret_bucket, struct err *err)
{
    const struct bucket *bucket = b ? find(b, level, from_us) : NULL;
    uint64_t n_polls = 0, sum = 0;
    struct stmt *stmt;
    bool has_row;

    *ret_bucket = NULL;
    if (bucket == NULL)
        return ST_OK;
    enum st st = db_prepare(db, DB_CANDLE_POLLS, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", b->job_id);
    db_bind_int(stmt, ":first_slot", candle_first_slot(from_us));
    db_bind_int(stmt, ":last_slot", bucket->until_us + CANDLE_1H_US);
    db_bind_int(stmt, ":from", from_us);
    db_bind_int(stmt, ":until", bucket->until_us);
    while ((st = db_step(db, stmt, &has_row, err)) == ST_OK && has_row) {
        n_polls++;
        sum += poll_sum(db_int(stmt, 0), (uint64_t)db_int(stmt, 1), (uint64_t)db_int(stmt, 2),
                        (uint64_t)db_int(stmt, 3));
    }
    if (st == ST_OK && n_polls == bucket->n_polls && sum == bucket->sum)
        *ret_bucket = bucket;
    return st;
}

static struct cell cell_of(struct number number)
{
    return number.is_there ? cell_of_dec((struct dec){number.mant, number.exp, true}, STR_NONE)
                           : CELL_NONE;
}

enum st buckets_write(const struct buckets *b, const struct bucket *bucket, struct db *db,
                      int64_t *n_made, struct err *err)
{
    struct db_candle candle = {.step = (bucket->until_us - bucket->from_us) / US_PER_S,
                               .start_us = bucket->from_us,
                               .job_id = b->job_id};
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < bucket->n; i++) {
        const struct bucket_candle *c = &bucket->candles[i];
        const bool has_price = c->values[CANDLE_OPEN].is_there;
        if (c->n_rows == 0 && !has_price)
            continue;
        candle.coin_id = b->coin_ids[i];
        for (int k = 0; k < N_CANDLE_VALUES; k++)
            candle.values[k] = cell_of(c->values[k]);
        candle.first_at = has_price ? cell_of_time(c->first_us) : CELL_NONE;
        candle.last_at = has_price ? cell_of_time(c->last_us) : CELL_NONE;
        candle.n_rows = c->n_rows;
        candle.n_unpriced = c->n_unpriced;
        st = db_insert_candle(db, &candle, err);
        ++*n_made;
    }
    return st;
}
