/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/news.h"

#include "base/mem.h"
#include "serve/serve.h"
#include "status/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define MAX_MARKET     ((size_t)64 * 1024 * 1024) /* two answers of 17,000 coins */
#define MAX_TOLD       20 /* polls of a job at a time; of more, who watches is told to ask anew */
#define MAX_CURRENCIES STATUS_MAX_JOBS

/* A row as it was told. */
struct told_row {
    uint64_t id; /* its hash */
    int64_t fetched_us;
};

struct told_market {
    char vs_currency[32];
    int64_t known_us; /* when it was seen last, then */
    struct told_row *rows;
    struct str *ids; /* of them, in the same order, for the coins that go */
    char *id_bytes;
    size_t n;
    bool is_known;
};

struct told_job {
    char name[64];
    int64_t slot_us; /* of the last poll that was told */
};

struct news {
    struct query *query;
    struct serve *serve;
    bool is_past, is_watched;
    bool has_missed; /* something came that is in no event: it is made up for by a reset */
    struct arena arena;
    struct told_job jobs[STATUS_MAX_JOBS];
    size_t n_jobs;
    struct told_market markets[MAX_CURRENCIES];
    size_t n_markets;
};

static void forget_rows(struct told_market *m)
{
    mem_free(m->rows);
    mem_free(m->ids);
    mem_free(m->id_bytes);
    m->rows = NULL;
    m->ids = NULL;
    m->id_bytes = NULL;
    m->n = 0;
}

static void forget(struct news *n)
{
    for (size_t i = 0; i < n->n_markets; i++)
        forget_rows(&n->markets[i]);
    n->n_markets = n->n_jobs = 0;
}

/* Whoever watches asks for everything. */
static void tell_reset(struct news *n)
{
    const struct serve_loaded loaded = {.vs_currency = "", .is_behind = true};

    serve_tell(n->serve, &loaded);
    n->has_missed = false;
}

/* ---- polls ---- */

/* NULL: there are too many. *ret_is_new: nothing was told of it before. */
static struct told_job *find_job(struct news *n, struct str name, bool *ret_is_new)
{
    *ret_is_new = false;
    for (size_t i = 0; i < n->n_jobs; i++)
        if (str_eq(str_of(n->jobs[i].name), name))
            return &n->jobs[i];
    if (n->n_jobs == STATUS_MAX_JOBS)
        return NULL;
    struct told_job *job = &n->jobs[n->n_jobs++];
    *job = (struct told_job){.slot_us = INT64_MIN};
    snprintf(job->name, sizeof(job->name), "%.*s", STR_ARG(name));
    *ret_is_new = true;
    return job;
}

/* The oldest first; the store has the newest first, and may have more than were asked for. */
static void tell_polls(struct news *n, struct told_job *job, const struct rows *polls)
{
    const bool is_more = polls->n > MAX_TOLD;

    if (is_more && rows_at(polls, MAX_TOLD)[POLL_COLUMN_SLOT].number > job->slot_us)
        n->has_missed = true;
    for (size_t i = is_more ? MAX_TOLD : polls->n; i > 0; i--) {
        const struct cell *poll = rows_at(polls, i - 1);
        const struct serve_loaded loaded = {.poll = poll, .vs_currency = ""};
        if (poll[POLL_COLUMN_SLOT].number <= job->slot_us)
            continue;
        serve_tell(n->serve, &loaded);
        job->slot_us = poll[POLL_COLUMN_SLOT].number;
    }
}

static enum st look_at_job(struct news *n, const struct cell *row, struct err *err)
{
    struct poll_query args = {
        .job = cell_text(&row[KNOWN_JOB_NAME]), .before_us = INT64_MAX, .limit = MAX_TOLD + 1};
    struct rows polls = {.n = 0};
    bool is_new;

    if (row[KNOWN_JOB_SLOT].kind == CELL_NULL)
        return ST_OK;
    struct told_job *job = find_job(n, args.job, &is_new);
    if (!job || row[KNOWN_JOB_SLOT].number <= job->slot_us)
        return ST_OK;
    if (is_new) {
        job->slot_us = row[KNOWN_JOB_SLOT].number;
        n->has_missed = true;
        return ST_OK;
    }
    enum st st = n->query->driver->polls(n->query, &args, &n->arena, &polls, err);
    if (st == ST_OK)
        tell_polls(n, job, &polls);
    arena_reset(&n->arena);
    return st;
}

/* ---- rows ---- */

static uint64_t hash_id(struct str id)
{
    return XXH3_64bits(id.p, id.len);
}

static int by_id(const void *a, const void *b)
{
    const uint64_t left = ((const struct told_row *)a)->id,
                   right = ((const struct told_row *)b)->id;

    return (left > right) - (left < right);
}

static const struct told_row *find_row(const struct told_row *rows, size_t n, uint64_t id)
{
    const struct told_row key = {.id = id};

    return n > 0 ? bsearch(&key, rows, n, sizeof(*rows), by_id) : NULL;
}

/* Keep the rows as they were told; without memory none are, and the next look begins anew. */
static void keep(struct told_market *m, const struct rows *rows)
{
    size_t n_bytes = 0, at = 0;

    forget_rows(m);
    for (size_t i = 0; i < rows->n; i++)
        n_bytes += cell_text(&rows_at(rows, i)[MARKET_ID]).len;
    m->rows = mem_try(NULL, (rows->n + 1) * sizeof(*m->rows));
    m->ids = mem_try(NULL, (rows->n + 1) * sizeof(*m->ids));
    m->id_bytes = mem_try(NULL, n_bytes + 1);
    m->is_known = m->rows && m->ids && m->id_bytes;
    if (!m->is_known) {
        forget_rows(m);
        return;
    }
    m->n = rows->n;
    for (size_t i = 0; i < rows->n; i++) {
        const struct cell *row = rows_at(rows, i);
        const struct str id = cell_text(&row[MARKET_ID]);
        memcpy(m->id_bytes + at, id.p, id.len);
        m->ids[i] = (struct str){m->id_bytes + at, id.len};
        at += id.len;
        m->rows[i] = (struct told_row){hash_id(id), row[MARKET_FETCHED_AT].number};
    }
    qsort(m->rows, m->n, sizeof(*m->rows), by_id);
}

static enum st tell_rows(struct news *n, const struct told_market *m, const struct rows *rows,
                         struct err *err)
{
    struct serve_loaded loaded = {.vs_currency = m->vs_currency, .rows = rows};
    bool *is_unchanged = arena_zalloc(&n->arena, rows->n + 1, sizeof(*is_unchanged));
    struct told_row *now = arena_alloc(&n->arena, rows->n + 1, sizeof(*now));
    struct str *absent = arena_alloc(&n->arena, m->n + 1, sizeof(*absent));

    if (!is_unchanged || !now || !absent)
        return err_set(err, ST_AGAIN, "the market needs more than %zu bytes", n->arena.max);
    for (size_t i = 0; i < rows->n; i++) {
        const struct cell *row = rows_at(rows, i);
        now[i] =
            (struct told_row){hash_id(cell_text(&row[MARKET_ID])), row[MARKET_FETCHED_AT].number};
        const struct told_row *before = find_row(m->rows, m->n, now[i].id);
        is_unchanged[i] = before && before->fetched_us == now[i].fetched_us;
    }
    qsort(now, rows->n, sizeof(*now), by_id);
    for (size_t i = 0; i < m->n; i++)
        if (!find_row(now, rows->n, hash_id(m->ids[i])))
            absent[loaded.n_absent++] = m->ids[i];
    loaded.is_unchanged = is_unchanged;
    loaded.absent = absent;
    serve_tell(n->serve, &loaded);
    return ST_OK;
}

static struct told_market *find_market(struct news *n, struct str currency)
{
    for (size_t i = 0; i < n->n_markets; i++)
        if (str_eq(str_of(n->markets[i].vs_currency), currency))
            return &n->markets[i];
    if (currency.len == 0 || n->n_markets == MAX_CURRENCIES)
        return NULL;
    struct told_market *m = &n->markets[n->n_markets++];
    *m = (struct told_market){.is_known = false};
    snprintf(m->vs_currency, sizeof(m->vs_currency), "%.*s", STR_ARG(currency));
    return m;
}

static enum st look_at_market(struct news *n, struct str currency, struct err *err)
{
    struct told_market *m = find_market(n, currency);
    struct rows rows = {.n = 0};
    int64_t known_us = 0;

    if (!m)
        return ST_OK;
    const struct market_query args = {.vs_currency = str_of(m->vs_currency), .page = 1};
    enum st st = n->query->driver->known_at(n->query, args.vs_currency, &known_us, err);
    if (st != ST_OK || (m->is_known && known_us == m->known_us))
        return st;
    st = n->query->driver->market(n->query, &args, &n->arena, &rows, err);
    if (st == ST_OK && m->is_known)
        st = tell_rows(n, m, &rows, err);
    else if (st == ST_OK)
        n->has_missed = true;
    if (st == ST_OK) {
        keep(m, &rows);
        m->known_us = known_us;
    }
    arena_reset(&n->arena);
    return st;
}

/* ---- life ---- */

struct news *news_new(struct query *query, struct serve *serve, bool is_past)
{
    struct news *n = mem_new(1, sizeof(*n));

    n->query = query;
    n->serve = serve;
    n->is_past = is_past;
    arena_init(&n->arena, MAX_MARKET);
    return n;
}

void news_free(struct news *n)
{
    if (!n)
        return;
    forget(n);
    arena_release(&n->arena);
    mem_free(n);
}

enum st news_look(struct news *n, const struct rows *jobs, struct err *err)
{
    const bool was_watched = n->is_watched;
    enum st st = ST_OK;

    n->is_watched = serve_is_watched(n->serve);
    if (!n->is_watched) {
        if (was_watched)
            forget(n);
        return ST_OK;
    }
    if (!was_watched)
        n->has_missed = true; /* what came before the first look */
    for (size_t i = 0; st == ST_OK && i < jobs->n; i++) {
        const struct cell *row = rows_at(jobs, i);
        if (!n->is_past)
            st = look_at_job(n, row, err);
        if (st == ST_OK)
            st = look_at_market(n, cell_text(&row[KNOWN_JOB_VS_CURRENCY]), err);
    }
    if (n->has_missed && st == ST_OK)
        tell_reset(n);
    return st;
}
