/* SPDX-License-Identifier: Apache-2.0 */
#include "load/loader_inner.h"

#include <stdio.h>

/* A batch as it is planned, and what became of it. */
struct plan {
    struct sink_stored polls[LOADER_MAX_BATCH_POLLS];
    size_t n;
    size_t first; /* those before are done with: missing, or refused */
    size_t n_rows;
    bool is_begun; /* in the sink */
};

/* ---- what other threads see ---- */

enum st loader_replay_start(struct loader *l, const struct loader_replay *what, struct err *err)
{
    struct replay *r = &l->replay;
    const struct sink_driver *driver;
    bool is_known = what->job[0] == '\0';

    enum st st = sink_driver_find(str_of(l->url->scheme), &driver, err);
    if (st != ST_OK)
        return st;
    if (driver->replay == NULL)
        return err_set(err, ST_REJECT,
                       "%s: what this sink holds cannot be made anew; load the tape into a new one",
                       l->url->shown);
    for (size_t i = 0; i < atomic_load(&l->n_tapes); i++)
        is_known |= strcmp(l->tapes[i]->job, what->job) == 0;
    if (!is_known)
        return err_set(err, ST_REJECT, "job %s has no tape here; geckotape tape ls shows those",
                       what->job);
    pthread_mutex_lock(&l->lock);
    if (r->is_over || atomic_load(&l->is_stopping)) {
        st = err_set(err, ST_AGAIN, "%s: this sink is not at work", l->url->shown);
    } else if (r->progress.is_running) {
        st = err_set(err, ST_AGAIN, "%s: another replay is running; wait for its end",
                     l->url->shown);
    } else {
        r->what = *what;
        r->progress = (struct loader_replay_progress){.is_running = true};
        r->is_cancelled = false;
        loader_wake_up(l);
    }
    pthread_mutex_unlock(&l->lock);
    return st;
}

void loader_replay_progress(struct loader *l, struct loader_replay_progress *ret)
{
    pthread_mutex_lock(&l->lock);
    *ret = l->replay.progress;
    pthread_mutex_unlock(&l->lock);
}

void loader_replay_cancel(struct loader *l)
{
    pthread_mutex_lock(&l->lock);
    l->replay.is_cancelled = true;
    loader_wake_up(l);
    pthread_mutex_unlock(&l->lock);
}

/* Is there a replay to go on with? One that was cancelled is ended. */
static bool is_wanted(struct loader *l, bool *ret_is_cancelled)
{
    pthread_mutex_lock(&l->lock);
    bool is_running = l->replay.progress.is_running;
    *ret_is_cancelled = l->replay.is_cancelled;
    pthread_mutex_unlock(&l->lock);
    return is_running;
}

/* ---- the loader's thread ---- */

/* Let go of the stream at hand. */
static void leave_tape(struct replay *r)
{
    if (r->reader == NULL)
        return;
    tape_reader_close(r->reader);
    gather_release(&r->gather);
    r->reader = NULL;
}

static void end(struct loader *l, enum st st, const char *why)
{
    struct replay *r = &l->replay;

    leave_tape(r);
    r->is_begun = false;
    pthread_mutex_lock(&l->lock);
    if (r->progress.is_running) {
        r->progress.is_running = false;
        r->progress.is_done = true;
        r->progress.st = st;
        snprintf(r->progress.error, sizeof(r->progress.error), "%s", why);
    }
    pthread_mutex_unlock(&l->lock);
}

void replay_end(struct loader *l, enum st st, const struct err *err)
{
    pthread_mutex_lock(&l->lock);
    l->replay.is_over = true;
    pthread_mutex_unlock(&l->lock);
    end(l, st == ST_OK ? ST_AGAIN : st,
        st == ST_OK ? "the process stops; the same replay goes on when it is started again"
                    : err->msg);
}

static struct loader_tape *tape_at(struct loader *l, size_t i)
{
    struct loader_tape *t = l->tapes[i];
    bool is_meant = l->replay.what.job[0] == '\0' || strcmp(l->replay.what.job, t->job) == 0;

    return is_meant ? t : NULL;
}

/* Attach where that is not done; *ret_is_there is false for a stream without a record. */
static enum st meet_tape(struct loader *l, struct loader_tape *t, bool *ret_is_there,
                         struct err *err)
{
    struct err why = ERR_INIT;
    enum st st = t->is_attached ? ST_OK : loader_tape_attach(l, t, &why);

    *ret_is_there = t->is_known;
    if (st == ST_OK || (!t->is_known && loader_tape_is_at_end(st, &why)))
        return ST_OK;
    *err = why;
    return st;
}

static struct sink_replay replay_of(const struct loader *l, const struct loader_tape *t)
{
    const struct loader_replay *what = &l->replay.what;

    return (struct sink_replay){.stream = &t->id,
                                .since_us = what->since_us,
                                .until_us = what->until_us,
                                .below = t->position.offset,
                                .is_forced = what->is_forced};
}

/* Count what there is to do on all streams. */
static enum st begin(struct loader *l, struct err *err)
{
    struct replay *r = &l->replay;
    struct sink_stored_counts sum = {0}, counts;
    enum st st = ST_OK;
    bool is_there;

    for (size_t i = 0; st == ST_OK && i < l->n_tapes; i++) {
        struct loader_tape *t = tape_at(l, i);
        if (t == NULL)
            continue;
        st = meet_tape(l, t, &is_there, err);
        if (st != ST_OK || !is_there)
            continue;
        const struct sink_replay what = replay_of(l, t);
        st = l->driver->replay->count(&l->sink, &what, &counts, err);
        sum.n_due += counts.n_due;
        sum.n_current += counts.n_current;
        sum.n_other += counts.n_other;
    }
    if (st != ST_OK)
        return st;
    pthread_mutex_lock(&l->lock);
    r->progress.n_due = sum.n_due;
    r->progress.n_current = sum.n_current;
    r->progress.n_other = sum.n_other;
    pthread_mutex_unlock(&l->lock);
    r->is_begun = true;
    r->tape = 0;
    r->limit = 0;
    r->done = (struct sink_stored){.slot_us = r->what.since_us};
    return ST_OK;
}

static void go_to_next_tape(struct loader *l)
{
    struct replay *r = &l->replay;

    leave_tape(r);
    r->tape++;
    r->limit = 0;
    r->done = (struct sink_stored){.slot_us = r->what.since_us};
}

/* A poll stays as it is. */
static void leave_alone(struct loader *l, const struct sink_stored *poll, bool is_missing,
                        const char *why)
{
    struct loader_replay_progress *p = &l->replay.progress;

    l->replay.done = *poll;
    pthread_mutex_lock(&l->lock);
    p->n_done++;
    p->n_missing += is_missing;
    p->n_refused += !is_missing;
    if (!is_missing && p->first_refusal[0] == '\0')
        snprintf(p->first_refusal, sizeof(p->first_refusal), "offset %llu: %s",
                 (unsigned long long)poll->end_offset, why);
    pthread_mutex_unlock(&l->lock);
}

/* The poll at `at` cannot be made anew. Within a batch: undo that, and end it in front of the poll
 * next time. */
static void stop_at(struct loader *l, struct loader_tape *t, struct plan *plan, size_t at,
                    bool is_missing, const char *why)
{
    bool is_first = at == plan->first;

    if (plan->is_begun)
        t->is_attached = false; /* attaching undoes what is not committed */
    if (is_first)
        leave_alone(l, &plan->polls[at], is_missing, why);
    else
        l->replay.limit = at - plan->first;
    plan->first = is_first && !plan->is_begun ? at + 1 : plan->n;
}

/* Read the poll; NULL: it was dealt with. */
static enum st read_poll(struct loader *l, struct loader_tape *t, struct plan *plan, size_t at,
                         struct gathered **ret_poll, struct err *err)
{
    const struct sink_stored *stored = &plan->polls[at];
    struct gathered *poll = NULL;
    struct err why = ERR_INIT;

    *ret_poll = NULL;
    enum st st = gather_poll(&l->replay.gather, stored->end_offset, &poll, &why);
    if (st != ST_OK && st != ST_REJECT) {
        *err = why;
        return st;
    }
    if (st == ST_REJECT || poll->is_lost || poll->end.slot_us != stored->slot_us)
        stop_at(l, t, plan, at, true, "");
    else if (!poll->has_rows && stored->has_rows)
        stop_at(l, t, plan, at, false, poll->error.p);
    else
        *ret_poll = poll;
    return ST_OK;
}

static enum st replace(struct loader *l, struct loader_tape *t, struct plan *plan, size_t at,
                       const struct gathered *poll, struct err *err)
{
    const struct sink_replay_driver *driver = l->driver->replay;
    const struct sink_replay what = replay_of(l, t);
    const struct sink_load load = {.stream = &t->id,
                                   .end = &poll->end,
                                   .pages = poll->pages,
                                   .n_pages = poll->n_pages,
                                   .rows = poll->has_rows ? &poll->rows : NULL,
                                   .error = poll->error,
                                   .old = t->position,
                                   .new = t->position,
                                   .is_last = at + 1 == plan->n};
    struct sink_result result;
    struct err why = ERR_INIT;
    enum st st = ST_OK;

    if (!plan->is_begun)
        st = driver->begin(&l->sink, &what, plan->polls + at, plan->n - at, &why);
    plan->is_begun = true;
    if (st == ST_OK)
        st = driver->replace(&l->sink, &load, &result, &why);
    if (st == ST_OK)
        plan->n_rows += poll->has_rows ? poll->rows.rows.n : 0;
    if (st == ST_REJECT) {
        stop_at(l, t, plan, at, false, why.msg);
        return ST_OK;
    }
    if (st == ST_AGAIN && why.sys == SINK_OVERTAKEN && !l->replay.was_overtaken) {
        l->replay.was_overtaken = true;
        t->is_attached = false;
        plan->first = plan->n; /* the same again */
        return ST_OK;
    }
    if (st != ST_OK)
        *err = why;
    return st;
}

/* The batch is committed. */
static void note_batch(struct loader *l, const struct plan *plan)
{
    struct replay *r = &l->replay;

    r->done = plan->polls[plan->n - 1];
    r->limit = 0;
    r->was_overtaken = false;
    pthread_mutex_lock(&l->lock);
    r->progress.n_done += plan->n - plan->first;
    r->progress.n_rows += plan->n_rows;
    pthread_mutex_unlock(&l->lock);
}

static enum st make_plan(struct loader *l, struct loader_tape *t, struct plan *plan,
                         struct err *err)
{
    const struct sink_replay what = replay_of(l, t);
    size_t max = l->replay.limit > 0 ? l->replay.limit : LOADER_MAX_BATCH_POLLS, n_rows = 0, n = 0;

    enum st st =
        l->driver->replay->list(&l->sink, &what, &l->replay.done, plan->polls, max, &plan->n, err);
    if (st != ST_OK)
        return st;
    while (n < plan->n && (n == 0 || n_rows + plan->polls[n].n_rows <= LOADER_MAX_BATCH_ROWS))
        n_rows += plan->polls[n++].n_rows;
    plan->n = n;
    return ST_OK;
}

/* Do one batch of the stream at hand. */
static enum st do_batch(struct loader *l, struct loader_tape *t, struct err *err)
{
    struct replay *r = &l->replay;
    struct plan plan = {.n = 0};
    struct gathered *poll;
    enum st st = ST_OK;

    if (r->reader == NULL) {
        st = tape_reader_open(t->dir, &r->reader, err);
        if (st != ST_OK)
            return st;
        gather_init(&r->gather, l->json, (size_t)l->max_poll_bytes);
        r->gather.reader = r->reader;
        r->gather.stream = &t->id;
    }
    st = make_plan(l, t, &plan, err);
    if (st == ST_OK && plan.n == 0) {
        go_to_next_tape(l);
        return ST_OK;
    }
    for (size_t i = 0; st == ST_OK && plan.first < plan.n && i < plan.n; i++) {
        st = read_poll(l, t, &plan, i, &poll, err);
        if (st == ST_OK && poll)
            st = replace(l, t, &plan, i, poll, err);
    }
    if (st == ST_OK && plan.first < plan.n)
        note_batch(l, &plan);
    if (st != ST_OK)
        t->is_attached = false;
    return st;
}

enum st replay_step(struct loader *l, bool *ret_has_more, struct err *err)
{
    struct replay *r = &l->replay;
    bool is_cancelled, is_there = true;

    *ret_has_more = false;
    if (!is_wanted(l, &is_cancelled))
        return ST_OK;
    if (is_cancelled) {
        end(l, ST_AGAIN, "cancelled; the same replay goes on when it is started again");
        return ST_OK;
    }
    enum st st = loader_open(l, err);
    if (st == ST_OK && !r->is_begun)
        st = begin(l, err);
    while (st == ST_OK && r->tape < l->n_tapes && tape_at(l, r->tape) == NULL)
        go_to_next_tape(l);
    *ret_has_more = true;
    if (st == ST_OK && r->tape < l->n_tapes) {
        struct loader_tape *t = tape_at(l, r->tape);
        st = meet_tape(l, t, &is_there, err);
        if (st == ST_OK && is_there)
            st = do_batch(l, t, err);
        else if (st == ST_OK)
            go_to_next_tape(l);
    } else if (st == ST_OK) {
        *ret_has_more = false;
        end(l, ST_OK, "");
    }
    if (st != ST_OK && st != ST_AGAIN)
        end(l, ST_FATAL, err->msg);
    return st;
}

void loader_replay_run(struct loader *l)
{
    struct err err = ERR_INIT;
    bool has_more = true;
    enum st st = ST_OK;

    while (st == ST_OK && has_more && !atomic_load(&l->is_stopping))
        st = replay_step(l, &has_more, &err);
    replay_end(l, st, &err);
}
