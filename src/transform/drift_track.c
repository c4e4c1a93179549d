/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/drift_track.h"

static void copy(char *to, size_t size, struct str from)
{
    if (from.len > size - 1) {
        from.len = size - 1;
        from.len = str_utf8_prefix(from);
    }
    if (from.len > 0)
        memcpy(to, from.p, from.len);
    to[from.len] = '\0';
}

static struct drift_span span_of(const struct drift *d, int64_t slot_us)
{
    struct drift_span span = {
        .kind = d->kind, .is_event = d->is_event, .first_us = slot_us, .last_us = slot_us};

    span.n_polls = 1;
    copy(span.field, sizeof(span.field), d->field);
    copy(span.from, sizeof(span.from), d->from);
    copy(span.to, sizeof(span.to), d->to);
    return span;
}

struct drift drift_of_span(const struct drift_span *span)
{
    return (struct drift){.kind = span->kind,
                          .is_event = span->is_event,
                          .field = str_of(span->field),
                          .from = str_of(span->from),
                          .to = str_of(span->to)};
}

/* Names that are longer than a span holds are compared as it holds them. */
static bool is_name(const char *name, struct str field)
{
    char cut[DRIFT_MAX_NAME];

    copy(cut, sizeof(cut), field);
    return strcmp(name, cut) == 0;
}

/* A state goes by its kind and field; what it became may vary from poll to poll. */
static bool has(const struct poll_rows *poll, enum drift_kind kind, const char *field)
{
    for (size_t i = 0; i < poll->n_drifts; i++) {
        const struct drift *d = &poll->drifts[i];
        if (!d->is_event && d->kind == kind && is_name(field, d->field))
            return true;
    }
    return false;
}

/* A field that was renamed is, in the polls after that, one that is missing and one that is new. */
static bool lasts(const struct drift_span *span, const struct poll_rows *poll)
{
    if (span->kind != DRIFT_RENAMED)
        return has(poll, span->kind, span->field);
    return has(poll, DRIFT_MISSING, span->field) && has(poll, DRIFT_NEW, span->to);
}

/* Is it told of already? As itself, or as half of a rename. */
static bool is_open(const struct drift_track *t, const struct drift *d)
{
    for (size_t i = 0; i < t->n_open; i++) {
        const struct drift_span *span = &t->open[i];
        bool is_renamed = span->kind == DRIFT_RENAMED;
        if (is_name(span->field, d->field) &&
            (span->kind == d->kind || (is_renamed && d->kind == DRIFT_MISSING)))
            return true;
        if (is_renamed && d->kind == DRIFT_NEW && is_name(span->to, d->field))
            return true;
    }
    return false;
}

/* A rename is one too, though only one poll tells of it. */
static bool is_state(const struct drift *d)
{
    return !d->is_event || d->kind == DRIFT_RENAMED;
}

void drift_track_poll(struct drift_track *t, const struct poll_rows *poll,
                      void (*tell)(void *ctx, enum drift_change change,
                                   const struct drift_span *span),
                      void *ctx)
{
    size_t n = 0;

    if (poll->rows_in == 0)
        return;
    for (size_t i = 0; i < t->n_open; i++) {
        struct drift_span *span = &t->open[i];
        if (!lasts(span, poll)) {
            tell(ctx, DRIFT_ENDS, span);
            continue;
        }
        span->last_us = poll->slot_us;
        span->n_polls++;
        if (n++ != i)
            t->open[n - 1] = *span;
    }
    t->n_open = n;
    for (size_t i = 0; i < poll->n_drifts; i++) {
        const struct drift_span span = span_of(&poll->drifts[i], poll->slot_us);
        if (!is_state(&poll->drifts[i])) {
            tell(ctx, DRIFT_HAPPENS, &span);
        } else if (!is_open(t, &poll->drifts[i]) && t->n_open < DRIFT_MAX_OPEN) {
            t->open[t->n_open++] = span;
            tell(ctx, DRIFT_BEGINS, &span);
        }
    }
}
