/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/lacks.h"

#include "base/mem.h"

#include <stdlib.h>

#define MAX_ARENA  ((size_t)512 * 1024 * 1024)
#define TIMEOUT_US (60 * US_PER_S)

/* A coin in a job: what its polls did not show of it. Spans are sorted and do not touch. */
struct member {
    struct str coin;
    struct span *spans;
    size_t n;
};

struct finder {
    struct lacks *lacks;
    struct query *query;
    struct span within;
    struct member *members; /* of all jobs */
    size_t n, max;
};

static enum st no_room(struct err *err)
{
    return err_set(err, ST_AGAIN, "no memory for what was not seen; name fewer coins");
}

static enum st open_store(struct pipeline *p, struct query **ret_query, struct err *err)
{
    for (size_t i = 0; p->sinks && i < STATUS_MAX_SINKS; i++) {
        const struct sink_url *url = sinks_at(p->sinks, i);
        const struct sink_driver *driver;
        if (url == NULL)
            continue;
        enum st st = sink_driver_find(str_of(url->scheme), &driver, err);
        if (st != ST_OK)
            return st;
        if (driver->open_query == NULL)
            continue;
        st = driver->open_query(url, ret_query, err);
        if (st != ST_OK)
            return st;
        (*ret_query)->timeout_us = TIMEOUT_US;
        if ((*ret_query)->driver->members && (*ret_query)->driver->gaps &&
            (*ret_query)->driver->jobs)
            return ST_OK;
        (*ret_query)->driver->close(*ret_query);
        *ret_query = NULL;
    }
    return err_set(err, ST_REJECT,
                   "--gaps: no sink here knows what was polled; sqlite: and "
                   "postgres: do");
}

/* The part of a gap or an absence that is within; an open one lasts until its end. */
static bool clip(const struct span *within, const struct cell *from, const struct cell *until,
                 struct span *ret)
{
    *ret = (struct span){from->number, until->kind == CELL_NULL ? within->until_us : until->number};
    if (ret->from_us < within->from_us)
        ret->from_us = within->from_us;
    if (ret->until_us > within->until_us)
        ret->until_us = within->until_us;
    return ret->from_us < ret->until_us;
}

static int compare_spans(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    return (x->from_us > y->from_us) - (x->from_us < y->from_us);
}

/* Sort, and join what touches. */
static size_t join_spans(struct span *spans, size_t n)
{
    size_t kept = 0;

    if (n > 0)
        qsort(spans, n, sizeof(*spans), compare_spans);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && spans[i].from_us <= spans[kept - 1].until_us) {
            if (spans[i].until_us > spans[kept - 1].until_us)
                spans[kept - 1].until_us = spans[i].until_us;
        } else {
            spans[kept++] = spans[i];
        }
    }
    return kept;
}

/* The coin whose rows stand at [from, end): the job's gaps, and its own absences that have ended.
 */
static enum st add_member(struct finder *f, const struct rows *rows, size_t from, size_t end,
                          const struct span *gaps, size_t n_gaps, struct err *err)
{
    struct span *spans = arena_alloc(&f->lacks->arena, n_gaps + (end - from), sizeof(*spans));
    size_t n = n_gaps;

    if (spans == NULL)
        return no_room(err);
    if (n > 0)
        memcpy(spans, gaps, n * sizeof(*spans));
    for (size_t i = from; i < end; i++) {
        const struct cell *row = rows_at(rows, i);
        if (row[MEMBER_FROM_SLOT].kind != CELL_NULL && row[MEMBER_UNTIL_SLOT].kind != CELL_NULL &&
            clip(&f->within, &row[MEMBER_FROM_SLOT], &row[MEMBER_UNTIL_SLOT], &spans[n]))
            n++;
    }
    if (f->n == f->max) {
        f->max = f->max > 0 ? 2 * f->max : 1024;
        f->members = mem_grow(f->members, f->max, sizeof(*f->members));
    }
    f->members[f->n++] = (struct member){
        .coin = cell_text(&rows_at(rows, from)[MEMBER_COIN]), spans, join_spans(spans, n)};
    return ST_OK;
}

static enum st add_job(struct finder *f, struct str job, struct err *err)
{
    struct arena *arena = &f->lacks->arena;
    const struct gap_query args = {
        .job = job, .since_us = f->within.from_us, .now_us = f->within.until_us};
    struct rows gaps = {.n = 0}, members = {.n = 0};
    size_t n = 0;

    enum st st = f->query->driver->gaps(f->query, &args, arena, &gaps, err);
    if (st == ST_OK)
        st = f->query->driver->members(f->query, &args, arena, &members, err);
    struct span *spans = arena_alloc(arena, gaps.n + 1, sizeof(*spans));
    if (st == ST_OK && spans == NULL)
        st = no_room(err);
    for (size_t i = 0; st == ST_OK && i < gaps.n; i++) {
        const struct cell *gap = rows_at(&gaps, i);
        n += clip(&f->within, &gap[GAP_FROM_SLOT], &gap[GAP_UNTIL_SLOT], &spans[n]);
    }
    f->lacks->n_gaps += n;
    for (size_t from = 0, end; st == ST_OK && from < members.n; from = end) {
        const struct str coin = cell_text(&rows_at(&members, from)[MEMBER_COIN]);
        for (end = from + 1; end < members.n; end++)
            if (!str_eq(coin, cell_text(&rows_at(&members, end)[MEMBER_COIN])))
                break;
        st = add_member(f, &members, from, end, spans, n, err);
    }
    return st;
}

static int compare_members(const void *a, const void *b)
{
    return str_cmp(((const struct member *)a)->coin, ((const struct member *)b)->coin);
}

/* What both lack, into a. */
static enum st intersect(struct finder *f, struct member *a, const struct member *b,
                         struct err *err)
{
    struct span *both = arena_alloc(&f->lacks->arena, a->n + b->n + 1, sizeof(*both));
    size_t i = 0, k = 0, n = 0;

    if (both == NULL)
        return no_room(err);
    while (i < a->n && k < b->n) {
        const struct span x = a->spans[i], y = b->spans[k];
        const struct span s = {x.from_us > y.from_us ? x.from_us : y.from_us,
                               x.until_us < y.until_us ? x.until_us : y.until_us};
        if (s.from_us < s.until_us)
            both[n++] = s;
        i += x.until_us <= y.until_us;
        k += y.until_us <= x.until_us;
    }
    a->spans = both;
    a->n = n;
    return ST_OK;
}

static bool is_wanted(struct str coins, struct str coin)
{
    struct str one;

    if (coins.len == 0)
        return true;
    while (coins.len > 0) {
        str_cut(&coins, '\n', &one);
        if (str_eq(one, coin))
            return true;
    }
    return false;
}

static enum st add_lacks(struct finder *f, const struct member *m, struct err *err)
{
    struct lacks *lacks = f->lacks;
    const char *coin = arena_str(&lacks->arena, m->coin).p;

    if (coin == NULL)
        return no_room(err);
    lacks->n_coins++;
    lacks->all = m->n > 0 ? mem_grow(lacks->all, lacks->n + m->n, sizeof(*lacks->all)) : lacks->all;
    for (size_t i = 0; i < m->n; i++)
        lacks->all[lacks->n++] = (struct lack){coin, m->spans[i]};
    return ST_OK;
}

/* One coin after the other, over the jobs that have it. */
static enum st gather(struct finder *f, struct str coins, struct err *err)
{
    enum st st = ST_OK;

    if (f->n > 0)
        qsort(f->members, f->n, sizeof(*f->members), compare_members);
    for (size_t i = 0; st == ST_OK && i < f->n;) {
        struct member *m = &f->members[i++];
        for (; st == ST_OK && i < f->n && str_eq(m->coin, f->members[i].coin); i++)
            st = intersect(f, m, &f->members[i], err);
        if (st == ST_OK && is_wanted(coins, m->coin))
            st = add_lacks(f, m, err);
    }
    return st;
}

static enum st check_coins(const struct finder *f, struct str coins, struct err *err)
{
    struct str one;

    while (coins.len > 0) {
        str_cut(&coins, '\n', &one);
        const struct member wanted = {.coin = one};
        if (one.len > 0 && (f->n == 0 || bsearch(&wanted, f->members, f->n, sizeof(*f->members),
                                                 compare_members) == NULL))
            return err_set(err, ST_REJECT,
                           "%.*s: no job collects it, so it has no gaps; backfill without --gaps "
                           "fetches its past",
                           STR_ARG(one));
    }
    return ST_OK;
}

static enum st find(struct finder *f, struct str coins, const char *vs, struct err *err)
{
    struct rows jobs = {.n = 0};
    size_t n = 0;

    enum st st = f->query->driver->jobs(f->query, &f->lacks->arena, &jobs, err);
    for (size_t i = 0; st == ST_OK && i < jobs.n; i++) {
        const struct cell *job = rows_at(&jobs, i);
        if (!str_eq(cell_text(&job[KNOWN_JOB_ENDPOINT]), STR("coins/markets")) ||
            !str_eq(cell_text(&job[KNOWN_JOB_VS_CURRENCY]), str_of(vs)))
            continue;
        st = add_job(f, cell_text(&job[KNOWN_JOB_NAME]), err);
        n++;
    }
    if (st == ST_OK && n == 0)
        return err_set(err, ST_REJECT, "--gaps: no job collects coins/markets in %.24s here", vs);
    if (st == ST_OK)
        st = gather(f, coins, err);
    return st == ST_OK ? check_coins(f, coins, err) : st;
}

enum st lacks_find(struct pipeline *p, const char *coins, const char *vs, struct span within,
                   struct lacks *ret_lacks, struct err *err)
{
    struct finder f = {.lacks = ret_lacks, .within = within};

    *ret_lacks = (struct lacks){.n = 0};
    arena_init(&ret_lacks->arena, MAX_ARENA);
    enum st st = open_store(p, &f.query, err);
    if (st != ST_OK)
        return st;
    st = find(&f, str_of(coins), vs, err);
    f.query->driver->close(f.query);
    mem_free(f.members);
    return st;
}

void lacks_release(struct lacks *lacks)
{
    mem_free(lacks->all);
    arena_release(&lacks->arena);
    *lacks = (struct lacks){.n = 0};
}
