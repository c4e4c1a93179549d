/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/watch.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "transform/drift_track.h"
#include "transform/quality.h"

#include <pthread.h>
#include <stdio.h>

#define HOUR_US (3600 * US_PER_S)
#define OLD_US  (24 * HOUR_US) /* of before that nobody needs to be warned today */

struct watched {
    struct stream_id id;
    uint64_t newest; /* offset of the last poll that was told */
    struct drift_track track;
    int64_t hour_us;                   /* that the flags are of */
    uint32_t flagged[N_QUALITY_RULES]; /* rows */
};

struct watch {
    struct status *status;
    struct clock *clock;
    pthread_mutex_t lock; /* guards what is below */
    struct watched **streams;
    size_t n_streams;
};

struct watch *watch_new(struct status *status, struct clock *clock)
{
    struct watch *w = mem_new(1, sizeof(*w));

    w->status = status;
    w->clock = clock;
    pthread_mutex_init(&w->lock, NULL);
    return w;
}

void watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->n_streams; i++)
        mem_free(w->streams[i]);
    mem_free(w->streams);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
}

static struct watched *find(struct watch *w, const struct stream_id *id)
{
    for (size_t i = 0; i < w->n_streams; i++)
        if (memcmp(w->streams[i]->id.uuid, id->uuid, sizeof(id->uuid)) == 0)
            return w->streams[i];
    w->streams = mem_grow(w->streams, w->n_streams + 1, sizeof(struct watched *));
    struct watched *s = w->streams[w->n_streams++] = mem_new(1, sizeof(*s));
    s->id = *id;
    return s;
}

/* ---- drift ---- */

struct told {
    struct watch *watch;
    const struct watched *stream;
    int64_t slot_us;
};

static void on_drift(void *ctx, enum drift_change change, const struct drift_span *span)
{
    const struct told *told = ctx;
    const struct drift drift = drift_of_span(span);
    struct buf text = BUF_INIT(DRIFT_MAX_TEXT);
    char slot[TIME_TEXT];
    enum log_level level = change == DRIFT_ENDS ? LOG_INFO : LOG_WARN;

    if (clock_wall_us(told->watch->clock) - told->slot_us > OLD_US)
        level = LOG_DEBUG;
    if (change != DRIFT_ENDS)
        metric_add(METRIC_DRIFT, told->stream->id.job, drift_kinds[span->kind].name, 1);
    drift_write(&text, &drift, 1);
    time_format(told->slot_us, slot);
    log_event(level, "load",
              change == DRIFT_BEGINS ? "the API's answers drift"
              : change == DRIFT_ENDS ? "a drift of the API's answers is over"
                                     : "the API's answers changed",
              LOG_FIELDS(LOG_Z("job", told->stream->id.job), LOG_Z("drift", buf_z(&text)),
                         LOG_Z("slot", slot)));
    buf_release(&text);
}

/* ---- flags ---- */

static void count_flags(struct watched *s, const struct poll_rows *rows)
{
    int64_t hour_us = time_floor(rows->slot_us, HOUR_US);

    if (hour_us != s->hour_us)
        memset(s->flagged, 0, sizeof(s->flagged));
    s->hour_us = hour_us;
    for (size_t i = 0; i < rows->n_flags; i++) {
        s->flagged[rows->flags[i].rule]++;
        metric_add(METRIC_QUALITY_FLAGS, s->id.job, quality_rules[rows->flags[i].rule].name, 1);
    }
}

/* "stale 9, cap_mismatch 3" */
static void write_flagged(const struct watched *s, struct buf *b)
{
    for (size_t i = 0; i < N_QUALITY_RULES; i++)
        if (s->flagged[i] > 0)
            buf_addf(b, "%s%s %u", b->len > 0 ? ", " : "", quality_rules[i].name, s->flagged[i]);
}

/* ---- the snapshot ---- */

static void write_open(const struct drift_track *t, struct buf *b, int64_t *ret_since_us)
{
    struct drift open[DRIFT_MAX_OPEN];

    *ret_since_us = 0;
    for (size_t i = 0; i < t->n_open; i++) {
        open[i] = drift_of_span(&t->open[i]);
        if (*ret_since_us == 0 || t->open[i].first_us < *ret_since_us)
            *ret_since_us = t->open[i].first_us;
    }
    drift_write(b, open, t->n_open);
}

static void show(struct watch *w, const struct watched *s)
{
    struct buf drift = BUF_INIT(DRIFT_MAX_TEXT), flagged = BUF_INIT(1024);
    int64_t since_us;

    write_open(&s->track, &drift, &since_us);
    write_flagged(s, &flagged);
    struct status_snapshot *now = status_lock(w->status);
    for (size_t i = 0; i < now->n_jobs; i++) {
        struct status_job *job = &now->jobs[i];
        if (strcmp(job->name, s->id.job) != 0)
            continue;
        snprintf(job->drift, sizeof(job->drift), "%.511s", buf_z(&drift));
        snprintf(job->flagged, sizeof(job->flagged), "%.255s", buf_z(&flagged));
        job->drift_since_us = since_us;
    }
    status_unlock(w->status);
    buf_release(&drift);
    buf_release(&flagged);
}

void watch_poll(struct watch *w, const struct sink_load *load)
{
    if (load->rows == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    struct watched *s = find(w, load->stream);
    if (load->end->offset > s->newest) {
        struct told told = {.watch = w, .stream = s, .slot_us = load->end->slot_us};
        s->newest = load->end->offset;
        drift_track_poll(&s->track, load->rows, on_drift, &told);
        count_flags(s, load->rows);
        show(w, s);
    }
    pthread_mutex_unlock(&w->lock);
}
