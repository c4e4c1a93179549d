/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/drift_history.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>

#define QUIET_US (3 * 86400 * US_PER_S) /* after which it is another change */

void drift_history_init(struct drift_history *h)
{
    *h = (struct drift_history){.track = mem_new(1, sizeof(*h->track))};
}

void drift_history_release(struct drift_history *h)
{
    mem_free(h->lines);
    mem_free(h->track);
    *h = (struct drift_history){.lines = NULL};
}

void drift_history_begin(struct drift_history *h, struct str job)
{
    h->job = job;
    h->first = h->n;
    h->track->n_open = 0;
}

/* Events go by kind and field; what they led to differs each time. */
static bool is_same(const struct drift_span *a, const struct drift_span *b)
{
    return a->kind == b->kind && a->is_event == b->is_event && strcmp(a->field, b->field) == 0 &&
           (a->kind != DRIFT_RENAMED || strcmp(a->to, b->to) == 0);
}

/* The line of the stream that this goes on with; NULL: none. */
static struct drift_line *find(const struct drift_history *h, const struct drift_span *span)
{
    for (size_t i = h->n; i > h->first; i--) {
        struct drift_line *line = &h->lines[i - 1];
        if (is_same(&line->span, span) && span->first_us - line->span.last_us <= QUIET_US)
            return line;
    }
    return NULL;
}

/* Once more, or for the first time. */
static void add(struct drift_history *h, const struct drift_span *span)
{
    struct drift_line *line = find(h, span);

    if (line != NULL) {
        line->n_times++;
        return;
    }
    if (h->n == DRIFT_MAX_LINES) {
        h->n_left_out++;
        return;
    }
    if (h->n == h->room) {
        h->room = h->room > 0 ? 2 * h->room : 64;
        h->lines = mem_grow(h->lines, h->room, sizeof(*h->lines));
    }
    h->lines[h->n] = (struct drift_line){.job = h->job, .span = *span, .n_times = 1};
    h->lines[h->n++].span.n_polls = 0;
}

/* It went on so far. */
static void extend(struct drift_history *h, const struct drift_span *span, bool lasts)
{
    struct drift_line *line = find(h, span);

    if (line == NULL)
        return; /* it was left out */
    line->span.last_us = span->last_us;
    line->span.n_polls += span->n_polls;
    line->lasts = lasts;
}

static void on_drift(void *ctx, enum drift_change change, const struct drift_span *span)
{
    struct drift_history *h = ctx;

    if (change != DRIFT_ENDS)
        add(h, span);
    if (change != DRIFT_BEGINS)
        extend(h, span, false);
}

void drift_history_poll(struct drift_history *h, const struct poll_rows *poll)
{
    h->n_polls++;
    drift_track_poll(h->track, poll, on_drift, h);
}

void drift_history_end(struct drift_history *h)
{
    for (size_t i = 0; i < h->track->n_open; i++)
        extend(h, &h->track->open[i], true);
    h->track->n_open = 0;
}

static int compare(const void *a, const void *b)
{
    const struct drift_line *x = a, *y = b;

    if (x->span.first_us != y->span.first_us)
        return x->span.first_us < y->span.first_us ? -1 : 1;
    int by_job = str_cmp(x->job, y->job);
    if (by_job != 0)
        return by_job;
    return x->span.kind != y->span.kind ? (int)x->span.kind - (int)y->span.kind
                                        : strcmp(x->span.field, y->span.field);
}

void drift_history_sort(struct drift_history *h)
{
    if (h->n > 0)
        qsort(h->lines, h->n, sizeof(*h->lines), compare);
}
