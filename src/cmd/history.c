/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/history.h"

#include "base/clock.h"
#include "base/mem.h"
#include "load/sink.h"
#include "pipeline/setup.h"
#include "status/render.h"

#include <inttypes.h>
#include <stdio.h>

#define MAX_ANSWER ((size_t)16 * 1024 * 1024)
#define SINCE_US   (30 * 86400 * US_PER_S)
#define TIMEOUT_US (20 * US_PER_S) /* of a server that is away */
#define MAX_GAPS   5               /* shown of a job */

struct history {
    struct buf *b;
    struct query *query;
    struct arena arena;
    int64_t now_us;
    bool has_gaps;
};

/* The first sink that keeps polls; NULL query: there is none. */
static enum st open_store(const struct config *config, const char *data_dir,
                          struct query **ret_query, struct err *err)
{
    struct sink_url *urls = mem_new(STATUS_MAX_SINKS, sizeof(*urls));
    const struct sink_driver *driver;
    size_t n = 0;

    *ret_query = NULL;
    enum st st = setup_sinks(config, data_dir, urls, &n, err);
    for (size_t i = 0; st == ST_OK && *ret_query == NULL && i < n; i++) {
        st = sink_driver_find(str_of(urls[i].scheme), &driver, err);
        if (st == ST_OK && driver->open_query)
            st = driver->open_query(&urls[i], ret_query, err);
        if (st == ST_OK && *ret_query)
            (*ret_query)->timeout_us = TIMEOUT_US;
        if (st == ST_OK && *ret_query && !(*ret_query)->driver->spans) {
            (*ret_query)->driver->close(*ret_query);
            *ret_query = NULL;
        }
    }
    mem_free(urls);
    return st;
}

static void add_time(struct buf *b, const struct cell *time)
{
    char text[TIME_TEXT];

    time_format(time_floor(time->number, US_PER_S), text);
    buf_add_z(b, text);
}

static void add_gap(struct history *h, const struct cell *gap)
{
    const bool is_open = gap[GAP_UNTIL_SLOT].kind == CELL_NULL;
    const int64_t until_us = is_open ? h->now_us : gap[GAP_UNTIL_SLOT].number;

    buf_add_z(h->b, "  ");
    buf_add_clean(h->b, cell_text(&gap[GAP_JOB]), 64);
    buf_add_z(h->b, "  from ");
    add_time(h->b, &gap[GAP_FROM_SLOT]);
    if (is_open) {
        buf_add_z(h->b, " until now");
    } else {
        buf_add_z(h->b, " to ");
        add_time(h->b, &gap[GAP_UNTIL_SLOT]);
    }
    buf_add_z(h->b, " (");
    status_add_span(h->b, until_us - gap[GAP_FROM_SLOT].number);
    buf_add_z(h->b, ")\n");
}

static enum st add_gaps(struct history *h, struct str job, struct err *err)
{
    const struct gap_query args = {
        .job = job, .since_us = h->now_us - SINCE_US, .now_us = h->now_us};
    struct rows gaps;

    enum st st = h->query->driver->gaps(h->query, &args, &h->arena, &gaps, err);
    if (st != ST_OK || gaps.n == 0)
        return st;
    if (!h->has_gaps)
        buf_add_z(h->b, "\nGAPS   of the last 30 days\n");
    h->has_gaps = true;
    for (size_t i = 0; i < gaps.n && i < MAX_GAPS; i++)
        add_gap(h, rows_at(&gaps, i));
    if (gaps.n > MAX_GAPS)
        buf_addf(h->b, "  and %zu before\n", gaps.n - MAX_GAPS);
    return ST_OK;
}

static void add_spans(struct history *h, const struct rows *spans)
{
    buf_add_z(h->b, "\nVERSIONS   of the transform that made the rows\n");
    for (size_t i = 0; i < spans->n; i++) {
        const struct cell *span = rows_at(spans, i);
        buf_add_z(h->b, "  ");
        buf_add_clean(h->b, cell_text(&span[SPAN_JOB]), 64);
        buf_addf(h->b, "  %" PRId64 ": ", span[SPAN_TRANSFORM_VERSION].number);
        add_time(h->b, &span[SPAN_FIRST_SLOT]);
        buf_add_z(h->b, " to ");
        add_time(h->b, &span[SPAN_LAST_SLOT]);
        buf_addf(h->b, ", %" PRId64 " poll%s\n", span[SPAN_POLLS].number,
                 span[SPAN_POLLS].number == 1 ? "" : "s");
    }
}

/* The jobs are those that have rows: each once, as its spans stand together. */
static enum st add_all(struct history *h, struct err *err)
{
    struct rows spans;
    struct str job = STR_NONE;

    enum st st = h->query->driver->spans(h->query, &h->arena, &spans, err);
    for (size_t i = 0; st == ST_OK && i < spans.n; i++) {
        const struct str next = cell_text(&rows_at(&spans, i)[SPAN_JOB]);
        if (!str_eq(job, next))
            st = add_gaps(h, next, err);
        job = next;
    }
    if (st == ST_OK && spans.n > 0)
        add_spans(h, &spans);
    return st;
}

void history_add(struct buf *b, const struct config *config, const char *data_dir, int64_t now_us)
{
    struct history h = {.b = b, .now_us = now_us};
    struct err err = ERR_INIT;

    enum st st = open_store(config, data_dir, &h.query, &err);
    if (st == ST_OK && h.query) {
        arena_init(&h.arena, MAX_ANSWER);
        st = add_all(&h, &err);
        h.query->driver->close(h.query);
        arena_release(&h.arena);
    }
    if (st == ST_OK || st == ST_AGAIN) /* nothing is loaded yet, or just now it is locked */
        return;
    buf_add_z(b, "\nSTORE\n  ");
    buf_add_clean(b, str_of(err.msg), 400);
    buf_add_char(b, '\n');
}
